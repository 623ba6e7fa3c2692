"""An alert goes out once: what may be there is looked for before it is sent again."""

from collections import Counter
from typing import Any

import httpx
from sqlmodel import select

from automation.destinations.slack import SLACK
from automation.jobs import worker
from automation.pipeline.context import Loop
from automation.sandbox.state import Sandbox
from data.settings import Scope
from data.warehouse import resending
from data.warehouse.deliveries import DeliveryRow
from tests.outbox import by_destination, contact, score, settle, states
from tests.support import COLD, HOT, NOON, FakeClock, bearer


def test_a_lost_lease_of_an_alert_is_looked_for_before_it_is_sent(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **HOT)
    row = by_destination(score(api, loop))["slack"]
    assert loop.clients.slack is not None
    ts = loop.clients.slack.post("#sales", row["content"]["text"], row["content"]["blocks"])
    clock.move(seconds=61)
    worker.sweep_outbox(loop, SLACK)
    (found,) = api.get("/deliveries?destination=slack", headers=bearer(Scope.READ)).json()
    assert (found["state"], found["receipt"]) == ("confirmed", ts)
    assert len(sandbox.messages()) == 1


def test_many_that_may_be_there_already_are_looked_for_at_once_and_the_others_are_posted_together(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    for number in range(1, 7):
        contact(sandbox, number=str(number), **HOT)
        score(api, loop, number=str(number), driver="worker")
    with loop.database.write() as session:
        resending.doubt_all(session, clock.now())
        content = next(
            row.content for row in session.exec(select(DeliveryRow)) if row.content.get("text", "").startswith("Hot lead")
        )
    assert loop.clients.slack is not None
    ts = loop.clients.slack.post("#sales", content["text"], content["blocks"])  # one did arrive, and nobody heard of it
    asked: list[str] = []
    sandbox.fault = lambda _vendor, path: asked.append(path)  # type: ignore[func-returns-value]
    clock.move(seconds=61)
    worker.sweep_outbox(loop, SLACK)
    assert states(api, "slack") == ["confirmed"] * 6
    assert [path.rsplit("/")[-1] for path in asked if "conversations.list" not in path] == [
        "conversations.history",
        "chat.postMessage",
    ]
    receipts = Counter(found["receipt"] for found in api.get("/deliveries?destination=slack", headers=bearer(Scope.READ)).json())
    assert sorted(receipts.values()) == [1, 5]
    assert receipts[ts] == 1
    assert len(sandbox.messages()) == 2


def test_where_the_look_up_is_not_allowed_the_alert_goes_out_and_is_marked(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **HOT)
    score(api, loop)
    sandbox.fault = lambda _vendor, path: 403 if path.endswith("history") else None
    clock.move(seconds=61)
    worker.sweep_outbox(loop, SLACK)
    (found,) = api.get("/deliveries?destination=slack", headers=bearer(Scope.READ)).json()
    assert found["state"] == "confirmed"
    assert "may be there twice" in found["error"]


def test_a_lead_alerts_once_while_it_is_hot_and_again_after_it_cooled_for_days(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    day = 86_400

    def turn(properties: dict[str, Any], at_seconds: int) -> int:
        contact(sandbox, **properties)
        clock.move(seconds=at_seconds - (clock.now() - NOON).total_seconds())
        score(api, loop, at_seconds=at_seconds, driver="worker")
        worker.sweep_outbox(loop, SLACK)
        return len(sandbox.messages())

    assert turn(HOT, 1) == 1
    assert turn(HOT, 2) == 1
    assert turn(HOT, 8 * day) == 1, "it has not cooled"
    assert turn(COLD, 8 * day + 1) == 1
    assert turn(HOT, 8 * day + 2) == 2
    assert turn(COLD, 8 * day + 3) == 2
    assert turn(HOT, 8 * day + 4) == 2, "hovering at the threshold is no news"
    assert turn(HOT, 16 * day) == 3, "hot still, days after, it is"


def test_an_alert_that_n8n_reports_as_failed_is_looked_for_before_it_is_sent_again(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **HOT)
    row = by_destination(score(api, loop))["slack"]
    assert loop.clients.slack is not None
    loop.clients.slack.post("#sales", row["content"]["text"], row["content"]["blocks"])  # it arrived, the answer did not
    assert settle(api, row, "fail", error="socket hang up").status_code == 200
    clock.move(seconds=5)
    worker.sweep_outbox(loop, SLACK)
    assert len(sandbox.messages()) == 1
    assert states(api, "slack") == ["confirmed"]
