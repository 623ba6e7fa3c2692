"""A CRM's past comes in whole, with histories and links; a kill costs a page, a second run changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from automation.backfill import PATIENCE_SECONDS, Done, backfill
from automation.clients.histories import history_of
from automation.clients.history import Patience
from automation.clients.pace import SharedPace
from automation.clients.registry import build_clients
from automation.pipeline.context import Loop
from automation.sandbox.habits import Habits
from automation.sandbox.limits import Window
from automation.sandbox.server import Addresses, running
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind, EntityRef
from data.domain.fact import Fact
from data.warehouse import entities, facts
from data.warehouse.entities import EntityRow
from data.warehouse.outcomes import OutcomeRow
from tests.conftest import LoopFactory
from tests.support import FakeClock

pytestmark = pytest.mark.slow

JANUARY = datetime(2026, 1, 5, 9, tzinfo=UTC)
PEOPLE = 60  # more than a page
# Whatever a vendor does wrong, often; none of it may cost a record.
BAD = Habits(
    seed=3, partial=0.2, server_error=0.1, bad_gateway=0.05, too_many=0.1, too_many_unsaid=0.05, drop_before=0.05, drop_after=0.05
)


def hubspot_past(box: Sandbox) -> None:
    box.define_hubspot_property("contacts", "shoe_size")
    box.put("hubspot", "companies", "1", {"name": "Acme", "domain": "acme.example"}, at=JANUARY)
    for number in range(1, PEOPLE + 1):
        box.put("hubspot", "contacts", str(number), {"email": f"p{number}@acme.example", "shoe_size": "38"}, at=JANUARY)
        box.put("hubspot", "contacts", str(number), {"shoe_size": "39"}, at=JANUARY + timedelta(days=1))
        box.link(("contacts", str(number)), ("companies", "1"))
    for day, stage in enumerate(("appointmentscheduled", "contractsent", "closedwon")):
        box.put(
            "hubspot", "deals", "5", {"dealname": "Big", "amount": "1200", "dealstage": stage}, at=JANUARY + timedelta(days=day)
        )
    box.link(("deals", "5"), ("contacts", "7"))
    box.put("hubspot", "notes", "9", {"hs_note_body": "wants a demo", "hs_timestamp": "2026-01-06T10:00:00Z"}, at=JANUARY)
    box.link(("notes", "9"), ("contacts", "7"))


def pipedrive_past(box: Sandbox) -> None:
    box.define_pipedrive_field("persons", "shoe_size")
    box.put("pipedrive", "organizations", "1", {"name": "Acme"}, at=JANUARY)
    for number in range(1, PEOPLE + 1):
        person = {"name": f"P {number}", "email": f"p{number}@acme.example", "shoe_size": "38", "org_id": 1}
        box.put("pipedrive", "persons", str(number), person, at=JANUARY)
        box.put("pipedrive", "persons", str(number), {"shoe_size": "39"}, at=JANUARY + timedelta(days=1))
    deal: dict[str, Any] = {"title": "Big", "value": 1200, "currency": "EUR", "stage_id": 1, "status": "open", "person_id": 7}
    box.put("pipedrive", "deals", "5", deal, at=JANUARY)
    box.put("pipedrive", "deals", "5", {"stage_id": 4}, at=JANUARY + timedelta(days=1))
    box.put("pipedrive", "deals", "5", {"status": "won"}, at=JANUARY + timedelta(days=2))
    box.take_part("5", "8")
    box.put("pipedrive", "notes", "9", {"content": "wants a demo", "person_id": 7}, at=JANUARY)


@dataclass(frozen=True)
class Told:
    """One CRM's past, and how its words for the same things read."""

    source: str
    play: Callable[[Sandbox], None]
    stage: str
    stages: tuple[str, ...]


CRMS = (
    Told("hubspot", hubspot_past, "dealstage", ("appointmentscheduled", "contractsent", "closedwon")),
    Told("pipedrive", pipedrive_past, "stage_id", ("1", "4")),
)


K = EntityKind
HUBSPOT, PIPEDRIVE = CRMS
WHEN = {"hs_timestamp": "2026-01-06T10:00:00Z"}
LEAD_ID = "7d0b3f50-0000-4000-8000-000000000001"
# The kinds that no past above has: what one of each is put in with, and what is known of it in the end.
OTHERS: tuple[tuple[Told, str, EntityKind, dict[str, Any], dict[str, str]], ...] = (
    (HUBSPOT, "leads", K.LEAD, {"hs_lead_name": "Roof", "hs_pipeline_stage": "new"}, {"hs_lead_name": "Roof"}),
    (HUBSPOT, "tickets", K.TICKET, {"subject": "Leaks", "hs_ticket_priority": "HIGH"}, {"hs_ticket_priority": "HIGH"}),
    (HUBSPOT, "products", K.PRODUCT, {"name": "Slate", "price": "9.5"}, {"name": "Slate", "price": "9.5"}),
    (HUBSPOT, "calls", K.CALL, {"hs_call_body": "wants a demo", **WHEN}, {"hs_call_body": "wants a demo"}),
    (HUBSPOT, "meetings", K.MEETING, {"hs_meeting_title": "Demo", **WHEN}, {"hs_meeting_title": "Demo"}),
    (HUBSPOT, "emails", K.EMAIL, {"hs_email_subject": "Offer", **WHEN}, {"hs_email_subject": "Offer"}),
    (HUBSPOT, "tasks", K.TASK, {"hs_task_subject": "Call back", **WHEN}, {"hs_task_subject": "Call back"}),
    (PIPEDRIVE, "leads", K.LEAD, {"title": "Roof", "value": {"amount": 900, "currency": "EUR"}, "person_id": 7},
     {"title": "Roof", "value": "900", "currency": "EUR"}),
    (PIPEDRIVE, "activities", K.ACTIVITY, {"subject": "Call", "type": "call", "person_id": 7}, {"subject": "Call", "type": "call"}),
    (PIPEDRIVE, "products", K.PRODUCT, {"name": "Slate", "code": "S-1"}, {"name": "Slate", "code": "S-1"}),
    (PIPEDRIVE, "users", K.USER, {"name": "Kim", "email": "kim@customer.example"}, {"name": "Kim"}),
    (PIPEDRIVE, "pipelines", K.PIPELINE, {"name": "Renewals"}, {"name": "Renewals"}),
    (PIPEDRIVE, "stages", K.STAGE, {"name": "Trial", "pipeline_id": 1}, {"name": "Trial", "pipeline_id": "1"}),
)  # fmt: skip
OF_NOBODY = {K.PRODUCT, K.USER, K.PIPELINE, K.STAGE}


@pytest.fixture(params=CRMS, ids=lambda told: told.source)
def told(request: pytest.FixtureRequest) -> Told:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock, told: Told) -> Loop:
    told.play(sandbox)
    clock.follow_the_machine()
    # A limit that is not met: what is tested here is not the pace.
    return make_loop(addresses, model=False, hubspot_calls_per_10_seconds=10_000, pipedrive_calls_per_2_seconds=10_000)


def read_all(loop: Loop, source: str, progress: Callable[..., None] = lambda *_: None) -> list[Done]:
    patience = Patience(tries=12, sleep=lambda _seconds: None)
    return backfill(loop, source, history_of(source, loop.clients, loop.settings, patience), progress=progress)


def facts_of(loop: Loop, source: str, kind: EntityKind, number: str) -> list[Fact]:
    with loop.database.read() as session:
        row = entities.find(session, EntityRef(source=source, kind=kind, id=number))
        assert row is not None
        assert row.id is not None
        return sorted(facts.of_entities(session, [row.id])[row.id], key=lambda fact: fact.occurred_at)


def everything(loop: Loop) -> set[tuple[str, str, str, str | None, datetime]]:
    """All that is known, apart from when it was read."""
    with loop.database.read() as session:
        rows = {row.id: row for row in session.exec(select(EntityRow))}
        found = facts.of_entities(session, [number for number in rows if number is not None])
    return {
        (rows[number].kind, rows[number].vendor_id, fact.name, fact.value, fact.occurred_at)
        for number, told in found.items()
        for fact in told
    }


def test_everything_arrives_with_its_history_and_links(loop: Loop, told: Told) -> None:
    done = {each.kind: each for each in read_all(loop, told.source)}
    assert done[EntityKind.CONTACT].records == PEOPLE
    assert not [each for each in done.values() if each.refused]
    sizes = [(f.value, f.occurred_at) for f in facts_of(loop, told.source, EntityKind.CONTACT, "60") if f.name == "shoe_size"]
    assert sizes == [("38", JANUARY), ("39", JANUARY + timedelta(days=1))]
    deal = facts_of(loop, told.source, EntityKind.DEAL, "5")
    stages = [(f.value, f.occurred_at) for f in deal if f.name == told.stage]
    assert stages == [(stage, JANUARY + timedelta(days=day)) for day, stage in enumerate(told.stages)]
    with loop.database.read() as session:
        owner = entities.find(session, EntityRef(source=told.source, kind=EntityKind.CONTACT, id="7"))
        assert owner is not None
        assert owner.id in {fact.target_id for fact in deal}
        (outcome,) = session.exec(select(OutcomeRow))
    assert (outcome.result, outcome.occurred_at) == ("won", JANUARY + timedelta(days=2))
    assert [fact for fact in facts_of(loop, told.source, EntityKind.NOTE, "9") if fact.target_id == owner.id]


@pytest.mark.parametrize(
    ("told", "plural", "kind", "values", "known"),
    OTHERS,
    ids=[f"{told.source}-{plural}" for told, plural, *_ in OTHERS],
    indirect=["told"],
)
def test_every_other_kind_arrives_too(
    loop: Loop, told: Told, sandbox: Sandbox, plural: str, kind: EntityKind, values: dict[str, Any], known: dict[str, str]
) -> None:
    number = LEAD_ID if (told, kind) == (PIPEDRIVE, K.LEAD) else "77"
    sandbox.put(told.source, plural, number, values, at=JANUARY)
    if told is HUBSPOT and kind not in OF_NOBODY:
        sandbox.link((plural, number), ("contacts", "7"))
    done = {each.kind: each for each in read_all(loop, told.source)}
    assert (done[kind].records, done[kind].refused) == (len(sandbox.records(told.source, plural)), None)
    found = facts_of(loop, told.source, kind, number)
    assert {name: {f.value for f in found if f.name == name} for name in known} == {name: {known[name]} for name in known}
    assert {f.occurred_at for f in found if f.name in known} == {JANUARY}
    with loop.database.read() as session:
        contact = entities.find(session, EntityRef(source=told.source, kind=K.CONTACT, id="7"))
    assert contact is not None
    assert (contact.id in {f.target_id for f in found}) is (kind not in OF_NOBODY)


@pytest.mark.parametrize("told", [HUBSPOT], ids=["hubspot"], indirect=True)
def test_what_was_done_for_a_lead_or_a_ticket_belongs_to_it(loop: Loop, told: Told, sandbox: Sandbox) -> None:
    sandbox.put("hubspot", "leads", "77", {"hs_lead_name": "Roof"}, at=JANUARY)
    sandbox.put("hubspot", "tickets", "78", {"subject": "Leak"}, at=JANUARY)
    for plural in ("leads", "tickets"):
        sandbox.link(("notes", "9"), (plural, "77" if plural == "leads" else "78"))
    read_all(loop, told.source)
    with loop.database.read() as session:
        rows = {kind: entities.find(session, EntityRef(source="hubspot", kind=kind, id=number))
                for kind, number in ((K.LEAD, "77"), (K.TICKET, "78"))}  # fmt: skip
    targets = {fact.target_id for fact in facts_of(loop, told.source, K.NOTE, "9")}
    assert {kind for kind, row in rows.items() if row is not None and row.id in targets} == {K.LEAD, K.TICKET}


def test_a_second_run_changes_nothing(loop: Loop, told: Told) -> None:
    read_all(loop, told.source)
    before = everything(loop)
    again = read_all(loop, told.source)
    assert sum(each.facts for each in again) == 0
    assert everything(loop) == before


def test_who_is_killed_goes_on_where_it_was(loop: Loop, told: Told, sandbox: Sandbox) -> None:
    pages = 0

    def killed(kind: EntityKind, _done: int, _total: int | None) -> None:
        nonlocal pages
        pages += kind is EntityKind.CONTACT
        if pages == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_all(loop, told.source, killed)
    asked = len(sandbox.requests)
    done = {each.kind: each for each in read_all(loop, told.source)}
    again = [request.path for request in list(sandbox.requests)[asked:]]
    assert not [path for path in again if path.endswith(("/objects/companies", "/v2/organizations"))], (
        "what was read is not read again"
    )
    assert done[EntityKind.CONTACT].records == PEOPLE
    whole = everything(loop)
    assert sum(each.facts for each in read_all(loop, told.source)) == 0
    assert everything(loop) == whole


def test_no_bad_habit_costs_a_record(loop: Loop, told: Told, sandbox: Sandbox) -> None:
    sandbox.set_habits(BAD)
    done = {each.kind: each for each in read_all(loop, told.source)}
    assert done[EntityKind.CONTACT].records == PEOPLE
    sandbox.set_habits(Habits())
    assert sum(each.facts for each in read_all(loop, told.source)) == 0, "nothing was left out"


@pytest.mark.parametrize("told", CRMS[1:], ids=lambda told: told.source, indirect=True)
def test_what_was_put_into_the_archive_arrives_too(loop: Loop, told: Told, sandbox: Sandbox) -> None:
    later = JANUARY + timedelta(days=1)
    for number in range(101, 301):  # more than a page
        sandbox.put(
            "pipedrive", "deals", str(number), {"title": "Small", "status": "open", "is_archived": number > 150}, at=JANUARY
        )
    sandbox.put("pipedrive", "deals", "300", {"status": "lost"}, at=later)
    for number in ("live", "put-aside"):
        sandbox.put("pipedrive", "leads", number, {"title": "Roof", "is_archived": number != "live"}, at=JANUARY)
    done = {each.kind: each for each in read_all(loop, told.source)}
    assert (done[EntityKind.DEAL].records, done[EntityKind.LEAD].records) == (201, 2)
    statuses = [(f.value, f.occurred_at) for f in facts_of(loop, told.source, EntityKind.DEAL, "300") if f.name == "status"]
    assert statuses == [("open", JANUARY), ("lost", later)]
    assert ("is_archived", "true") in {(f.name, f.value) for f in facts_of(loop, told.source, EntityKind.LEAD, "put-aside")}
    with loop.database.read() as session:
        assert {(row.result, row.occurred_at) for row in session.exec(select(OutcomeRow))} >= {("lost", later)}
    read = loop.clients.crms["pipedrive"].read(EntityKind.DEAL, ["5", "300", "999"], ())
    assert read.keys() == {"5", "300"}, "who looks a deal up finds it in the archive"


def test_what_the_token_may_not_read_is_named_and_left_out(loop: Loop, told: Told, sandbox: Sandbox) -> None:
    sandbox.fault = lambda _vendor, path: 403 if path.endswith(("/api/v2/{kind}", "/objects/{kind}")) else None
    refused = {each.kind: each.refused for each in read_all(loop, told.source) if each.refused}
    assert {EntityKind.CONTACT, EntityKind.DEAL} <= refused.keys()
    assert "403" in str(refused[EntityKind.DEAL])


@pytest.mark.parametrize("told", CRMS[1:], ids=lambda told: told.source, indirect=True)
def test_a_record_that_is_deleted_while_it_is_read_loses_its_history_and_no_other_does(
    loop: Loop, told: Told, sandbox: Sandbox
) -> None:
    def deleted(_vendor: str, path: str) -> None:
        if path.endswith("/changelog") and any(request.path.endswith("/persons") for request in sandbox.requests):
            sandbox.archive("pipedrive", "persons", "30")

    sandbox.fault = deleted  # type: ignore[assignment]
    done = {each.kind: each for each in read_all(loop, told.source)}
    assert (done[EntityKind.CONTACT].records, done[EntityKind.CONTACT].refused) == (PEOPLE, None)
    sizes = {
        number: [f.value for f in facts_of(loop, told.source, EntityKind.CONTACT, number) if f.name == "shoe_size"]
        for number in ("29", "30", "31", "60")
    }
    assert sizes == {"29": ["38", "39"], "30": ["39"], "31": ["38", "39"], "60": ["38", "39"]}


def test_it_keeps_to_the_vendors_limits(make_loop: LoopFactory, clock: FakeClock, tmp_path: Path, told: Told) -> None:
    tokens = {"hubspot_token": "hubspot-token", "pipedrive_token": "pipedrive-token", "slack_token": "slack-token"}
    limits = Habits(hubspot_limits=True, pipedrive_limits=True)
    box = Sandbox(**tokens, channels=("sales",), habits=limits, now=clock.now)
    box.pipedrive_account.window = Window(20, 2)  # the smallest plan's
    told.play(box)
    begun = clock.now()
    with running(box, tmp_path / "limits") as addresses:
        bare = make_loop(addresses, model=False)
        pace = SharedPace(bare.database, clock, PATIENCE_SECONDS, lambda seconds: clock.move(seconds=seconds))
        loop = replace(bare, clients=build_clients(bare.settings, pace))
        done = {each.kind: each for each in read_all(loop, told.source)}
    assert (done[K.CONTACT].records, [each for each in done.values() if each.refused]) == (PEOPLE, [])
    assert 429 not in {request.status for request in box.requests}
    assert clock.now() > begun, "so many calls that some had to wait"
