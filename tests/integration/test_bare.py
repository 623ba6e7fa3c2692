"""Records that were told of without their values are read within seconds, many in one call, and are no gap that a look closes."""

import json
from functools import partial
from typing import Any

import pytest
from sqlmodel import col, select

from automation.clients.histories import history_of
from automation.clients.history import Patience
from automation.jobs import enrichments
from automation.memory import LookedUp, remember_look_ups
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.reconcile import reconcile
from automation.sandbox.player import HubSpotPlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Driver
from data.warehouse import enrichment_tries, entities
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow
from tests.conftest import LoopFactory
from tests.support import FakeClock

KINDS = (
    ("companies", EntityKind.COMPANY, "name"),
    ("deals", EntityKind.DEAL, "dealname"),
    ("leads", EntityKind.LEAD, "hs_lead_name"),
    ("tickets", EntityKind.TICKET, "subject"),
    ("notes", EntityKind.NOTE, "hs_note_body"),
    ("calls", EntityKind.CALL, "hs_call_body"),
    ("meetings", EntityKind.MEETING, "hs_meeting_title"),
    ("emails", EntityKind.EMAIL, "hs_email_subject"),
    ("tasks", EntityKind.TASK, "hs_task_subject"),
)


@pytest.fixture
def sandbox(clock: FakeClock) -> Sandbox:
    """The vendor shares the test's clock: what is read is held against when it changed."""
    tokens = {"hubspot_token": "hubspot-token", "pipedrive_token": "pipedrive-token", "slack_token": "slack-token"}
    return Sandbox(**tokens, channels=("sales",), now=clock.now)


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses) -> Loop:
    return make_loop(addresses, hubspot_calls_per_10_seconds=10_000)


@pytest.fixture
def player(sandbox: Sandbox) -> HubSpotPlayer:
    return HubSpotPlayer(sandbox, "http://unused", "secret")


def post(loop: Loop, events: list[dict[str, Any]]) -> None:
    assert not collect(loop, "hubspot", json.dumps(events).encode(), Driver.WORKER).rejected


def known(loop: Loop, name: str) -> list[str | None]:
    with loop.database.read() as session:
        return list(session.exec(select(FactRow.value).where(FactRow.name == name).order_by(col(FactRow.id))))


def missed(loop: Loop, clock: FakeClock) -> int:
    """What a look finds once the search shows all and nothing can be under way any more."""
    clock.move(minutes=5)
    return sum(gap.missed for gap in reconcile(loop, "hubspot", history_of("hubspot", loop.clients, loop.settings, Patience())))


@pytest.mark.parametrize(("plural", "kind", "name"), KINDS, ids=[plural for plural, *_ in KINDS])
def test_what_is_new_and_asks_no_model_is_read_soon(
    loop: Loop, sandbox: Sandbox, player: HubSpotPlayer, clock: FakeClock, plural: str, kind: EntityKind, name: str
) -> None:
    for number in ("7", "8"):
        post(loop, player.created(number, {name: f"N {number}"}, plural))
    clock.move(seconds=10)
    sandbox.fault = lambda _vendor, _path: 500
    enrichments.sweep(loop)
    sandbox.fault = None
    clock.move(minutes=1)
    enrichments.sweep(loop)
    assert sorted(filter(None, known(loop, name))) == ["N 7", "N 8"]
    assert sum(request.path.endswith("batch/read") for request in sandbox.requests) == 1, "both in one call"
    assert missed(loop, clock) == 0
    with loop.database.read() as session:
        assert session.exec(select(EventRow.type)).all() == [f"{kind}.created"] * 2
        assert enrichment_tries.waiting(session) == []


def test_what_is_back_from_the_recycle_bin_is_read_anew(loop: Loop, player: HubSpotPlayer, clock: FakeClock) -> None:
    created, deleted = partial(player.created, "7", {"dealname": "Roof"}, "deals"), partial(player.deleted, "7", "deals")
    for tell in (created, deleted, partial(player.restored, "7", "deals")):
        post(loop, tell())
        clock.move(seconds=10)
        enrichments.sweep(loop)
    assert known(loop, "dealname") == ["Roof", None, "Roof"]
    assert missed(loop, clock) == 0


def test_what_is_gone_before_it_could_be_read_is_asked_about_once(loop: Loop, player: HubSpotPlayer, clock: FakeClock) -> None:
    post(loop, player.created("7", {"dealname": "Roof"}, "deals"))
    player.deleted("7", "deals")
    clock.move(seconds=10)
    enrichments.sweep(loop)
    with loop.database.read() as session:
        assert enrichment_tries.waiting(session) == []
    assert known(loop, "dealname") == []


def test_what_was_read_before_a_change_that_came_meanwhile_is_what_was_before_it(
    loop: Loop, player: HubSpotPlayer, clock: FakeClock
) -> None:
    read_at = clock.now()
    player.created("7", {"dealname": "Roof"}, "deals")
    clock.move(seconds=1)
    post(loop, player.changed("7", {"dealname": "Roof and door"}, "deals"))
    ref = EntityRef(source="hubspot", kind=EntityKind.DEAL, id="7")
    with loop.database.write() as session:
        ids = entities.ensure(session, {ref}, clock.now())
        remember_look_ups(session, [LookedUp(ref, read_at, {"dealname": "Roof"}, frozenset())], ids, clock.now())
    with loop.database.read() as session:
        assert session.exec(select(EventRow.previous)).all() == [{"dealname": "Roof"}]


def test_where_no_crm_is_connected_nothing_waits(make_loop: LoopFactory, player: HubSpotPlayer) -> None:
    loop = make_loop()
    post(loop, player.created("7", {"dealname": "Roof"}, "deals"))
    with loop.database.read() as session:
        assert enrichment_tries.waiting(session) == []
