"""A newer alert takes the place of one that may have been posted: that one is looked for first, and not posted any more."""

import json
from dataclasses import replace

import httpx
import pytest

from automation import endings
from automation.destinations.slack import SLACK
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.state import Sandbox
from data.domain.event import Driver
from data.settings import Scope
from tests.outbox import by_destination, contact, score, settle
from tests.support import COLD, HOT, NOON, FakeClock, bearer


@pytest.fixture
def loop(loop: Loop) -> Loop:
    """Here a lead alerts again as soon as it has cooled."""
    return replace(loop, settings=loop.settings.model_copy(update={"alert_quiet_days": 0}))


def doubted(api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock, *, arrived: bool, late: bool = False) -> str | None:
    """An alert of which n8n says that it failed, and a newer one; returns the message's ts if it is there all the same.

    `late`: it is said when the newer one is there already.
    """
    contact(sandbox, **HOT)
    row = by_destination(score(api, loop, at_seconds=1))["slack"]
    assert loop.clients.slack is not None
    ts = loop.clients.slack.post("#sales", row["content"]["text"], row["content"]["blocks"]) if arrived else None
    if not late:
        settle(api, row, "fail", error="socket hang up")
    for seconds, properties in enumerate((COLD, HOT), 2):
        clock.move(seconds=1)
        contact(sandbox, **properties)
        score(api, loop, at_seconds=seconds, driver="worker")
    if late:
        settle(api, row, "fail", error="socket hang up")
    assert [state for state, _ in alerts(api)] == ["leased", "pending"]
    return ts


def alerts(api: httpx.Client) -> list[tuple[str, str | None]]:
    """State and receipt of each, the first one first."""
    rows = api.get("/deliveries?destination=slack", headers=bearer(Scope.READ)).json()
    return [(row["state"], row["receipt"]) for row in sorted(rows, key=lambda row: row["occurred_at"]) if row["kind"] == "alert"]


def sweep(loop: Loop, clock: FakeClock, seconds: float = 5) -> None:
    clock.move(seconds=seconds)
    for _ in range(2):  # the newer one goes when it is known what became of the older one
        worker.sweep_outbox(loop, SLACK)


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("arrived", [True, False])
def test_an_older_alert_that_may_be_there_is_looked_for_before_the_newer_one_goes(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock, arrived: bool, late: bool
) -> None:
    ts = doubted(api, loop, sandbox, clock, arrived=arrived, late=late)
    sweep(loop, clock)
    older, (state, receipt) = alerts(api)
    assert older == (("confirmed", ts) if arrived else ("superseded", None))
    assert (state, receipt) == ("confirmed", sandbox.messages()[-1]["ts"])
    assert len(sandbox.messages()) == 1 + arrived


def test_while_it_cannot_be_looked_for_the_newer_one_waits(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    ts = doubted(api, loop, sandbox, clock, arrived=True)
    for status in (503, 429):
        sandbox.fault = lambda _vendor, path, status=status: status if path.endswith("history") else None
        sweep(loop, clock)
        assert [state for state, _ in alerts(api)] == ["leased", "pending"]
    sandbox.fault = None
    sweep(loop, clock, 60)
    assert alerts(api) == [("confirmed", ts), ("confirmed", sandbox.messages()[-1]["ts"])]


def test_where_looking_is_not_allowed_the_newer_one_goes(api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    doubted(api, loop, sandbox, clock, arrived=True)
    sandbox.fault = lambda _vendor, path: 403 if path.endswith("history") else None
    sweep(loop, clock)
    assert [state for state, _ in alerts(api)] == ["superseded", "confirmed"]


def test_how_it_ended_is_told_in_the_message_that_is_there_while_the_newer_one_waits(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    ts = doubted(api, loop, sandbox, clock, arrived=True)
    clock.move(seconds=5)
    change = {
        "eventId": 9, "portalId": 1, "objectId": 1, "occurredAt": int(NOON.timestamp() + 4) * 1000,
        "subscriptionType": "contact.propertyChange", "propertyName": "lifecyclestage", "propertyValue": "customer",
    }  # fmt: skip
    collect(loop, "hubspot", json.dumps([change]).encode(), Driver.WORKER)
    endings.sweep(loop)
    for _ in range(2):
        sweep(loop, clock)
    (message,) = sandbox.messages()
    assert (message["text"], message["ts"]) == ("Won: lead1@example.com", ts)
    assert alerts(api) == [("confirmed", ts), ("superseded", None)]
