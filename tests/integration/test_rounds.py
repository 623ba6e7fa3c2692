"""Rounds: what was deleted without a webhook is found once a round, and told once."""

from datetime import timedelta

import pytest
from sqlmodel import select

from automation import rounds
from automation.doctor.here import reconciliation
from automation.jobs import reconcile, worker
from automation.pipeline.context import Loop
from automation.sandbox.habits import Habits
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.delivery import DeliveryState
from data.domain.entity import EntityKind, EntityRef
from data.warehouse import entities
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.erasures import ErasureRow
from data.warehouse.rounds import RoundRow
from tests.conftest import LoopFactory
from tests.rounds import CRMS, PERSONS, a_round, known, last_event, look, put_people, sandbox_at, told, turn
from tests.support import FakeClock

pytestmark = pytest.mark.slow

KINDS = (
    ("hubspot", "companies", EntityKind.COMPANY, "name"),
    ("hubspot", "contacts", EntityKind.CONTACT, "email"),
    ("hubspot", "deals", EntityKind.DEAL, "dealname"),
    ("hubspot", "tickets", EntityKind.TICKET, "subject"),
    ("hubspot", "notes", EntityKind.NOTE, "hs_note_body"),
    ("pipedrive", "organizations", EntityKind.COMPANY, "name"),
    ("pipedrive", "persons", EntityKind.CONTACT, "name"),
    ("pipedrive", "products", EntityKind.PRODUCT, "name"),
    ("pipedrive", "deals", EntityKind.DEAL, "title"),
    ("pipedrive", "activities", EntityKind.ACTIVITY, "subject"),
    ("pipedrive", "notes", EntityKind.NOTE, "content"),
    ("pipedrive", "leads", EntityKind.LEAD, "title"),
)
EACH_KIND = pytest.mark.parametrize(("source", "plural", "kind", "name"), KINDS, ids=[f"{one}-{many}" for one, many, *_ in KINDS])
LEAD_ID = "7d0b3f50-0000-4000-8000-000000000007"


@pytest.fixture
def sandbox(clock: FakeClock) -> Sandbox:
    return sandbox_at(clock)


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    return make_loop(addresses, hubspot_calls_per_10_seconds=10_000, pipedrive_calls_per_2_seconds=10_000)


@EACH_KIND
def test_a_deletion_that_nobody_told_of_is_told_once_and_dated_by_the_crm(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str, plural: str, kind: EntityKind, name: str
) -> None:
    number = LEAD_ID if kind is EntityKind.LEAD else "7"
    sandbox.put(source, plural, number, {name: "before"})
    look(loop, source, clock)
    assert a_round(loop, source, clock) == 0, "it is there"
    deleted_at = clock.now()
    sandbox.archive(source, plural, number)
    assert look(loop, source, clock) == 0, "no list shows it"
    assert a_round(loop, source, clock) == 1
    assert told(loop, source) == [(f"{kind}.created", number), (f"{kind}.deleted", number)]
    assert set(known(loop, source, kind, number).values()) <= {None}, "nothing is known of it any more"
    if kind is not EntityKind.LEAD:  # it is gone at once, and nobody keeps since when
        assert abs(last_event(loop).occurred_at - deleted_at) < timedelta(seconds=2)
    assert a_round(loop, source, clock) == 0, "what is known now makes no event"


def test_the_job_finds_it_and_the_doctor_counts_it(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    put_people(sandbox, "hubspot", 1)
    clock.move(minutes=15)
    reconcile.sweep(loop)
    sandbox.archive("hubspot", "contacts", "1")
    clock.move(hours=25)
    reconcile.sweep(loop)
    assert told(loop, "hubspot") == [("contact.created", "1"), ("contact.deleted", "1")]
    assert "2 missed events found so far" in next(one.said for one in reconciliation(loop) if "hubspot" in one.check)


@pytest.mark.parametrize("source", CRMS)
def test_what_is_deleted_is_written_to_no_more(loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str) -> None:
    sandbox.define_pipedrive_field("persons", "sessions")
    visits = {"hubspot": "hs_analytics_num_visits", "pipedrive": "sessions"}[source]
    sandbox.put(source, PERSONS[source], "1", {"email": "p1@example.com", visits: "3"})
    look(loop, source, clock)
    worker.sweep_inbox(loop)
    sandbox.archive(source, PERSONS[source], "1")
    assert a_round(loop, source, clock) == 1
    with loop.database.read() as session:
        states = {row.state for row in session.exec(select(DeliveryRow)) if row.destination == source}
    assert states == {DeliveryState.SUPERSEDED}


@pytest.mark.parametrize("source", CRMS)
def test_somebody_who_is_nowhere_any_more_is_deleted_here_and_not_erased(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    put_people(sandbox, source, 3)
    look(loop, source, clock)
    sandbox.erase(source, PERSONS[source], "2")
    with caplog.at_level("WARNING"):
        assert a_round(loop, source, clock) == 1
        assert a_round(loop, source, clock) == 0
    assert told(loop, source)[-1] == ("contact.deleted", "2")
    assert last_event(loop).occurred_at <= clock.now() - timedelta(hours=24)
    assert [record.message.count("reconcile.contact.vanished") for record in caplog.records if "vanished" in record.message] == [1]
    with loop.database.read() as session:
        assert session.exec(select(ErasureRow)).all() == [], "nobody has said that the person asked for it"


@pytest.mark.parametrize("source", CRMS)
def test_another_account_s_token_deletes_nobody(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    put_people(sandbox, source, 30)
    look(loop, source, clock)
    for number in range(1, 31):
        sandbox.erase(source, PERSONS[source], str(number))
    with caplog.at_level("WARNING"):
        assert a_round(loop, source, clock) == 0
    assert any("reconcile.round.doubtful" in record.message for record in caplog.records)
    assert {type_ for type_, _ in told(loop, source)} == {"contact.created"}


@pytest.mark.parametrize("source", CRMS)
def test_an_id_that_the_crm_never_gave_holds_up_nobody(loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str) -> None:
    put_people(sandbox, source, 2)
    look(loop, source, clock)
    with loop.database.write() as session:
        entities.ensure(session, [EntityRef(source=source, kind=EntityKind.CONTACT, id="1 by hand")], clock.now())
    sandbox.archive(source, PERSONS[source], "2")
    asked = len(sandbox.requests)
    assert a_round(loop, source, clock) == 1
    assert told(loop, source)[-1] == ("contact.deleted", "2")
    assert {request.status for request in list(sandbox.requests)[asked:]} <= {200, 207}


@pytest.mark.parametrize("source", CRMS)
def test_what_is_in_the_recycle_bin_is_deleted_however_much_it_is(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str
) -> None:
    put_people(sandbox, source, 30)
    look(loop, source, clock)
    for number in range(1, 31):
        sandbox.archive(source, PERSONS[source], str(number))
    assert a_round(loop, source, clock) == 30


def test_a_round_is_spread_over_turns_and_goes_on_where_it_was(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "PAGES", 1)
    put_people(sandbox, "hubspot", 250)
    look(loop, "hubspot", clock)
    clock.move(hours=25)
    asked = []
    for _ in range(6):
        before = len(sandbox.requests)
        turn(loop, "hubspot")
        asked.append(sum(request.path.endswith("/contacts/batch/read") for request in list(sandbox.requests)[before:]))
    assert asked == [1, 1, 1, 0, 0, 0]
    with loop.database.read() as session:
        row = session.get_one(RoundRow, ("hubspot", "contact"))
    assert (row.records, row.after) == (250, None)


@pytest.mark.parametrize("source", CRMS)
def test_a_vendor_in_a_bad_mood_loses_nothing_and_invents_nothing(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str
) -> None:
    put_people(sandbox, source, 120)
    look(loop, source, clock)
    gone = [str(number) for number in range(1, 121, 8)]
    for number in gone:
        sandbox.archive(source, PERSONS[source], number)
    sandbox.set_habits(Habits(seed=1, server_error=0.3, too_many=0.2, bad_gateway=0.1, partial=0.2))
    for _ in range(4):
        a_round(loop, source, clock)
    sandbox.set_habits(Habits())
    a_round(loop, source, clock)
    assert sorted(number for type_, number in told(loop, source) if type_ == "contact.deleted") == sorted(gone)


@pytest.mark.parametrize("source", CRMS)
def test_a_kind_that_is_refused_is_not_asked_for(loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str) -> None:
    put_people(sandbox, source, 2)
    look(loop, source, clock)
    sandbox.unscoped.add((source, PERSONS[source]))
    assert look(loop, source, clock) == 0
    assert a_round(loop, source, clock) == 0
    assert {type_ for type_, _ in told(loop, source)} == {"contact.created"}


def test_without_hours_there_are_no_rounds(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses, reconcile_round_hours=0)
    put_people(sandbox, "hubspot", 1)
    look(loop, "hubspot", clock)
    sandbox.archive("hubspot", "contacts", "1")
    assert a_round(loop, "hubspot", clock) == 0
