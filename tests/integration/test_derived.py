"""What is derived travels beside the event: how deals move, how notes sound, what had happened before."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select

from automation.clients.hubspot import HubSpotClient
from automation.clients.pipedrive import PipedriveClient
from automation.clients.registry import Clients
from automation.enrichments import deal_momentum, sentiment
from automation.enrichments.background import Background
from automation.enrichments.registry import DERIVING
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Case, Loop
from automation.pipeline.derive import derive
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind
from data.domain.event import Driver
from data.settings import Scope
from data.warehouse import deliveries, entities
from data.warehouse.events import EventRow
from tests.conftest import LoopFactory
from tests.support import HOT, NOON, FakeClock, bearer, generic

DAY = timedelta(days=1)


@pytest.fixture
def sandbox(standing: tuple[Sandbox, Addresses]) -> Sandbox:
    standing[0].clear()
    return standing[0]


@pytest.fixture
def addresses(standing: tuple[Sandbox, Addresses]) -> Addresses:
    return standing[1]


def post(loop: Loop, *items: Any, source: str = "generic") -> None:
    assert not collect(loop, source, json.dumps(items).encode(), Driver.WORKER).rejected


def told(name: str, number: str, at: datetime, **properties: Any) -> dict[str, Any]:
    kind = name.partition(".")[0]
    key = f"{name} {number} {at} {properties}"
    return {
        "id": key,
        "type": name,
        "occurred_at": at.isoformat(),
        "entity": {"kind": kind, "id": number},
        "properties": properties,
    }


def derived(loop: Loop) -> dict[str, Any]:
    """Of the newest event of a contact."""
    with loop.database.read() as session:
        rows = session.exec(select(EventRow).order_by(EventRow.id)).all()  # type: ignore[arg-type]
    return [row.derived for row in rows if row.type.startswith("contact.")][-1]


def scored(loop: Loop, clock: FakeClock, name: str = "ada") -> dict[str, Any]:
    post(loop, generic(name, at=clock.now(), **HOT))
    worker.sweep_inbox(loop)
    return derived(loop)


def case_of(loop: Loop, kind: EntityKind) -> Case:
    """The last event of an entity of this kind, as a stage has it that knows what is visible now."""
    with loop.database.read() as session:
        rows = session.exec(select(EventRow).order_by(EventRow.id.desc())).all()  # type: ignore[union-attr]
        owners = entities.by_ids(session, [row.entity_id for row in rows])
    event = next(row for row in rows if owners[row.entity_id].kind == kind.value)
    return Case(event, owners[event.entity_id], frozenset(), as_of=loop.clock.now(), models=("some",))


def test_nothing_is_derived_of_nothing(loop: Loop, clock: FakeClock) -> None:
    assert scored(loop, clock) == {}


def test_the_newest_notes_and_mails_that_came_in_say_how_somebody_feels(loop: Loop, clock: FakeClock) -> None:
    who = {"contact_id": "ada"}
    post(loop, told("note.created", "1", NOON, body="<p>Loves the product, very happy</p>", **who))
    post(loop, told("email.created", "2", NOON + DAY, body="Thank you so much, we are happy to help!", direction="outbound", **who))
    post(loop, told("note.created", "3", NOON + DAY, body="Is unhappy and wants to cancel", contact_id="bo"))
    clock.move(days=2)
    only = scored(loop, clock)["sentiment"]
    assert (only["notes"], only["mood"]) == (1, "positive")
    assert only["newest"] == {**only["newest"], "kind": "note", "at": NOON.isoformat(), "mood": "positive"}
    post(loop, told("email.created", "4", clock.now(), body="Leider sind wir sehr enttäuscht", direction="inbound", **who))
    clock.move(hours=1)
    both = scored(loop, clock)["sentiment"]
    assert both["newest"]["kind"] == "email"
    assert (both["notes"], both["newest"]["mood"]) == (2, "negative")
    assert both["score"] == pytest.approx((only["score"] + both["newest"]["score"]) / 2, abs=0.01)


def test_a_deal_has_a_mood_too(loop: Loop, clock: FakeClock) -> None:
    post(loop, told("deal.changed", "7", NOON, stage="demo"), told("call.created", "1", NOON, body="Terrible call", deal_id="7"))
    background = Background(loop, [case_of(loop, EntityKind.DEAL)])
    (found,) = sentiment.derive(background).values()
    assert (found["mood"], found["newest"]["kind"]) == ("negative", "call")


def test_a_contact_s_open_deals_are_told_with_how_they_move(loop: Loop, clock: FakeClock) -> None:
    who = {"contact_id": "ada"}
    post(
        loop,
        told("deal.changed", "7", NOON, stage="demo", amount=1000, **who),
        told("deal.changed", "8", NOON, stage="demo", **who),
        told("deal.changed", "9", NOON, stage="demo", contact_id="bo"),
        told("deal.changed", "10", NOON, stage="demo", **who),
        told("deal.changed", "11", NOON, stage="demo", **who),
    )
    clock.move(days=3)
    post(
        loop,
        told("deal.changed", "7", clock.now(), stage="offer", amount=800),
        told("deal.changed", "8", clock.now(), status="lost"),
    )
    post(
        loop,
        told("deal.changed", "10", clock.now(), contact_id="bo"),
        {**told("deal.deleted", "11", clock.now()), "properties": {}},
    )
    clock.move(days=2)
    found = scored(loop, clock)["deal_momentum"]
    assert found["open"] == 1, "one is lost, one is gone, one is somebody else's by now"
    (deal,) = found["deals"]
    assert {name: deal[name] for name in ("deal", "stage", "days_in_stage", "stages_passed", "deal_amount", "amount_cuts")} == {
        "deal": "7", "stage": "offer", "days_in_stage": 2.0, "stages_passed": 1.0, "deal_amount": 800.0, "amount_cuts": 1.0,
    }  # fmt: skip
    assert (deal["stage_name"], deal["owner_name"]) == (None, None), "nobody says what they are called"


def test_a_deal_tells_how_it_moves_itself(loop: Loop, clock: FakeClock) -> None:
    post(loop, told("deal.changed", "7", NOON, stage="demo", amount=5))
    clock.move(days=4)
    post(loop, told("deal.changed", "7", clock.now(), stage="closed", status="won"))
    case = case_of(loop, EntityKind.DEAL)
    found = deal_momentum.derive(Background(loop, [case]))
    assert found[case.event_id]["open"] == 0
    assert found[case.event_id]["deals"][0]["stages_passed"] == 1.0


def test_owners_and_stages_have_the_names_that_people_gave_them(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "1", {"email": "ada@example.com", "hs_analytics_num_visits": "7"})
    at = int(NOON.timestamp() * 1000)
    about = {"eventId": 1, "portalId": 1, "occurredAt": at}
    changes = {"dealstage": "contractsent", "hubspot_owner_id": "501", "pipeline": "default"}
    link = {"associationType": "DEAL_TO_CONTACT", "fromObjectId": 5, "toObjectId": 1, "associationRemoved": False}
    post(
        loop,
        *({**about, "subscriptionType": "deal.propertyChange", "objectId": 5, "propertyName": name, "propertyValue": value}
          for name, value in changes.items()),
        {**about, "subscriptionType": "deal.associationChange", **link},
        {**about, "subscriptionType": "contact.creation", "objectId": 1},
        source="hubspot",
    )  # fmt: skip
    worker.sweep_inbox(loop)
    (deal,) = derived(loop)["deal_momentum"]["deals"]
    assert (deal["stage_name"], deal["pipeline_name"], deal["owner_name"]) == ("Contract sent", "Sales Pipeline", "Mia Berg")


def test_what_people_call_things_is_asked_once_an_hour(addresses: Addresses, sandbox: Sandbox) -> None:
    kinds = (EntityKind.USER, EntityKind.PIPELINE, EntityKind.STAGE)
    hubspot, pipedrive = HubSpotClient("hubspot-token", addresses.hubspot), PipedriveClient("pipedrive-token", addresses.pipedrive)
    nameless = {**sandbox.hubspot_account.owners[0], "firstName": "", "lastName": ""}
    more = [{**nameless, "id": str(number), "email": f"owner{number}@example.com"} for number in range(1000, 1500)]
    sandbox.hubspot_account.owners += more
    for _ in range(2):
        owners, pipelines, stages = (hubspot.labels(kind) for kind in kinds)
        assert (owners["501"], owners["1499"], len(owners)) == ("Mia Berg", "owner1499@example.com", 502)
        assert pipelines == {"default": "Sales Pipeline", "94650172": "Renewals"}
        assert (stages["contractsent"], stages["174586374"], len(stages)) == ("Contract sent", "Not renewed", 11)
        people, pipelines, stages = (pipedrive.labels(kind) for kind in kinds)
        assert (people, pipelines) == ({"1": "Mia Berg", "2": "Leo Wolf"}, {"1": "Sales pipeline"})
        assert (stages["5"], len(stages)) == ("Negotiations started", 5)
    assert len(sandbox.requests) == 7, "HubSpot's owners have two pages"
    sandbox.fault = lambda _vendor, path: 403 if "owners" in path else None
    assert HubSpotClient("hubspot-token", addresses.hubspot).labels(EntityKind.USER) == {}, "a token that may not read them"


def test_earlier_events_are_counted_by_type_and_window(loop: Loop, clock: FakeClock) -> None:
    clock.move(days=-60)
    begun = clock.now()
    scored(loop, clock)
    post(loop, generic("bo", at=clock.now(), **HOT))
    clock.move(days=40)
    post(loop, generic("ada", at=clock.now(), shoe_size=43), told("contact.associated", "ada", clock.now()) | {
        "properties": {}, "targets": [{"kind": "note", "id": "1"}]})  # fmt: skip
    clock.move(days=20)
    found = scored(loop, clock)["earlier_events"]
    counts = {"contact.associated": 1, "contact.changed": 1}
    assert found == {
        "first_at": begun.isoformat(), "last_at": (begun + 40 * DAY).isoformat(),
        "last_7_days": {}, "last_30_days": counts, "last_90_days": {**counts, "contact.changed": 2},
    }  # fmt: skip


def test_what_happened_to_another_record_of_the_same_person_counts_too(loop: Loop, clock: FakeClock) -> None:
    begun = clock.now()
    post(loop, generic("ada", at=begun, email="ada@example.com", **HOT))
    post(loop, generic("ada-at-work", at=begun + DAY, email="ADA@example.com", **HOT))
    post(loop, generic("bo", at=begun + DAY, email="bo@example.com", **HOT))
    clock.move(days=2)
    found = scored(loop, clock)["earlier_events"]
    assert (found["first_at"], found["last_at"]) == (begun.isoformat(), (begun + DAY).isoformat())
    assert found["last_7_days"] == {"contact.changed": 2}


def test_two_events_of_one_batch_are_earlier_events_of_each_other(loop: Loop, clock: FakeClock) -> None:
    post(loop, generic("ada", at=NOON, **HOT), generic("ada", at=NOON - DAY, **HOT))
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        rows = session.exec(select(EventRow)).all()
    assert [row.derived["earlier_events"]["last_7_days"] for row in rows] == [{"contact.changed": 1}] * 2


def test_the_answer_carries_what_is_derived_and_the_next_door_takes_it(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    post(loop, told("note.created", "1", NOON, body="Very happy", contact_id="ada"))
    event = api.post("/collect/generic?driver=n8n", json=generic("ada", **HOT), headers=bearer(Scope.COLLECT)).json()["events"][0]
    for _ in range(2):  # as it was made, and as it was stored
        answer = api.post("/predict/events", json={"event_ids": [event["event_id"]]}, headers=bearer(Scope.SCORE)).json()
        (entry,) = answer["scored"]
        assert entry["event"]["derived"]["sentiment"]["newest"]["mood"] == "positive"
        taken = api.post("/collect/predictions", json=answer["scored"], headers=bearer(Scope.PREDICTIONS)).json()
        assert (taken["accepted"], taken["rejected"]) == (1, [])


def test_an_alert_says_how_the_last_note_sounds(make_loop: LoopFactory, addresses: Addresses, clock: FakeClock) -> None:
    whole = make_loop(addresses)
    loop = replace(whole, clients=Clients(slack=whole.clients.slack))
    post(loop, told("note.created", "1", NOON - DAY, body="Customer is very unhappy with the delays", contact_id="ada"))
    post(loop, told("note.created", "2", NOON, body="Called about the offer", contact_id="bo"))
    for name in ("ada", "bo"):
        scored(loop, clock, name)
    with loop.database.read() as session:
        alerts = sorted(deliveries.listed(session, destination="slack"), key=lambda row: row.entity_id)
    ada, bo = (next(block["text"]["text"] for block in row.content["blocks"] if block["type"] == "section") for row in alerts)
    assert ada.splitlines()[-1] == "• last note (yesterday) sounds negative"
    assert "sounds" not in bo, "it is neutral"


def test_one_that_breaks_is_noted_and_the_others_go_on(loop: Loop, clock: FakeClock) -> None:
    post(loop, told("note.created", "1", NOON, body="Very happy", contact_id="ada"), generic("ada", **HOT))
    case = case_of(loop, EntityKind.CONTACT)

    def break_down(_background: Background) -> dict[int, Any]:
        raise ZeroDivisionError("our own fault")

    derive(loop, [case], {"broken": break_down, **DERIVING})
    assert case.notes == {"broken": "an unexpected fault: ZeroDivisionError"}
    assert case.derived["sentiment"]["mood"] == "positive"
