"""Deliveries keep to the vendors' limits, whoever carries them, and one vendor that is down holds up no other."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from automation.clients.pace import SharedPace
from automation.clients.registry import build_clients
from automation.destinations import digest
from automation.destinations.crm import HUBSPOT
from automation.destinations.slack import SLACK
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.record_fields import FIELDS
from automation.sandbox.habits import Habits
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind
from data.domain.event import Driver
from data.domain.pace import FAILURES_UNTIL_REST, FIRST_REST, LONGEST_REST
from data.errors import Retryable
from data.settings import Scope
from data.warehouse import deliveries, leases
from data.warehouse.deliveries import DeliveryRow
from tests.conftest import LoopFactory
from tests.support import HOT, NOON, FakeClock, bearer, until


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock) -> Loop:
    """HubSpot allows four calls in ten seconds here, two of them at once; who waits moves the clock."""
    for name, *_ in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
    bare = make_loop(addresses, hubspot_calls_per_10_seconds=4)
    pace = SharedPace(bare.database, clock, 3.0, lambda seconds: clock.move(seconds=seconds))
    return replace(bare, clients=build_clients(bare.settings, pace))


def collected(loop: Loop, sandbox: Sandbox, contacts: int, driver: Driver) -> list[int]:
    for number in range(1, contacts + 1):
        theirs = {"hs_analytics_num_visits": HOT["sessions"], "hs_analytics_num_page_views": HOT["page_views"]}
        sandbox.put("hubspot", "contacts", str(number), {"email": f"{number}@example.com", **theirs})
    created = [
        {"eventId": number, "portalId": 1, "objectId": number, "subscriptionType": "contact.creation",
         "occurredAt": int(NOON.timestamp() * 1000)}
        for number in range(1, contacts + 1)
    ]  # fmt: skip
    return [event.event_id for event in collect(loop, "hubspot", json.dumps(created).encode(), driver).events]


def through_n8n(api: httpx.Client, events: list[int]) -> list[dict[str, Any]]:
    """The deliveries that n8n is handed at the third door."""
    scored = api.post("/predict/events", json={"event_ids": events}, headers=bearer(Scope.SCORE)).json()["scored"]
    found: list[dict[str, Any]] = api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS)).json()[
        "deliveries"
    ]
    return found


def stored(loop: Loop, destination: str) -> list[DeliveryRow]:
    with loop.database.read() as session:
        return list(deliveries.listed(session, destination=destination))


def test_n8n_is_handed_what_the_limits_leave_and_the_worker_takes_the_rest(
    running_app: tuple[FastAPI, str], api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    handed = through_n8n(api, collected(loop, sandbox, 6, Driver.N8N))
    assert sorted(row["destination"] for row in handed) == ["slack"]  # the look-up left HubSpot one call, and a write takes two
    assert {row.carrier for row in stored(loop, "hubspot")} == {"worker"}
    assert [row.carrier for row in stored(loop, "slack") if row.state == "pending"] == ["worker"] * 5
    clock.move(seconds=20)
    worker.sweep_outbox(loop, HUBSPOT)
    worker.sweep_outbox(loop, SLACK)
    assert {row.state for row in stored(loop, "hubspot")} == {"confirmed"}
    assert sorted(row.state for row in stored(loop, "slack")) == ["confirmed"] * 5 + ["leased"]


def test_what_may_not_be_sent_now_waits_without_losing_an_attempt(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    collected(loop, sandbox, 3, Driver.WORKER)
    worker.sweep_inbox(loop)
    sandbox.fault = lambda vendor, _path: 502 if vendor == "hubspot" else None
    for _ in range(FAILURES_UNTIL_REST):
        clock.move(seconds=4)
        with pytest.raises(Retryable, match="502"):
            loop.clients.crms["hubspot"].read(EntityKind.CONTACT, ["1"], ["email"])
    sandbox.requests.clear()
    worker.sweep_outbox(loop, HUBSPOT)
    assert not sandbox.requests
    assert {(row.state, row.attempts, row.lost_leases) for row in stored(loop, "hubspot")} == {("pending", 0, 0)}
    sandbox.fault = None
    clock.move(seconds=FIRST_REST.total_seconds())
    worker.sweep_outbox(loop, HUBSPOT)
    assert {row.state for row in stored(loop, "hubspot")} == {"confirmed"}


@pytest.mark.slow
def test_a_day_s_limit_costs_no_attempt_and_is_asked_about_ever_more_seldom(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    collected(loop, sandbox, 3, Driver.WORKER)
    worker.sweep_inbox(loop)
    sandbox.set_habits(Habits(too_many_unsaid=1.0))
    sandbox.requests.clear()
    for _ in range(2 * 60):
        clock.move(minutes=1)
        worker.sweep_outbox(loop, HUBSPOT)
    assert {(row.state, row.attempts) for row in stored(loop, "hubspot")} == {("pending", 0)}
    assert len(sandbox.requests) < 2 * 60 / (LONGEST_REST.total_seconds() / 60) + 2 * FAILURES_UNTIL_REST
    sandbox.set_habits(Habits())
    clock.move(seconds=LONGEST_REST.total_seconds())
    worker.sweep_outbox(loop, HUBSPOT)
    assert {row.state for row in stored(loop, "hubspot")} == {"confirmed"}


def test_a_vendor_that_is_down_holds_up_no_other(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    collected(loop, sandbox, 3, Driver.WORKER)
    worker.sweep_inbox(loop)
    sandbox.fault = lambda vendor, _path: 500 if vendor == "slack" else None
    for _ in range(FAILURES_UNTIL_REST):
        worker.sweep_outbox(loop, SLACK)
        clock.move(seconds=30)
    worker.sweep_outbox(loop, HUBSPOT)
    assert {row.state for row in stored(loop, "hubspot")} == {"confirmed"}
    assert {row.state for row in stored(loop, "slack")} == {"pending"}


def test_slack_gets_one_message_a_second(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    collected(loop, sandbox, digest.FEWEST - 1, Driver.WORKER)
    worker.sweep_inbox(loop)
    before = clock.now()
    worker.sweep_outbox(loop, SLACK)
    assert len(sandbox.messages()) == digest.FEWEST - 1
    assert digest.FEWEST - 2 <= (clock.now() - before).total_seconds() < digest.FEWEST - 1


def test_a_burst_of_alerts_becomes_one_message_and_each_is_confirmed_by_it(loop: Loop, sandbox: Sandbox) -> None:
    collected(loop, sandbox, 9, Driver.WORKER)
    worker.sweep_inbox(loop)
    worker.sweep_outbox(loop, SLACK)
    (message,) = sandbox.messages()
    assert message["text"] == "9 hot leads"
    assert {(row.state, row.receipt) for row in stored(loop, "slack")} == {("confirmed", message["ts"])}


def test_a_burst_whose_answer_got_lost_is_found_and_not_posted_again(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    clock.follow_the_machine()
    collected(loop, sandbox, digest.FEWEST, Driver.WORKER)
    worker.sweep_inbox(loop)
    with loop.database.write() as session:
        _, rows = leases.lease_for_worker(session, "slack", clock.now(), 0.01)
    SLACK.send(loop.clients, rows)  # and dies before what became of it is stored
    until("the lease has not ended", lambda: clock.now() > (rows[0].lease_until or NOON))
    worker.sweep_outbox(loop, SLACK)
    (message,) = sandbox.messages()
    assert {(row.state, row.receipt) for row in stored(loop, "slack")} == {("confirmed", message["ts"])}
