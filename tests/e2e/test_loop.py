"""The whole loop with the real n8n, on SQLite and on PostgreSQL: everything arrives, each alert once, in time."""

import numpy as np
import pytest

from scripts.play import play_world
from scripts.stand import Stand
from tests.e2e.conftest import fresh
from tests.e2e.steps import assert_everything_arrived, post_form, wait_for, what_arrived
from tests.support import COLD, HOT

pytestmark = [pytest.mark.n8n, pytest.mark.slow]
EVENTS = 300
FEWEST_HOT = 10


def test_three_hundred_events_arrive_once(
    grounds_with_n8n: Stand, database_of_its_own: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = fresh(grounds_with_n8n, database_of_its_own)
    script = play_world(parts.player, events=EVENTS, seed=1)
    effects = what_arrived(parts, script)
    assert set(parts.player.played.statuses) == {202}
    assert_everything_arrived(effects, script)
    assert effects.alerts >= FEWEST_HOT
    assert effects.through["v1"] > effects.through["batch"], "n8n's own nodes carry most"
    p50, p95 = np.quantile(effects.crm_seconds, [0.5, 0.95])
    with capsys.disabled():
        print(f"\nevent to CRM record: p50 {p50:.2f} s, p95 {p95:.2f} s of {len(effects.crm_seconds)}; {effects.alerts} alerts")


def test_pipedrive_events_come_back_as_fields_of_the_person(grounds_with_n8n: Stand, sqlite_of_its_own: str) -> None:
    # Before the service starts: it asks for the account's fields at once, and then once an hour.
    for name in ("sessions", "engaged_sessions", "page_views", "channel", "is_first_visit"):
        grounds_with_n8n.sandbox.define_pipedrive_field("persons", name)
    parts = fresh(grounds_with_n8n, sqlite_of_its_own)
    person = {
        "name": "Ada Abel",
        "email": "ada@abel.example",
        "sessions": 1,
        "engaged_sessions": 0,
        "page_views": 1,
        "channel": "referral",
    }
    assert parts.pipedrive.deliver(parts.pipedrive.created("7", person)) == 202
    assert wait_for(lambda: "predicted_score" in record(parts))
    cold = float(record(parts)["predicted_score"])
    warm = {**HOT}
    assert parts.pipedrive.deliver(parts.pipedrive.changed("7", warm)) == 202
    assert wait_for(lambda: float(record(parts)["predicted_score"]) > cold)
    assert wait_for(lambda: len(parts.sandbox.messages()) == 1)
    assert "Ada Abel" in parts.sandbox.messages()[0]["text"]
    assert any(request.method == "PATCH" and request.vendor == "pipedrive" for request in parts.sandbox.requests)


def test_the_classic_workflow_scores_a_web_form(grounds_with_n8n: Stand, sqlite_of_its_own: str) -> None:
    parts = fresh(grounds_with_n8n, sqlite_of_its_own)
    form = {
        "email": "eve@example.com",
        "sessions": 6,
        "engaged_sessions": 6,
        "page_views": 20,
        "channel": "referral",
        "is_first_visit": False,
    }
    assert post_form(parts, form).status_code == 200
    (message,) = parts.sandbox.messages()
    assert "eve@example.com" in message["blocks"][0]["text"]["text"]
    lead = parts.sandbox.by_email("eve@example.com")
    assert lead is not None
    assert lead.properties["predicted_label"] == "high"
    cold = {"email": "kim@example.com", **COLD}
    assert post_form(parts, cold).status_code == 200
    assert len(parts.sandbox.messages()) == 1
    assert post_form(parts, form, token="wrong-token").status_code == 403


def test_a_failing_workflow_is_reported_in_slack(grounds_with_n8n: Stand, sqlite_of_its_own: str) -> None:
    parts = fresh(grounds_with_n8n, sqlite_of_its_own)
    assert post_form(parts, {"email": "eve@example.com", "sessions": "many"}).status_code == 500
    assert wait_for(lambda: any("ML Score API" in message["text"] for message in parts.sandbox.messages()))


def record(parts: Stand) -> dict[str, object]:
    found = parts.sandbox.get("pipedrive", "persons", "7")
    assert found is not None
    return found.properties
