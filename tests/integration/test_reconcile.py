"""What no webhook told is found, told once, and scored; what is known makes no event."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlmodel import col, select

from automation.clients.histories import history_of
from automation.clients.history import Patience
from automation.jobs import worker
from automation.jobs.schedule import Job
from automation.jobs.scheduler import _guarded
from automation.pipeline.context import Loop
from automation.reconcile import Gap, reconcile
from automation.sandbox.habits import Habits
from automation.sandbox.player import HubSpotPlayer, PipedrivePlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind
from data.domain.event import Driver
from data.warehouse import payloads, reconciliations
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.payloads import Payload, PayloadState
from data.warehouse.predictions import PredictionRow
from tests.conftest import LoopFactory
from tests.support import FakeClock

pytestmark = pytest.mark.slow

LATER = timedelta(minutes=5)
KINDS = {"hubspot": "contacts", "pipedrive": "persons"}
FIELDS = ("sessions", "engaged_sessions", "page_views", "channel", "is_first_visit")
CRMS = tuple(KINDS)
REFUSED = {"hubspot": ("tickets", EntityKind.TICKET), "pipedrive": ("products", EntityKind.PRODUCT)}
OTHERS = (
    ("hubspot", "companies", EntityKind.COMPANY, "name"),
    ("hubspot", "deals", EntityKind.DEAL, "dealname"),
    ("hubspot", "leads", EntityKind.LEAD, "hs_lead_name"),
    ("hubspot", "tickets", EntityKind.TICKET, "subject"),
    ("hubspot", "notes", EntityKind.NOTE, "hs_note_body"),
    ("hubspot", "calls", EntityKind.CALL, "hs_call_body"),
    ("hubspot", "meetings", EntityKind.MEETING, "hs_meeting_title"),
    ("hubspot", "emails", EntityKind.EMAIL, "hs_email_subject"),
    ("hubspot", "tasks", EntityKind.TASK, "hs_task_subject"),
    ("hubspot", "products", EntityKind.PRODUCT, "name"),
    ("pipedrive", "organizations", EntityKind.COMPANY, "name"),
    ("pipedrive", "products", EntityKind.PRODUCT, "name"),
    ("pipedrive", "deals", EntityKind.DEAL, "title"),
    ("pipedrive", "activities", EntityKind.ACTIVITY, "subject"),
    ("pipedrive", "users", EntityKind.USER, "name"),
    ("pipedrive", "pipelines", EntityKind.PIPELINE, "name"),
    ("pipedrive", "stages", EntityKind.STAGE, "name"),
)
WHOLE = {"engaged_sessions": 1, "page_views": 3, "channel": "direct", "is_first_visit": False}
PATIENCE = Patience(tries=12, sleep=lambda _seconds: None)


@pytest.fixture
def sandbox(clock: FakeClock) -> Sandbox:
    """The vendors share the test's clock: what changed since when is what this is about."""
    tokens = {"hubspot_token": "hubspot-token", "pipedrive_token": "pipedrive-token", "slack_token": "slack-token"}
    return Sandbox(**tokens, channels=("sales",), now=clock.now)


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    for name in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
        sandbox.define_pipedrive_field("persons", name)
    return make_loop(addresses, hubspot_calls_per_10_seconds=10_000, pipedrive_calls_per_2_seconds=10_000)


def person(source: str, number: str, **changed: Any) -> dict[str, Any]:
    if source == "pipedrive":
        return {"name": f"P {number}", "email": f"p{number}@example.com", "sessions": 3, **changed}
    return {"email": f"p{number}@example.com", "hs_analytics_num_visits": "3", **changed}


def look(loop: Loop, source: str, clock: FakeClock) -> list[Gap]:
    """A look once the search shows all and nothing can be under way any more."""
    clock.move(minutes=LATER.total_seconds() / 60)
    return reconcile(loop, source, history_of(source, loop.clients, loop.settings, PATIENCE))


def missed(gaps: list[Gap]) -> int:
    return sum(gap.missed for gap in gaps)


def told(loop: Loop, source: str) -> list[tuple[str, str]]:
    """Type and id of every event of a CRM, in the order in which they happened."""
    with loop.database.read() as session:
        query = select(EventRow.type, EntityRow.vendor_id).join(EntityRow, col(EntityRow.id) == EventRow.entity_id)
        rows = session.exec(query.where(EventRow.source == source).order_by(col(EventRow.occurred_at), col(EventRow.id)))
        return [(type_, number) for type_, number in rows]


@pytest.mark.parametrize("source", CRMS)
def test_a_record_that_nobody_told_of_is_told_once_and_scored(loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str) -> None:
    sandbox.put(source, KINDS[source], "41", person(source, "41"))
    gaps = look(loop, source, clock)
    assert [(gap.kind, gap.missed) for gap in gaps if gap.missed] == [(EntityKind.CONTACT, 1)]
    assert told(loop, source) == [("contact.created", "41")]
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        assert len(session.exec(select(PredictionRow)).all()) == 1
    assert missed(look(loop, source, clock)) == 0, "what is known now makes no event"
    with loop.database.read() as session:
        row = next(row for row in reconciliations.every(session) if (row.source, row.kind) == (source, "contact"))
    assert (row.missed, row.missed_ever) == (0, 1)


@pytest.mark.parametrize(("source", "plural", "kind", "name"), OTHERS, ids=[f"{source}-{plural}" for source, plural, *_ in OTHERS])
def test_every_other_kind_is_looked_at_too(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str, plural: str, kind: EntityKind, name: str
) -> None:
    sandbox.put(source, plural, "7", {name: "before"})
    assert [(gap.kind, gap.missed) for gap in look(loop, source, clock) if gap.missed] == [(kind, 1)]
    clock.move(hours=1)
    sandbox.put(source, plural, "7", {name: "after"})
    assert [(gap.kind, gap.missed) for gap in look(loop, source, clock) if gap.missed] == [(kind, 1)]
    assert told(loop, source) == [(f"{kind}.created", "7"), (f"{kind}.changed", "7")]
    assert missed(look(loop, source, clock)) == 0


@pytest.mark.parametrize("source", CRMS)
def test_what_waits_here_to_be_parsed_was_not_missed_unless_it_waits_for_too_long(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str
) -> None:
    look(loop, source, clock)
    waiting = Payload(source="generic", driver=Driver.WORKER, body=b"[]", received_at=clock.now(), state=PayloadState.DEFERRED)
    loop.intake.store(waiting)
    clock.move(minutes=1)
    sandbox.put(source, KINDS[source], "41", person(source, "41"))
    assert missed(look(loop, source, clock)) == 0, "its webhook may be among what waits"
    clock.move(hours=1)
    assert missed(look(loop, source, clock)) == 1
    sandbox.put(source, KINDS[source], "42", person(source, "42"))
    worker.sweep_payloads(loop)
    assert missed(look(loop, source, clock)) == 1, "nothing waits any more"


@pytest.mark.parametrize("source", CRMS)
def test_what_is_found_under_load_is_counted_and_not_put_off(loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str) -> None:
    sandbox.put(source, KINDS[source], "41", person(source, "41"))
    with loop.turns.one() as taken:  # somebody else's payload is being parsed
        assert taken
        assert missed(look(loop, source, clock)) == 1
    assert told(loop, source) == [("contact.created", "41")]
    with loop.database.read() as session:
        assert payloads.waiting(session) == (0, None)
        row = next(row for row in reconciliations.every(session) if (row.source, row.kind) == (source, "contact"))
    assert (row.missed, row.missed_ever) == (1, 1)


@pytest.mark.parametrize(("plural", "kind", "name"), [("leads", EntityKind.LEAD, "title"), ("notes", EntityKind.NOTE, "content")])
def test_what_changed_in_a_list_without_a_filter_is_found_from_its_end_on(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, plural: str, kind: EntityKind, name: str
) -> None:
    number = "{:08}-0000-4000-8000-000000000000".format if kind is EntityKind.LEAD else str
    for each in range(1, 351):
        sandbox.put("pipedrive", plural, number(each), {name: "before"}, at=clock.now() - timedelta(days=30))
    assert missed(look(loop, "pipedrive", clock)) == 0, "that is the backfill's"
    for each in range(1, 121):  # more than a page
        sandbox.put("pipedrive", plural, number(each), {name: "after"}, at=clock.now() + timedelta(seconds=each))
    sandbox.put("pipedrive", plural, number(400), {name: "new", "is_archived": True})
    asked = len(sandbox.requests)
    assert [(gap.kind, gap.missed) for gap in look(loop, "pipedrive", clock) if gap.missed] == [(kind, 121)]
    pages = [request for request in list(sandbox.requests)[asked:] if f"/v1/{plural}" in request.path]
    assert len(pages) <= 3, "it ends where the last look began"
    changed = [found for type_, found in told(loop, "pipedrive") if type_ == f"{kind}.changed"]
    assert changed == [number(each) for each in range(1, 121)], "in the order in which they did"
    assert missed(look(loop, "pipedrive", clock)) == 0


@pytest.mark.parametrize("source", CRMS)
def test_a_change_that_was_lost_is_found_and_the_newest_value_is_scored(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str
) -> None:
    sandbox.put(source, KINDS[source], "41", person(source, "41"))
    look(loop, source, clock)
    clock.move(hours=1)
    name = {"hubspot": "hs_analytics_num_visits", "pipedrive": "sessions"}[source]
    sandbox.put(source, KINDS[source], "41", {name: "9"})
    assert missed(look(loop, source, clock)) == 1
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        newest = session.exec(select(PredictionRow).order_by(col(PredictionRow.id).desc())).first()
        event = session.exec(select(EventRow).order_by(col(EventRow.id).desc())).first()
    assert newest is not None
    assert event is not None
    assert newest.features["sessions"] == 9
    assert event.type == "contact.changed"
    assert len(event.properties) == 1, "only what was not known"


def test_what_webhooks_told_makes_no_event(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str]
) -> None:
    app, url = running_app
    app.state.loop = loop
    hubspot = HubSpotPlayer(sandbox, "https://hooks.example.com/webhook/hubspot-events", "hubspot-client-secret")
    pipedrive = PipedrivePlayer(sandbox, f"{url}/collect/pipedrive", "pipedrive", "pipedrive-password")
    hubspot.address = f"{url}/collect/hubspot"
    assert hubspot.deliver(hubspot.created("41", {"email": "p41@example.com", "sessions": 3})) == 202
    assert pipedrive.deliver(pipedrive.created("41", person("pipedrive", "41"))) == 202
    worker.sweep_inbox(loop)  # HubSpot tells of a creation without any property: they were looked up
    lead = {"title": "Roof", "person_id": 41, "value": {"amount": 900, "currency": "EUR"}}
    for kind, number, values in (("leads", "7d0b3f50-0000-4000-8000-000000000001", lead), ("notes", "9", {"content": "Called."})):
        assert pipedrive.deliver(pipedrive.created(number, values, kind)) == 202
    assert missed(look(loop, "hubspot", clock)) == 0
    assert missed(look(loop, "pipedrive", clock)) == 0


def test_a_webhook_whose_sender_s_clock_is_ahead_does_not_hide_what_came_after_it(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str]
) -> None:
    app, url = running_app
    app.state.loop = loop
    player = PipedrivePlayer(sandbox, f"{url}/collect/pipedrive", "pipedrive", "pipedrive-password")
    player.deliver(player.created("41", person("pipedrive", "41", **WHOLE)))
    worker.sweep_inbox(loop)  # looks the person up, this once
    sandbox.set_habits(Habits(clock_skew_seconds=90))
    held_back = player.changed("41", {"sessions": 5})
    clock.move(seconds=10)
    player.changed("41", {"sessions": 9})  # of this no webhook ever comes
    clock.move(seconds=60)
    assert player.deliver(held_back) == 202
    worker.sweep_inbox(loop)
    assert missed(look(loop, "pipedrive", clock)) == 1
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        newest = session.exec(select(PredictionRow).order_by(col(PredictionRow.id).desc())).first()
    assert newest is not None
    assert newest.features["sessions"] == 9
    assert missed(look(loop, "pipedrive", clock)) == 0


def test_what_is_found_is_dated_by_the_record_s_clock_and_not_by_that_of_the_webhooks(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str]
) -> None:
    app, url = running_app
    app.state.loop = loop
    player = PipedrivePlayer(sandbox, f"{url}/collect/pipedrive", "pipedrive", "pipedrive-password")
    player.deliver(player.created("41", person("pipedrive", "41", **WHOLE)))
    worker.sweep_inbox(loop)  # learns what the account's fields are called
    clock.move(minutes=5)
    sandbox.set_habits(Habits(clock_skew_seconds=90))
    assert player.deliver(player.changed("41", {"sessions": 5})) == 202
    clock.move(seconds=10)
    player.changed("41", {"sessions": 9})  # later, though the webhook before says a later time; of this none ever comes
    assert missed(look(loop, "pipedrive", clock)) == 1
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        newest = session.exec(select(PredictionRow).order_by(col(PredictionRow.id).desc())).first()
    assert newest is not None
    assert newest.features["sessions"] == 9
    assert missed(look(loop, "pipedrive", clock)) == 0


@pytest.mark.parametrize("source", CRMS)
def test_our_own_fields_are_nobody_s_news(loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str) -> None:
    sandbox.define_hubspot_property("contacts", "predicted_score")
    sandbox.define_pipedrive_field("persons", "predicted_score")
    sandbox.put(source, KINDS[source], "41", person(source, "41"))
    look(loop, source, clock)
    sandbox.write(source, KINDS[source], "41", {"predicted_score": "0.7"}, through="batch")
    assert missed(look(loop, source, clock)) == 0


@pytest.mark.parametrize("source", CRMS)
def test_a_vendor_in_a_bad_mood_hides_nothing_for_good(loop: Loop, sandbox: Sandbox, clock: FakeClock, source: str) -> None:
    for number in range(1, 231):  # more than a page
        sandbox.put(source, KINDS[source], str(number), person(source, str(number)))
    sandbox.set_habits(Habits(seed=1, server_error=0.3, too_many=0.2, bad_gateway=0.1))
    found = sum(missed(look(loop, source, clock)) for _ in range(3))
    sandbox.set_habits(Habits())
    found += missed(look(loop, source, clock))
    assert found == 230
    assert len(set(told(loop, source))) == len(told(loop, source)) == 230


def test_each_turn_is_taken_by_one_of_all_processes(loop: Loop, clock: FakeClock) -> None:
    runs: list[str] = []
    job = Job("crm.reconcile", 900, lambda _loop: runs.append("ran"), once=True)
    for _ in range(3):  # as many processes
        _guarded(job, loop)
    assert len(runs) == 1
    clock.move(minutes=15)
    _guarded(job, loop)
    _guarded(job, loop)
    assert len(runs) == 2


@pytest.mark.parametrize("source", CRMS)
def test_a_kind_that_is_refused_is_told_once_when_it_begins_and_once_when_it_is_over(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    plural, kind = REFUSED[source]
    sandbox.unscoped.add((source, plural))
    sandbox.put(source, KINDS[source], "41", person(source, "41"))
    with caplog.at_level("INFO"):
        assert [(gap.kind, gap.missed) for gap in look(loop, source, clock) if gap.missed] == [(EntityKind.CONTACT, 1)]
        assert kind not in {gap.kind for gap in look(loop, source, clock)}
        sandbox.put(source, plural, "7", {"name": "Slate", "subject": "Broken"})
        clock.move(days=3)
        sandbox.unscoped.clear()
        assert [(gap.kind, gap.missed) for gap in look(loop, source, clock) if gap.missed] == [(kind, 1)], "since it was refused"
        look(loop, source, clock)
    names = ("reconcile.kind.refused", "reconcile.kind.readable", "reconcile.look.failed")
    assert [name for record in caplog.records for name in names if name in record.message] == list(names[:2])
