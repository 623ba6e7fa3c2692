"""How deals and contacts end, in whichever pipeline, and what is asked about them after that."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from automation import backfill, endings, reconcile
from automation.clients.histories import history_of
from automation.clients.history import Patience
from automation.destinations.slack import SLACK
from automation.jobs import deal_stages, worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.rescoring import ask_all_open
from automation.sandbox.hubspot_events import events_of
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from automation.sandbox.world import Happening
from data.domain.event import Driver
from data.warehouse.entities import EntityRow
from data.warehouse.outcomes import OutcomeRow
from tests.conftest import LoopFactory
from tests.support import HOT, FakeClock, generic

RENEWED, NOT_RENEWED, IN_TALKS = "9f0c2f4e-1d0b-4f5c-8a54-6c1f7f3f0a11", "174586374", "174586372"
PATIENCE = Patience(tries=3, sleep=lambda _seconds: None)


@pytest.fixture
def sandbox(clock: FakeClock) -> Sandbox:
    tokens = {"hubspot_token": "hubspot-token", "pipedrive_token": "pipedrive-token", "slack_token": "slack-token"}
    return Sandbox(**tokens, channels=("sales",), now=clock.now)


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses) -> Loop:
    return make_loop(addresses)


class Webhooks:
    """HubSpot's, as they come; nothing is sent before it is asked for."""

    def __init__(self, loop: Loop, sandbox: Sandbox) -> None:
        self._loop, self._happened, self._ids = loop, [], iter(range(1, 1_000))
        sandbox.listeners.append(self._hear)

    def _hear(self, happening: Happening) -> None:
        if happening.vendor == "hubspot":
            self._happened.append(happening)

    def send(self) -> None:
        items = [event for one in self._happened for event in events_of(one, lambda: next(self._ids))]
        self._happened.clear()
        assert collect(self._loop, "hubspot", json.dumps(items).encode(), Driver.WORKER).rejected == 0


@pytest.fixture
def webhooks(loop: Loop, sandbox: Sandbox) -> Webhooks:
    return Webhooks(loop, sandbox)


def found(loop: Loop) -> list[tuple[str, str, datetime]]:
    """Of each outcome: whose, what and when."""
    with loop.database.read() as session:
        query = select(EntityRow.vendor_id, OutcomeRow.result, OutcomeRow.occurred_at).join(
            EntityRow, col(EntityRow.id) == OutcomeRow.entity_id
        )
        return sorted((who, result, at) for who, result, at in session.exec(query))


def ends(loop: Loop) -> list[tuple[str, str]]:
    return [(who, result) for who, result, _ in sorted(found(loop), key=lambda row: row[2])]


@pytest.mark.parametrize(("stage", "result"), [(RENEWED, "won"), (NOT_RENEWED, "lost"), ("closedwon", "won")])
def test_a_webhook_of_any_pipeline_tells_how_a_deal_ended(
    loop: Loop, sandbox: Sandbox, webhooks: Webhooks, clock: FakeClock, stage: str, result: str
) -> None:
    sandbox.put("hubspot", "deals", "5", {"dealname": "Desks", "dealstage": IN_TALKS})
    clock.move(minutes=1)
    sandbox.put("hubspot", "deals", "5", {"dealstage": stage})
    ended_at = clock.now()
    webhooks.send()
    clock.move(seconds=5)
    deal_stages.sweep(loop)
    assert found(loop) == [("5", result, ended_at)]
    clock.move(minutes=1)
    sandbox.put("hubspot", "deals", "6", {"dealname": "Chairs", "dealstage": IN_TALKS})
    sandbox.put("hubspot", "deals", "6", {"dealstage": stage})
    webhooks.send()
    assert ends(loop) == [("5", result), ("6", result)], "a stage that is known is understood at once"


def test_an_alert_is_told_how_a_deal_of_a_further_pipeline_ended(
    loop: Loop, sandbox: Sandbox, webhooks: Webhooks, clock: FakeClock
) -> None:
    clock.follow_the_machine()
    for name in HOT:
        sandbox.define_hubspot_property("contacts", name)
    theirs = {"hs_analytics_num_visits": "5", "hs_analytics_num_page_views": "16", "hs_analytics_source": "REFERRALS"}
    sandbox.put("hubspot", "contacts", "1", {"firstname": "Ada", "engaged_sessions": "5", "is_first_visit": "false", **theirs})
    webhooks.send()
    worker.sweep_inbox(loop)
    worker.sweep_outbox(loop, SLACK)
    (alert,) = sandbox.messages()
    assert alert["text"].startswith("Hot lead: Ada")
    sandbox.put("hubspot", "deals", "5", {"dealstage": IN_TALKS})
    sandbox.link(("deals", "5"), ("contacts", "1"))
    sandbox.put("hubspot", "deals", "5", {"dealstage": RENEWED})
    webhooks.send()
    deal_stages.sweep(loop)
    endings.sweep(loop)
    worker.sweep_outbox(loop, SLACK)
    (message,) = sandbox.messages()
    assert (message["text"], message["ts"]) == ("Won: Ada", alert["ts"])


def test_what_hubspot_calculates_is_the_same_end_and_not_another_one(loop: Loop, clock: FakeClock) -> None:
    def told(name: str, value: str, second: int) -> dict[str, Any]:
        at = clock.now() + timedelta(seconds=second)
        return {
            "subscriptionType": "deal.propertyChange", "objectId": 5, "portalId": 1, "eventId": 100 + second, "propertyName": name,
            "propertyValue": value, "occurredAt": int(at.timestamp() * 1000),
        }  # fmt: skip

    items = [told("hs_is_closed_won", "true", -9), told("dealstage", "closedwon", -8), told("hs_is_closed_lost", "false", -7)]
    collect(loop, "hubspot", json.dumps(items).encode(), Driver.WORKER)
    assert ends(loop) == [("5", "won")]


@pytest.mark.parametrize("stage", [RENEWED, "closedwon"])
def test_backfill_has_every_end_of_a_deal_that_was_opened_again(loop: Loop, sandbox: Sandbox, clock: FakeClock, stage: str) -> None:
    days = [clock.now() - timedelta(days=days) for days in (40, 30, 20, 10)]
    for at, name in zip(days, (IN_TALKS, stage, IN_TALKS, NOT_RENEWED), strict=True):
        sandbox.put("hubspot", "deals", "5", {"dealstage": name}, at=at)
    backfill.backfill(loop, "hubspot", history_of("hubspot", loop.clients, loop.settings, PATIENCE))
    assert found(loop) == [("5", "lost", days[3]), ("5", "won", days[1])]
    deal_stages.sweep(loop)
    assert len(found(loop)) == 2


def test_reconciliation_finds_an_end_that_no_webhook_told(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    sandbox.put("hubspot", "deals", "5", {"dealstage": NOT_RENEWED})
    clock.move(minutes=5)
    reconcile.reconcile(loop, "hubspot", history_of("hubspot", loop.clients, loop.settings, PATIENCE))
    assert ends(loop) == [("5", "lost")]


def test_a_deal_that_is_opened_again_may_end_again(loop: Loop, sandbox: Sandbox, webhooks: Webhooks, clock: FakeClock) -> None:
    for stage in (RENEWED, IN_TALKS, RENEWED, "closedlost"):
        clock.move(minutes=1)
        sandbox.put("hubspot", "deals", "5", {"dealstage": stage})
        webhooks.send()
        deal_stages.sweep(loop)
    assert ends(loop) == [("5", "won"), ("5", "lost")], "HubSpot tells of a new record without what is in it"
    clock.move(minutes=1)
    sandbox.put("hubspot", "deals", "5", {"dealstage": IN_TALKS})
    webhooks.send()
    clock.move(minutes=1)
    sandbox.put("hubspot", "deals", "5", {"dealstage": "closedlost"})
    webhooks.send()
    assert ends(loop)[-2:] == [("5", "lost"), ("5", "lost")]


def test_that_a_deal_was_open_before_its_stage_was_known_counts_also_where_its_first_end_is_told_late(
    loop: Loop, clock: FakeClock
) -> None:
    def tell(*moves: tuple[int, str], deal: int = 5) -> None:
        said = {"portalId": 1, "objectId": deal, "subscriptionType": "deal.propertyChange", "propertyName": "dealstage"}
        items = [
            {**said, "eventId": second, "occurredAt": int(begun.timestamp() + second) * 1000, "propertyValue": stage}
            for second, stage in moves
        ]
        assert collect(loop, "hubspot", json.dumps(items).encode(), Driver.WORKER).accepted == len(moves)

    begun = clock.now()
    clock.move(minutes=5)
    tell((0, "closedwon"), (1, "closedlost"), deal=6)  # so that these are known
    deal_stages.sweep(loop)
    tell((30, "presentationscheduled"))
    deal_stages.sweep(loop)
    tell((10, "closedwon"), (20, "closedlost"))
    tell((40, "closedlost"))
    deal_stages.sweep(loop)
    assert [result for who, result in ends(loop) if who == "5"] == ["won", "lost", "lost"]


def test_while_the_stages_cannot_be_read_the_deal_waits_and_is_told_later(
    loop: Loop, sandbox: Sandbox, webhooks: Webhooks, clock: FakeClock
) -> None:
    sandbox.put("hubspot", "deals", "5", {"dealstage": IN_TALKS})
    sandbox.put("hubspot", "deals", "5", {"dealstage": RENEWED})
    webhooks.send()
    sandbox.fault = lambda _vendor, path: 403 if "pipelines" in path else None
    deal_stages.sweep(loop)
    sandbox.fault = None
    deal_stages.sweep(loop)
    assert ends(loop) == []
    clock.move(minutes=11)
    deal_stages.sweep(loop)
    assert ends(loop) == [("5", "won")]


def test_a_stage_that_can_be_none_is_taken_and_asked_about_never(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    item = {
        "subscriptionType": "deal.propertyChange", "objectId": 5, "portalId": 1, "eventId": 1, "propertyName": "dealstage",
        "propertyValue": "x\u00e9" * 5_000, "occurredAt": int(clock.now().timestamp() * 1000),
    }  # fmt: skip
    assert collect(loop, "hubspot", json.dumps([item]).encode(), Driver.WORKER).accepted == 1
    deal_stages.sweep(loop)
    assert not [request for request in sandbox.requests if "pipelines" in request.path]


def post(loop: Loop, *items: dict[str, Any]) -> None:
    assert collect(loop, "generic", json.dumps(items).encode(), Driver.WORKER).rejected == 0


def test_who_is_opened_again_is_scored_again_and_who_was_deleted_is_not(make_loop: LoopFactory, clock: FakeClock) -> None:
    loop = make_loop()

    def happens(who: str, verb: str) -> None:
        clock.move(minutes=1)
        post(loop, {**generic(who, at=clock.now()), "type": f"contact.{verb}", "properties": {}})

    def is_now(who: str, stage: str) -> None:
        clock.move(minutes=1)
        post(loop, generic(who, at=clock.now(), lifecyclestage=stage, **HOT))

    for who in ("ada", "bo", "cy", "di"):
        is_now(who, "lead")
    is_now("ada", "customer")
    is_now("bo", "customer")
    happens("cy", "deleted")
    happens("di", "deleted")
    assert ask_all_open(loop, "lead_score", "monday") == 0
    is_now("ada", "lead")
    happens("di", "restored")
    assert ask_all_open(loop, "lead_score", "tuesday") == 2
    assert ends(loop) == [("ada", "won"), ("bo", "won")], "what was is history"
    happens("di", "deleted")
    assert ask_all_open(loop, "lead_score", "wednesday") == 1
