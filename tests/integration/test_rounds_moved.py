"""Merges, restorations and links of which no webhook has told."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlmodel import select

from automation.erasure import run
from automation.pipeline.context import Loop
from automation.sandbox.habits import Habits
from automation.sandbox.player import HubSpotPlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind, EntityRef
from data.warehouse import entities
from data.warehouse.entities import EntityRow
from data.warehouse.erasures import Origin
from data.warehouse.payloads import Payload
from tests.ada import ADA
from tests.conftest import LoopFactory
from tests.rounds import CRMS, PERSONS, a_round, events_of, known, last_event, look, player_of, put_people, sandbox_at, told, turn
from tests.support import FakeClock

pytestmark = pytest.mark.slow

ADDRESS = {"hubspot": "email", "pipedrive": "emails"}


@pytest.fixture
def sandbox(clock: FakeClock) -> Sandbox:
    return sandbox_at(clock)


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    return make_loop(addresses, hubspot_calls_per_10_seconds=10_000, pipedrive_calls_per_2_seconds=10_000)


@pytest.mark.parametrize("plural", ["contacts", "companies", "deals", "tickets"])
def test_a_merge_that_nobody_told_of_is_found_by_the_record_that_stays(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, plural: str
) -> None:
    for number in ("7", "8", "9"):
        sandbox.put("hubspot", plural, number, {"hubspot_owner_id": "501"})
    look(loop, "hubspot", clock)
    clock.move(hours=1)
    sandbox.merge("hubspot", plural, "9", ["7", "8"])
    kind = {"contacts": "contact", "companies": "company", "deals": "deal", "tickets": "ticket"}[plural]
    assert look(loop, "hubspot", clock) == 1
    event = next(event for event in events_of(loop) if event.type == f"{kind}.merged")
    assert sorted(target["id"] for target in event.targets) == ["7", "8"]
    with loop.database.read() as session:
        rows = {row.vendor_id: row for row in session.exec(select(EntityRow))}
    assert rows["7"].merged_into_id == rows["8"].merged_into_id == rows["9"].id
    assert look(loop, "hubspot", clock) == 0
    assert a_round(loop, "hubspot", clock) == 0


def test_a_merge_into_a_new_record_is_found(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    put_people(sandbox, "hubspot", 2)
    look(loop, "hubspot", clock)
    sandbox.put("hubspot", "contacts", "900", {"email": "p1@example.com"})
    sandbox.merge("hubspot", "contacts", "900", ["1", "2"])
    look(loop, "hubspot", clock)
    assert {type_ for type_, number in told(loop, "hubspot") if number == "900"} == {"contact.merged", "contact.created"}


def test_a_merge_of_before_the_last_look_is_found_by_the_round(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    put_people(sandbox, "hubspot", 3)
    look(loop, "hubspot", clock)
    merged_at = clock.now()
    sandbox.merge("hubspot", "contacts", "3", ["1"])
    assert a_round(loop, "hubspot", clock) == 1
    event = last_event(loop)
    assert (event.type, event.targets) == ("contact.merged", [{"kind": "contact", "id": "1"}])
    assert abs(event.occurred_at - merged_at) < timedelta(seconds=2), "contacts say when"
    assert a_round(loop, "hubspot", clock) == 0


def test_one_that_was_merged_away_in_pipedrive_counts_as_deleted(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    put_people(sandbox, "pipedrive", 2)
    look(loop, "pipedrive", clock)
    sandbox.merge("pipedrive", "persons", "2", ["1"])
    assert a_round(loop, "pipedrive", clock) == 1
    assert told(loop, "pipedrive")[-1] == ("contact.deleted", "1")


@pytest.mark.parametrize("source", CRMS)
def test_a_restoration_that_nobody_told_of_is_found_with_what_it_has(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str], source: str
) -> None:
    player = player_of(source, loop, sandbox, running_app)
    put_people(sandbox, source, 1)
    look(loop, source, clock)
    player.deliver(player.deleted("1", PERSONS[source]))
    clock.move(hours=1)
    sandbox.restore(source, PERSONS[source], "1")
    assert look(loop, source, clock) == 1
    assert told(loop, source)[-1] == ("contact.restored", "1")
    assert known(loop, source, EntityKind.CONTACT, "1")[ADDRESS[source]] == "p1@example.com"
    assert look(loop, source, clock) == 0
    assert a_round(loop, source, clock) == 0


@pytest.mark.parametrize("source", CRMS)
def test_a_restoration_that_moves_no_date_is_found_by_the_round(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str], source: str
) -> None:
    player = player_of(source, loop, sandbox, running_app)
    put_people(sandbox, source, 1)
    look(loop, source, clock)
    player.deliver(player.deleted("1", PERSONS[source]))
    sandbox.restore(source, PERSONS[source], "1")
    assert a_round(loop, source, clock) == 1
    assert told(loop, source)[-1] == ("contact.restored", "1")


@pytest.mark.parametrize("source", CRMS)
def test_what_went_after_it_was_back_is_gone_though_the_webhook_that_it_is_back_was_dated_ahead(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str], source: str
) -> None:
    player = player_of(source, loop, sandbox, running_app)
    put_people(sandbox, source, 1)
    look(loop, source, clock)
    player.deliver(player.deleted("1", PERSONS[source]))
    sandbox.set_habits(Habits(clock_skew_seconds=90))
    clock.move(minutes=5)
    player.deliver(player.restored("1", PERSONS[source]))
    clock.move(seconds=30)
    player.deleted("1", PERSONS[source])  # nobody hears of it
    assert a_round(loop, source, clock) == 1
    with loop.database.read() as session:
        row = entities.find(session, EntityRef(source=source, kind=EntityKind.CONTACT, id="1"))
    assert row is not None
    assert row.is_deleted
    assert a_round(loop, source, clock) == 0


@pytest.mark.parametrize("source", CRMS)
def test_what_webhooks_told_a_round_tells_no_more(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str], source: str
) -> None:
    player = player_of(source, loop, sandbox, running_app)
    put_people(sandbox, source, 4)
    look(loop, source, clock)
    player.deliver(player.deleted("1", PERSONS[source]))
    for message in [player.merged("2", ["3"])] if isinstance(player, HubSpotPlayer) else player.merged("2", "3"):
        player.deliver(message)
    before = told(loop, source)
    assert a_round(loop, source, clock) == 0
    assert told(loop, source) == before


@pytest.mark.parametrize("plural", ["users", "pipelines", "stages"])
def test_users_that_were_switched_off_and_pipelines_and_stages_that_went_are_found(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, plural: str
) -> None:
    for number in ("7", "8"):
        sandbox.put("pipedrive", plural, number, {"name": f"N {number}"})
    assert look(loop, "pipedrive", clock) == 2
    sandbox.archive("pipedrive", plural, "7")
    assert look(loop, "pipedrive", clock) == 0
    before = len(sandbox.requests)
    assert a_round(loop, "pipedrive", clock) == 1
    assert sum(plural in request.path for request in list(sandbox.requests)[before:]) <= 2, "the list, and one that is not in it"
    kind = plural.removesuffix("s")
    assert told(loop, "pipedrive")[-1] == (f"{kind}.deleted", "7")
    assert last_event(loop).occurred_at < clock.now() - timedelta(hours=24), "when it happened"
    sandbox.restore("pipedrive", plural, "7")
    assert look(loop, "pipedrive", clock) == 1
    assert told(loop, "pipedrive")[-1] == (f"{kind}.created", "7")
    assert a_round(loop, "pipedrive", clock) == look(loop, "pipedrive", clock) == 0


def test_links_that_nobody_told_of_are_found_and_ended(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    sandbox.put("hubspot", "contacts", "1", {"email": "p1@example.com"})
    sandbox.put("hubspot", "contacts", "2", {"email": "p2@example.com"})
    sandbox.put("hubspot", "companies", "3", {"name": "Acme"})
    sandbox.put("hubspot", "deals", "4", {"dealname": "Roof"})
    look(loop, "hubspot", clock)
    sandbox.link(("deals", "4"), ("contacts", "1"))
    sandbox.link(("deals", "4"), ("companies", "3"))
    sandbox.link(("contacts", "2"), ("companies", "3"))
    assert a_round(loop, "hubspot", clock) == 3
    assert known(loop, "hubspot", EntityKind.DEAL, "4")["link:contact:1"] == "true"
    assert known(loop, "hubspot", EntityKind.COMPANY, "3")["link:contact:2"] == "true", "from both sides"
    sandbox.unlink(("deals", "4"), ("contacts", "1"))
    sandbox.link(("deals", "4"), ("contacts", "2"))
    assert a_round(loop, "hubspot", clock) == 2
    links = {name: value for name, value in known(loop, "hubspot", EntityKind.DEAL, "4").items() if name.startswith("link:contact")}
    assert links == {"link:contact:1": None, "link:contact:2": "true"}
    assert a_round(loop, "hubspot", clock) == 0


@pytest.mark.parametrize(("plural", "kind"), [("leads", EntityKind.LEAD), ("tickets", EntityKind.TICKET)])
def test_links_of_leads_and_tickets_are_found_too(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, plural: str, kind: EntityKind
) -> None:
    put_people(sandbox, "hubspot", 1)
    sandbox.put("hubspot", plural, "4", {"hubspot_owner_id": "501"})
    look(loop, "hubspot", clock)
    sandbox.link((plural, "4"), ("contacts", "1"))
    assert a_round(loop, "hubspot", clock) == 1
    assert known(loop, "hubspot", EntityKind.CONTACT, "1")[f"link:{kind}:4"] == "true"
    sandbox.unlink((plural, "4"), ("contacts", "1"))
    assert a_round(loop, "hubspot", clock) == 1
    assert known(loop, "hubspot", kind, "4")["link:contact:1"] is None
    assert a_round(loop, "hubspot", clock) == 0


@pytest.mark.parametrize("plural", ["notes", "calls", "emails", "meetings", "tasks", "tickets", "leads", "deals"])
def test_whom_something_new_belongs_to_is_found_with_it(loop: Loop, sandbox: Sandbox, clock: FakeClock, plural: str) -> None:
    put_people(sandbox, "hubspot", 1)
    sandbox.put("hubspot", "companies", "3", {"name": "Acme"})
    look(loop, "hubspot", clock)
    sandbox.put("hubspot", plural, "4", {"hubspot_owner_id": "501"})
    sandbox.link((plural, "4"), ("contacts", "1"))
    sandbox.link((plural, "4"), ("companies", "3"))
    assert look(loop, "hubspot", clock) == 3
    assert known(loop, "hubspot", EntityKind.CONTACT, "1")[f"link:{plural.removesuffix('s')}:4"] == "true"
    assert look(loop, "hubspot", clock) == 0


def test_links_that_the_token_may_not_read_are_not_ended(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    sandbox.put("hubspot", "contacts", "1", {"email": "p1@example.com"})
    sandbox.put("hubspot", "companies", "3", {"name": "Acme"})
    look(loop, "hubspot", clock)
    sandbox.link(("contacts", "1"), ("companies", "3"))
    assert a_round(loop, "hubspot", clock) == 1
    sandbox.fault = lambda _vendor, path: 403 if "associations" in path else None
    assert a_round(loop, "hubspot", clock) == 0
    assert known(loop, "hubspot", EntityKind.CONTACT, "1")["link:company:3"] == "true"


def test_a_link_that_a_webhook_has_just_told_is_not_held_against_an_older_answer(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str]
) -> None:
    player = player_of("hubspot", loop, sandbox, running_app)
    put_people(sandbox, "hubspot", 1)
    sandbox.put("hubspot", "companies", "3", {"name": "Acme"})
    look(loop, "hubspot", clock)
    clock.move(hours=25)
    events = player.associated(("contacts", "1"), ("companies", "3"))
    sandbox.unlink(("contacts", "1"), ("companies", "3"))  # of which nothing has come yet
    player.deliver(events)
    assert turn(loop, "hubspot") == 0


def test_a_kind_that_nobody_brings_back_by_name_is_made_anew(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    sandbox.put("pipedrive", "activities", "7", {"subject": "Call"})
    look(loop, "pipedrive", clock)
    sandbox.archive("pipedrive", "activities", "7")
    a_round(loop, "pipedrive", clock)
    sandbox.restore("pipedrive", "activities", "7")
    assert look(loop, "pipedrive", clock) == 1
    assert told(loop, "pipedrive")[-1] == ("activity.created", "7")
    assert look(loop, "pipedrive", clock) == 0


def test_a_round_does_not_bring_back_whoever_was_erased(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    """The CRM may have the record still, and what it is linked with tells of it every day."""
    sandbox.put("hubspot", "contacts", "90101", {"email": ADA})
    sandbox.put("hubspot", "deals", "4", {"dealname": "Roof"})
    sandbox.link(("deals", "4"), ("contacts", "90101"))
    look(loop, "hubspot", clock)
    assert run.erase(loop, run.ask(loop, ADA, Origin.COMMAND)).left == ()
    for _ in range(2):
        assert a_round(loop, "hubspot", clock) == 0
    with loop.database.read() as session:
        assert list(session.exec(select(EntityRow.vendor_id).where(EntityRow.kind == "contact"))) == []
        assert not any(b"90101" in payload.body for payload in session.exec(select(Payload)))
