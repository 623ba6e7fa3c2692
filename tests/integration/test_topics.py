"""Topics beyond creation and change: links, merges, restored and deleted records, of both CRMs and of our own JSON."""

import json
from typing import Any

import polars as pl
import pytest
from sqlalchemy import text
from sqlmodel import col, select

from automation import knowledge
from automation.jobs import worker
from automation.pipeline.collect import Collected, collect
from automation.pipeline.context import Loop
from automation.sandbox.player import HubSpotPlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from automation.sources import hubspot as hubspot_source
from automation.sources import pipedrive as pipedrive_source
from data.domain.event import Driver
from data.domain.event_type import TYPES
from data.warehouse import fact_frames
from data.warehouse.events import EventRow
from ml.features.build import build
from ml.features.facts import EXAMPLES
from tests.conftest import LoopFactory
from tests.support import HOT, NOON, FakeClock, generic
from tests.unit.test_event import fitting


def post(loop: Loop, source: str, items: list[Any]) -> Collected:
    return collect(loop, source, json.dumps(items).encode(), Driver.WORKER)


def told(name: str, kind: str, number: str, *, key: str, second: int = 0, **more: Any) -> dict[str, Any]:
    at = NOON.replace(second=second).isoformat()
    return {"id": key, "type": name, "occurred_at": at, "entity": {"kind": kind, "id": number}, **more}


def hubspot(name: str, *, second: int = 0, **more: Any) -> dict[str, Any]:
    at = int(NOON.timestamp() + second) * 1000
    return {"eventId": 1, "portalId": 1, "occurredAt": at, "subscriptionType": name, **more}


def entity_id(loop: Loop, kind: str, number: str) -> int:
    with loop.database.read() as session:
        query = text("SELECT id FROM entities WHERE kind = :kind AND vendor_id = :number")
        return int(session.execute(query, {"kind": kind, "number": number}).scalar_one())


def features(loop: Loop, model: str, number: int, *names: str) -> dict[str, Any]:
    with loop.database.read() as session:
        frame = knowledge.recall(session, [number], names, related=True)
    example = pl.DataFrame([(number, loop.clock.now())], schema=EXAMPLES, orient="row")
    return build(model, example, frame, wanted=names).row(0, named=True)


def test_an_event_of_every_type_is_stored_once(loop: Loop) -> None:
    items = [
        told(
            name, (parts := fitting(name))["entity"].kind, "1", key=name, properties=parts["properties"],
            targets=[{"kind": target.kind, "id": target.id} for target in parts["targets"]],
        )
        for name in TYPES
    ]  # fmt: skip
    found = post(loop, "generic", [*items, *items])
    assert (found.accepted, found.duplicates, found.rejected) == (len(TYPES), len(TYPES), 0)
    assert [event.type for event in found.events] == list(TYPES)
    with loop.database.read() as session:
        rows = session.exec(select(EventRow).order_by(col(EventRow.id))).all()
    assert [(row.type, len(row.targets)) for row in rows] == [(name, len(fitting(name)["targets"])) for name in TYPES]


def test_a_link_says_for_both_ends_who_belongs_to_whom(loop: Loop, clock: FakeClock) -> None:
    company = told("company.changed", "company", "7", key="a", properties={"industry": "Steel"})
    link = told("company.associated", "company", "7", key="b", targets=[{"kind": "contact", "id": "ada@example.com"}])
    post(loop, "generic", [company, link, generic(**HOT)])
    clock.move(seconds=1)
    ada = entity_id(loop, "contact", "ada@example.com")
    assert features(loop, "lead_score", ada, "company_industry") == {"company_industry": "Steel"}
    post(loop, "generic", [link | {"id": "c", "type": "company.dissociated", "occurred_at": NOON.replace(second=2).isoformat()}])
    clock.move(seconds=5)
    assert features(loop, "lead_score", ada, "company_industry") == {"company_industry": None}


def test_a_deal_that_is_linked_to_a_contact_counts_for_it(loop: Loop, clock: FakeClock) -> None:
    link = hubspot(
        "deal.associationChange", associationType="DEAL_TO_CONTACT", fromObjectId=5, toObjectId=1, associationRemoved=False
    )
    won = hubspot("deal.propertyChange", objectId=5, propertyName="dealstage", propertyValue="closedwon")
    post(loop, "hubspot", [link, won, hubspot("contact.creation", objectId=1)])
    clock.move(seconds=1)
    counted = features(loop, "lead_score", entity_id(loop, "contact", "1"), "earlier_deals_won", "earlier_deals_lost")
    assert counted == {"earlier_deals_won": 1.0, "earlier_deals_lost": 0.0}


def test_links_are_no_features(loop: Loop) -> None:
    post(loop, "generic", [generic(**HOT), told("contact.associated", "contact", "ada@example.com", key="x",
         targets=[{"kind": "note", "id": "1"}])])  # fmt: skip
    with loop.database.read() as session:
        frame = fact_frames.of_all(session)
    assert "link:note:1" in set(frame["name"])
    example = pl.DataFrame([(entity_id(loop, "contact", "ada@example.com"), NOON)], schema=EXAMPLES, orient="row")
    assert not any(name.startswith("link:") for name in build("lead_score", example, frame).columns)


def test_what_was_merged_asks_no_more_and_gets_no_writes(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> None:
    loop = make_loop(addresses)
    player = HubSpotPlayer(sandbox, "http://unused", "secret")
    player.define({"engaged_sessions", "is_first_visit"})
    for number in ("100", "200", "900"):
        player.created(number, {"email": f"{number}@example.com", **HOT})
    post(loop, "hubspot", [hubspot("contact.creation", objectId=100), hubspot("contact.creation", objectId=200, second=1)])
    worker.sweep_inbox(loop)
    assert waiting(loop) == {"100", "200"}
    late = hubspot("contact.propertyChange", objectId=200, second=2, propertyName="hs_analytics_num_visits", propertyValue="9")
    merge = hubspot("contact.merge", second=3, primaryObjectId=100, mergedObjectIds=[200], newObjectId=900)
    found = post(loop, "hubspot", [late, merge])
    assert [event.models for event in found.events] == [["lead_score"], ["lead_score"]]
    assert waiting(loop) == set(), "nothing is written to what is gone"
    after = hubspot("contact.propertyChange", objectId=100, second=4, propertyName="hs_analytics_num_visits", propertyValue="1")
    assert post(loop, "hubspot", [after]).events[0].models == []
    sandbox.merge("hubspot", "contacts", "900", ["100", "200"])
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        assert set(session.execute(text("SELECT state FROM events")).scalars()) == {"done"}
        assert session.execute(text("SELECT count(*) FROM dead_letters")).scalar_one() == 0
    assert waiting(loop) == {"900"}


def waiting(loop: Loop) -> set[str]:
    """Whom a write is waiting for."""
    query = text(
        "SELECT e.vendor_id FROM deliveries d JOIN entities e ON e.id = d.entity_id"
        " WHERE d.state = 'pending' AND d.destination = 'hubspot'"
    )
    with loop.database.read() as session:
        return set(session.execute(query).scalars())


def test_a_merge_is_told_twice_by_pipedrive_and_is_one(loop: Loop) -> None:
    meta = {
        "version": "2.0", "entity": "person", "company_id": "1", "timestamp": NOON.isoformat(), "action": "delete",
        "entity_id": "42", "id": "a", "merged_to_id": "41",
    }  # fmt: skip
    stays = {**meta, "action": "change", "entity_id": "41", "id": "b", "merged_to_id": None, "merged_from_id": "42"}
    for items in ([{"meta": stays, "data": {"id": 41, "name": "Ada"}, "previous": {"name": "A"}}, {"meta": meta, "data": None}],):
        found = post(loop, "pipedrive", items)
        assert [(event.type, event.entity["id"]) for event in found.events] == [("contact.merged", "41")] * 2
    with loop.database.read() as session:
        rows = session.execute(text("SELECT vendor_id, merged_into_id FROM entities ORDER BY vendor_id")).all()
    (stayed, gone) = rows
    assert (stayed.vendor_id, stayed.merged_into_id, gone.vendor_id) == ("41", None, "42")
    assert gone.merged_into_id == entity_id(loop, "contact", "41")


def test_what_is_restored_is_read_anew(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> None:
    loop = make_loop(addresses)
    player = HubSpotPlayer(sandbox, "http://unused", "secret")
    player.define({"engaged_sessions", "is_first_visit"})
    player.created("1", {"email": "1@example.com", **HOT})
    post(loop, "hubspot", [hubspot("contact.creation", objectId=1), hubspot("contact.deletion", objectId=1, second=1)])
    number = entity_id(loop, "contact", "1")
    post(loop, "hubspot", [hubspot("contact.restore", objectId=1, second=2)])
    worker.sweep_inbox(loop)
    assert features(loop, "lead_score", number, "channel") == {"channel": "referral"}


def previous(loop: Loop) -> list[dict[str, Any]]:
    """What is stored of each event's former values, in the order in which they came."""
    with loop.database.read() as session:
        return [row.previous for row in session.exec(select(EventRow).order_by(col(EventRow.id)))]


def changed(name: str, value: Any, *, second: int, of: str = "contact", **more: Any) -> dict[str, Any]:
    return hubspot(f"{of}.propertyChange", second=second, objectId=1, propertyName=name, propertyValue=value, **more)


def test_what_hubspot_does_not_say_of_before_is_filled_in_at_once_whether_or_not_a_model_is_asked(
    loop: Loop, clock: FakeClock
) -> None:
    clock.move(seconds=60)
    visits, pages = "hs_analytics_num_visits", "hs_analytics_num_page_views"
    post(loop, "hubspot", [changed(visits, "1", second=1), changed(pages, "9", second=1)])
    post(
        loop, "hubspot", [changed(visits, "4", second=5), changed(visits, "2", second=3), changed(visits, "5", second=5, eventId=2)]
    )
    post(loop, "hubspot", [changed("dealstage", "a", second=1, of="deal"), changed("dealstage", "b", second=2, of="deal")])
    post(loop, "hubspot", [hubspot("deal.deletion", second=3, objectId=1), changed("ticketname", "T", second=3, of="ticket")])
    assert previous(loop) == [
        {}, {},  # nothing is known of before
        {visits: "2"}, {visits: "1"},  # in the order in which they happened, whichever came first
        {visits: "4"},  # at the same moment as another: the one that was stored first was before
        {}, {"dealstage": "a"},
        {"dealstage": "b"}, {},  # all that was known of what is deleted
    ]  # fmt: skip


def test_what_comes_late_is_what_was_before_the_next(loop: Loop, clock: FakeClock) -> None:
    """Whether or not a model is asked; what a sender says itself of before stays."""
    clock.move(seconds=60)
    for second, value in ((1, "1"), (4, "4"), (2, "2"), (3, "3")):
        for name, of in (("hs_analytics_num_visits", "contact"), ("dealstage", "deal")):
            post(loop, "hubspot", [changed(name, value, second=second, of=of)])
        worker.sweep_inbox(loop)
        clock.move(seconds=1)
    at = {"kind": "deal", "number": "2"}
    post(loop, "generic", [told("deal.changed", **at, key="late", second=9, properties={"amount": 9}, previous={"amount": 1})])
    clock.move(seconds=1)
    post(loop, "generic", [told("deal.changed", **at, key="early", second=5, properties={"amount": 5})])
    firsts = [{}, {}, {"hs_analytics_num_visits": "3"}, {"dealstage": "3"}, {"hs_analytics_num_visits": "1"}, {"dealstage": "1"}]
    seconds = [{"hs_analytics_num_visits": "2"}, {"dealstage": "2"}]
    assert previous(loop) == [*firsts, *seconds, {"amount": 1}, {}]


def test_what_a_look_up_said_before_is_a_former_value_and_what_the_sender_says_stays(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "1", {"email": "1@example.com", "hs_analytics_source": "REFERRALS"})
    post(loop, "hubspot", [hubspot("contact.creation", objectId=1)])
    worker.sweep_inbox(loop)
    clock.move(seconds=60)
    post(loop, "hubspot", [changed("hs_analytics_source", "OFFLINE", second=30)])
    post(loop, "hubspot", [changed("hs_analytics_source", "PAID_SEARCH", second=50)])
    more = told("contact.changed", "contact", "ada@example.com", key="x", properties={"sessions": 4}, previous={"sessions": 3})
    post(loop, "generic", [generic("ada@example.com", sessions=1), more])
    worker.sweep_inbox(loop)
    assert previous(loop) == [
        {}, {"hs_analytics_source": "REFERRALS"}, {"hs_analytics_source": "OFFLINE"}, {}, {"sessions": 3}
    ]  # fmt: skip


HUBSPOT_OBJECTS = ("contact", "company", "deal", "lead", "ticket", "note", "call", "meeting", "email", "task")
# HubSpot lets these be merged into one another; of a person alone it erases all.
MERGED_BY_HUBSPOT = ("contact", "company", "deal", "lead", "ticket")


@pytest.mark.parametrize("name", HUBSPOT_OBJECTS)
def test_every_topic_of_hubspot_becomes_events(name: str) -> None:
    """By the object's own name, and by the number of its type, as newer apps are told."""
    number = next(number for theirs, number, _ in hubspot_source.OBJECTS if theirs == name)
    verbs = {"creation": "created", "propertyChange": "changed", "deletion": "deleted", "restore": "restored"}
    verbs |= {"merge": "merged"} if name in MERGED_BY_HUBSPOT else {}
    verbs |= {"privacyDeletion": "erased"} if name == "contact" else {}
    more = {"propertyName": "a", "propertyValue": "1", "primaryObjectId": 2, "mergedObjectIds": [3], "newObjectId": 9}
    for action, verb in verbs.items():
        for kind, type_id in ((name, None), ("object", number)):
            item = hubspot(
                f"{kind}.{action}", objectId=9, objectTypeId=type_id, **(more if action in {"merge", "propertyChange"} else {})
            )
            ((_, event),) = hubspot_source.parse(json.dumps([item]).encode()).events
            assert (event.type, event.entity.id) == (f"{name}.{verb}", "9")
    for removed, verb in ((False, "associated"), (True, "dissociated")):
        sides = {"fromObjectId": 9, "toObjectId": 5, "fromObjectTypeId": number, "toObjectTypeId": "0-2"}
        item = hubspot("object.associationChange", associationRemoved=removed, **sides)
        ((_, event),) = hubspot_source.parse(json.dumps([item]).encode()).events
        assert (event.type, str(event.targets[0])) == (f"{name}.{verb}", "hubspot company 5")


PIPEDRIVE_OBJECTS = {
    "person": "contact", "organization": "company", "deal": "deal", "lead": "lead", "activity": "activity", "note": "note",
    "product": "product", "user": "user", "pipeline": "pipeline", "stage": "stage",
}  # fmt: skip


@pytest.mark.parametrize("name", PIPEDRIVE_OBJECTS)
@pytest.mark.parametrize("bulk", [False, True])
def test_every_topic_of_pipedrive_becomes_events_with_current_and_previous_values(name: str, bulk: bool) -> None:
    meta = {"version": "2.0", "entity": name, "company_id": "1", "timestamp": NOON.isoformat(), "entity_id": "9", "id": "u",
            "is_bulk_edit": bulk}  # fmt: skip
    data, before = {"id": 9, "name": "B", "custom_fields": {}}, {"name": "A"}

    def parsed(**change: Any) -> Any:
        item = {"meta": {**meta, **change}, "data": None if change["action"] == "delete" else data, "previous": before}
        ((_, event),) = pipedrive_source.parse(json.dumps(item).encode()).events
        return event

    ours = PIPEDRIVE_OBJECTS[name]
    assert parsed(action="create").type == f"{ours}.created"
    change = parsed(action="change")
    assert (change.type, change.properties, change.previous) == (f"{ours}.changed", {"name": "B"}, {"name": "A"})
    assert (parsed(action="delete").type, parsed(action="delete").previous) == (f"{ours}.deleted", {"name": "A"})
    if f"{ours}.merged" in TYPES:
        stays, goes = parsed(action="change", merged_from_id="8"), parsed(action="delete", merged_to_id="10")
        assert {stays.type, goes.type} == {f"{ours}.merged"}
        assert (stays.entity.id, stays.targets[0].id, goes.entity.id, goes.targets[0].id) == ("9", "8", "10", "9")
