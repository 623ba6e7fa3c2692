"""The outbox: leases, order per entity, confirm and fail, on both databases."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from sqlmodel import Session, select

from automation.destinations.crm import HUBSPOT
from automation.destinations.slack import SLACK
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.record_fields import FIELDS
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.db import Database
from data.domain.event import Driver
from data.errors import NotReady
from data.settings import Scope
from data.warehouse import resending
from data.warehouse.deliveries import DeliveryRow
from tests.conftest import LoopFactory
from tests.support import COLD, HOT, NOON, FakeClock, bearer


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    """Here the loop has HubSpot and Slack."""
    for name, *_ in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
    return make_loop(addresses)


def contact(sandbox: Sandbox, number: str = "1", **properties: Any) -> None:
    theirs = {"sessions": "hs_analytics_num_visits", "page_views": "hs_analytics_num_page_views", "channel": "hs_analytics_source"}
    values = {theirs.get(name, name): str(value) for name, value in properties.items()}
    sandbox.put("hubspot", "contacts", number, {"email": f"lead{number}@example.com", **values})


def score(api: httpx.Client, loop: Loop, number: str = "1", *, at_seconds: int = 0, driver: str = "n8n") -> dict[str, Any]:
    """One event about a contact, through the doors as n8n drives them; the third door's answer."""
    moment = int((NOON + timedelta(seconds=at_seconds)).timestamp() * 1000)
    event = {
        "eventId": at_seconds,
        "portalId": 1,
        "objectId": int(number),
        "occurredAt": moment,
        "subscriptionType": "contact.creation",
    }
    body = json.dumps([event])
    (taken,) = collect(loop, "hubspot", body.encode(), Driver(driver)).events
    if driver == "worker":
        worker.sweep_inbox(loop)
        return {}
    scored = api.post("/predict/events", json={"event_ids": [taken.event_id]}, headers=bearer(Scope.SCORE)).json()["scored"]
    answer: dict[str, Any] = api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS)).json()
    return answer


def by_destination(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["destination"]: row for row in answer["deliveries"]}


def settle(api: httpx.Client, row: dict[str, Any], verb: str = "confirm", **more: Any) -> httpx.Response:
    body = {"lease_id": row["lease_id"], **more}
    return api.post(f"/deliveries/{row['delivery_id']}/{verb}", json=body, headers=bearer(Scope.ACTIVATE))


def states(api: httpx.Client, destination: str) -> list[str]:
    return [row["state"] for row in api.get(f"/deliveries?destination={destination}", headers=bearer(Scope.READ)).json()]


def test_a_hot_lead_gets_a_write_back_and_an_alert(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **HOT)
    rows = by_destination(score(api, loop))
    assert set(rows) == {"hubspot", "slack"}
    assert rows["hubspot"]["content"]["email"] == "lead1@example.com"
    assert rows["hubspot"]["content"]["properties"]["predicted_label"] == "high"
    assert rows["slack"]["content"]["block_id"].endswith(rows["slack"]["delivery_id"])


def test_a_cold_lead_gets_a_write_back_only(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **COLD)
    assert set(by_destination(score(api, loop))) == {"hubspot"}


def test_confirm_is_idempotent_and_a_foreign_lease_is_refused(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **COLD)
    row = by_destination(score(api, loop))["hubspot"]
    assert settle(api, {**row, "lease_id": "somebody-else"}).status_code == 409
    assert settle(api, row, receipt="r").status_code == 200
    assert settle(api, row).status_code == 200
    assert settle(api, {**row, "lease_id": "somebody-else"}).status_code == 409
    assert settle(api, row, "fail").status_code == 409


class AwayForAMoment:
    """A database that cannot be written to for some times, once something was sent."""

    def __init__(self, database: Database, sandbox: Sandbox, times: int) -> None:
        self._database, self._sandbox, self.left = database, sandbox, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def write(self, **options: Any) -> Any:
        if self.left and any(request.path.endswith("batch/update") for request in self._sandbox.requests):
            self.left -= 1
            raise NotReady("the database cannot be used now")
        return self._database.write(**options)


def test_what_was_sent_is_not_sent_again_because_the_database_was_away_for_a_moment(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    score(api, loop, driver="worker")
    clock.move(seconds=61)
    away = AwayForAMoment(loop.database, sandbox, times=2)
    worker.sweep_outbox(replace(loop, database=cast(Database, away)), HUBSPOT)
    assert away.left == 0
    assert states(api, "hubspot") == ["confirmed"]
    clock.move(seconds=61)
    worker.sweep_outbox(loop, HUBSPOT)
    assert sum(request.path.endswith("batch/update") for request in sandbox.requests) == 1


class CommitsUnheard:
    """A database whose answer to a commit gets lost, once something was sent: what it stored is there, and nobody knows."""

    def __init__(self, database: Database, sandbox: Sandbox) -> None:
        self._database, self._sandbox, self.left = database, sandbox, 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def write(self, **options: Any) -> Iterator[Session]:
        with self._database.write(**options) as session:
            yield session
        if self.left and any(request.path.endswith("batch/update") for request in self._sandbox.requests):
            self.left -= 1
            raise NotReady("the database cannot be used now")


@pytest.mark.parametrize(("status", "left"), [(None, "confirmed"), (400, "dead"), (503, "pending"), (429, "pending")])
def test_what_became_of_a_batch_is_stored_once_where_nobody_heard_of_the_commit(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, status: int | None, left: str
) -> None:
    contact(sandbox, **COLD)
    score(api, loop, driver="worker")
    sandbox.fault = lambda vendor, path: status if vendor == "hubspot" and path.endswith("update") else None
    unheard = CommitsUnheard(loop.database, sandbox)
    worker.sweep_outbox(replace(loop, database=cast(Database, unheard)), HUBSPOT)
    assert unheard.left == 0
    assert states(api, "hubspot") == [left]
    letters = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    assert [letter["stage"] for letter in letters] == ["activate"] * (left == "dead")
    with loop.database.read() as session:
        assert session.exec(select(DeliveryRow.attempts)).one() == (1 if status in (400, 503) else 0)


def test_a_late_confirm_is_refused_and_the_newest_state_goes_out_again(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    row = by_destination(score(api, loop))["hubspot"]
    clock.move(seconds=61)
    worker.sweep_outbox(loop, HUBSPOT)  # the lease is over: the worker has written it
    assert states(api, "hubspot") == ["confirmed"]
    assert settle(api, row).status_code == 409
    assert states(api, "hubspot") == ["pending"]
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["confirmed"]


def test_a_late_answer_sends_the_newest_again_even_while_it_is_out(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    older = by_destination(score(api, loop, at_seconds=1))["hubspot"]
    clock.move(seconds=61)
    worker.sweep_outbox(loop, HUBSPOT)  # the worker took the lost lease over
    newest = by_destination(score(api, loop, at_seconds=2))["hubspot"]
    assert settle(api, older).status_code == 409, "the older write landed late, perhaps after the newest"
    assert settle(api, newest).status_code == 409
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["confirmed", "confirmed"]
    assert len(sandbox.get("hubspot", "contacts", "1").writes) == 2  # type: ignore[union-attr]


def test_a_newer_score_waits_behind_a_leased_one_and_replaces_a_waiting_one(
    api: httpx.Client, loop: Loop, sandbox: Sandbox
) -> None:
    contact(sandbox, **COLD)
    first = by_destination(score(api, loop, at_seconds=1))["hubspot"]
    assert by_destination(score(api, loop, at_seconds=2)) == {}
    assert by_destination(score(api, loop, at_seconds=3)) == {}
    assert sorted(states(api, "hubspot")) == ["leased", "pending", "superseded"]
    worker.sweep_outbox(loop, HUBSPOT)
    assert sandbox.get("hubspot", "contacts", "1").writes == []  # type: ignore[union-attr]
    assert settle(api, first).status_code == 200
    worker.sweep_outbox(loop, HUBSPOT)
    assert sorted(states(api, "hubspot")) == ["confirmed", "confirmed", "superseded"]


def test_a_score_is_never_overwritten_by_one_of_an_earlier_event(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **HOT)
    score(api, loop, at_seconds=10, driver="worker")
    score(api, loop, at_seconds=5, driver="worker")
    assert len(states(api, "hubspot")) == 1


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


def test_a_failure_is_tried_again_later_and_given_up_in_the_end(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    row = by_destination(score(api, loop))["hubspot"]
    sandbox.fault = lambda vendor, path: 503 if vendor == "hubspot" and path.endswith("update") else None
    assert settle(api, row, "fail", error="the node failed").status_code == 200
    assert settle(api, row, "fail", error="the node failed").status_code == 200
    for _ in range(loop.settings.max_attempts):
        clock.move(seconds=601)
        worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["dead"]
    (letter,) = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    assert (letter["stage"], letter["delivery_id"]) == ("activate", row["delivery_id"])
    sandbox.fault = None
    replayed = api.post(f"/dead-letters/{letter['id']}/replay", headers=bearer(Scope.ADMIN)).json()
    assert replayed["replayed"]
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["confirmed"]


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


def test_a_record_without_an_address_goes_out_by_the_worker(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **COLD)
    sandbox.put("hubspot", "contacts", "1", {"email": None})
    assert by_destination(score(api, loop)) == {}
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["confirmed"]


def test_an_event_about_nobody_becomes_a_dead_letter_after_a_few_tries(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    score(api, loop, "404", driver="worker")
    assert api.get("/dead-letters", headers=bearer(Scope.READ)).json() == []
    for _ in range(2):
        clock.move(seconds=5)
        worker.sweep_inbox(loop)
    (letter,) = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    assert letter["stage"] == "enrich"
    assert "does not exist" in letter["reason"]


def test_while_hubspot_is_away_the_event_waits(api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    contact(sandbox, **COLD)
    sandbox.fault = lambda vendor, _path: 502 if vendor == "hubspot" else None
    score(api, loop, driver="worker")
    assert states(api, "hubspot") == []
    sandbox.fault = None
    clock.move(seconds=5)
    worker.sweep_inbox(loop)
    assert states(api, "hubspot") == ["pending"]


def test_the_lease_call_hands_out_what_waits_for_n8n(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **COLD)
    row = by_destination(score(api, loop))["hubspot"]
    lease = api.post("/deliveries/lease", json={"destination": "hubspot"}, headers=bearer(Scope.ACTIVATE)).json()
    assert lease["deliveries"] == []
    assert settle(api, row).status_code == 200


@pytest.mark.slow
def test_two_workers_on_one_entity_send_it_once(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    for number in range(1, 31):
        contact(sandbox, str(number), **HOT)
        score(api, loop, str(number), driver="worker")
    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(worker.sweep_outbox, loop, destination) for _ in range(3) for destination in (HUBSPOT, SLACK)]:
            future.result()
    told = [block["block_id"] for message in sandbox.messages() for block in message["blocks"] if block["type"] == "section"]
    assert (len(told), len(set(told))) == (30, 30)
    assert set(states(api, "slack") + states(api, "hubspot")) == {"confirmed"}
    assert all(len(record.writes) == 1 for record in sandbox.records("hubspot", "contacts"))


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


def test_a_slow_worker_whose_lease_is_over_does_not_leave_an_old_score(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    score(api, loop, at_seconds=1, driver="worker")
    slow = threading.Event()

    def stall(vendor: str, path: str) -> int | None:
        """The first write waits in the network until another worker has written something newer."""
        if path.endswith("update") and not slow.is_set():
            slow.set()
            clock.move(seconds=61)
            contact(sandbox, **HOT)
            score(api, loop, at_seconds=2, driver="worker")
            worker.sweep_outbox(loop, HUBSPOT)
        return None

    sandbox.fault = stall
    worker.sweep_outbox(loop, HUBSPOT)
    worker.sweep_outbox(loop, HUBSPOT)
    record = sandbox.get("hubspot", "contacts", "1")
    assert record is not None
    assert record.properties["predicted_label"] == "high"
    assert "leased" not in states(api, "hubspot")


def test_n8n_is_not_given_an_address_that_may_have_changed(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    score(api, loop, at_seconds=1, driver="worker")
    worker.sweep_outbox(loop, HUBSPOT)
    clock.move(hours=2)
    moment = int(clock.now().timestamp() * 1000)
    change = {"eventId": 7, "portalId": 1, "objectId": 1, "occurredAt": moment, "subscriptionType": "contact.propertyChange",
              "propertyName": "hs_analytics_num_visits", "propertyValue": "4"}  # fmt: skip
    (taken,) = collect(loop, "hubspot", json.dumps([change]).encode(), Driver.N8N).events
    scored = api.post("/predict/events", json={"event_ids": [taken.event_id]}, headers=bearer(Scope.SCORE)).json()["scored"]
    answer = api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS)).json()
    assert answer["deliveries"] == []
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["confirmed", "confirmed"]
