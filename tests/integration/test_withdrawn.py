"""What waits for a record that was deleted is taken back; an alert that may be there is looked for, and not posted any more."""

import json

import httpx
import pytest

from automation.destinations.crm import HUBSPOT
from automation.destinations.slack import SLACK
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.record_fields import FIELDS
from automation.rescoring import ask_again
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Driver
from data.settings import Scope
from tests.conftest import LoopFactory
from tests.outbox import by_destination, contact, score, settle, states
from tests.support import COLD, HOT, NOON, FakeClock, bearer


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    """Here the loop has HubSpot and Slack."""
    for name, *_ in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
    return make_loop(addresses)


def gone(loop: Loop, number: int = 1) -> None:
    moment = int(NOON.timestamp() * 1000)
    said = {"eventId": 9, "portalId": 1, "objectId": number, "occurredAt": moment, "subscriptionType": "contact.deletion"}
    collect(loop, "hubspot", json.dumps([said]).encode(), Driver.WORKER)


def test_what_waits_for_a_deleted_contact_is_withdrawn(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **COLD)
    score(api, loop, driver="worker")
    gone(loop)
    assert states(api, "hubspot") == ["superseded"]


@pytest.mark.parametrize("how", ["failed", "lost"])
@pytest.mark.parametrize("arrived", [True, False])
def test_an_alert_about_a_deleted_contact_that_may_be_there_is_looked_for_and_not_posted(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock, how: str, arrived: bool
) -> None:
    contact(sandbox, **HOT)
    row = by_destination(score(api, loop))["slack"]
    assert loop.clients.slack is not None
    ts = loop.clients.slack.post("#sales", row["content"]["text"], row["content"]["blocks"]) if arrived else None
    if how == "failed":
        settle(api, row, "fail", error="socket hang up")
    gone(loop)
    clock.move(seconds=61)
    worker.sweep_outbox(loop, SLACK)
    (found,) = api.get("/deliveries?destination=slack", headers=bearer(Scope.READ)).json()
    assert (found["state"], found["receipt"]) == (("confirmed", ts) if arrived else ("superseded", None))
    assert len(sandbox.messages()) == arrived


def test_an_alert_about_a_deleted_contact_that_cannot_be_looked_for_is_given_up_and_says_so(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **HOT)
    score(api, loop)
    gone(loop)
    sandbox.fault = lambda _vendor, path: 403 if path.endswith("history") else None
    clock.move(seconds=61)
    worker.sweep_outbox(loop, SLACK)
    (found,) = api.get("/deliveries?destination=slack", headers=bearer(Scope.READ)).json()
    assert found["state"] == "superseded"
    assert "may be there" in found["error"]
    assert sandbox.messages() == []


@pytest.mark.parametrize("arrived", [True, False])
def test_whoever_is_back_before_it_is_known_whether_their_alert_was_posted_is_alerted_on_once(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock, arrived: bool
) -> None:
    contact(sandbox, **HOT)
    row = by_destination(score(api, loop))["slack"]
    assert loop.clients.slack is not None
    if arrived:
        loop.clients.slack.post("#sales", row["content"]["text"], row["content"]["blocks"])
    settle(api, row, "fail", error="socket hang up")
    gone(loop)
    clock.move(seconds=1)
    moment = int(clock.now().timestamp() * 1000)
    back = {"eventId": 10, "portalId": 1, "objectId": 1, "occurredAt": moment, "subscriptionType": "contact.restore"}
    collect(loop, "hubspot", json.dumps([back]).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)  # hot again, while the alert may be there
    for _ in range(3):
        clock.move(seconds=61)
        worker.sweep_outbox(loop, SLACK)
        worker.sweep_payloads(loop)
        worker.sweep_inbox(loop)
    assert len(sandbox.messages()) == 1
    assert sorted(states(api, "slack")) == (["confirmed"] if arrived else ["confirmed", "superseded"])


def test_who_was_not_there_when_their_score_was_written_has_it_when_it_is_told_late_that_they_are_back(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    score(api, loop, driver="worker")
    sandbox.archive("hubspot", "contacts", "1")
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["dead"]
    sandbox.restore("hubspot", "contacts", "1")
    clock.move(minutes=5)
    ask_again(loop, [EntityRef(source="hubspot", kind=EntityKind.CONTACT, id="1")], "again")
    worker.sweep_inbox(loop)
    assert states(api, "hubspot") == ["dead"], "a review that says the same is no reason to write"
    moment = int(NOON.timestamp() * 1000) + 1000
    back = {"eventId": 10, "portalId": 1, "objectId": 1, "occurredAt": moment, "subscriptionType": "contact.restore"}
    for number in range(2):
        collect(loop, "hubspot", json.dumps([back | {"occurredAt": moment + number}]).encode(), Driver.WORKER)
        worker.sweep_inbox(loop)
        worker.sweep_outbox(loop, HUBSPOT)
    record = sandbox.get("hubspot", "contacts", "1")
    assert record is not None
    assert record.properties["predicted_grade"]
    assert sorted(states(api, "hubspot")) == ["confirmed", "dead"], "once it is there, what is told late writes nothing"


def test_an_alert_that_was_never_sent_is_withdrawn_with_its_contact(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **HOT)
    score(api, loop, driver="worker")
    gone(loop)
    assert states(api, "slack") == ["superseded"]
    worker.sweep_outbox(loop, SLACK)
    assert sandbox.messages() == []


def test_whoever_was_alerted_on_before_a_merge_is_not_alerted_on_again_after_it(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, "1", **HOT)
    contact(sandbox, "2", **HOT)
    row = by_destination(score(api, loop, "1"))["slack"]
    assert loop.clients.slack is not None
    loop.clients.slack.post("#sales", row["content"]["text"], row["content"]["blocks"])
    settle(api, row, "fail", error="socket hang up")  # it has arrived, and nobody knows
    merge = {
        "eventId": 9, "portalId": 1, "objectId": 2, "occurredAt": int(NOON.timestamp() * 1000), "subscriptionType": "contact.merge",
        "primaryObjectId": 2, "mergedObjectIds": [1], "newObjectId": 2,
    }  # fmt: skip
    collect(loop, "hubspot", json.dumps([merge]).encode(), Driver.WORKER)
    sandbox.merge("hubspot", "contacts", "2", ["1"])
    clock.move(seconds=61)
    worker.sweep_outbox(loop, SLACK)
    worker.sweep_inbox(loop)
    worker.sweep_outbox(loop, SLACK)
    assert states(api, "slack") == ["confirmed"]
    assert len(sandbox.messages()) == 1
