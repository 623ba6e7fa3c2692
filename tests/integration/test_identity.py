"""One person across sources: seen, alerted on and scored as one, from the moment on at which that is known."""

import json
import threading
from typing import Any

import polars as pl
import pytest

from automation import knowledge
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.db import Database
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Driver
from data.domain.identity import MOST_OF_ONE_KEY
from data.warehouse import deliveries, entities, identities
from ml.features.build import build
from ml.features.facts import EXAMPLES
from tests.conftest import LoopFactory
from tests.support import COLD, HOT, NOON, FakeClock, generic, newest_prediction

ADA = "ada@example.com"
AT_PIPEDRIVE = {"name": "Ada", "emails": [{"value": ADA.upper(), "primary": True}]}


def tell(loop: Loop, *items: dict[str, Any]) -> None:
    collect(loop, "generic", json.dumps(list(items)).encode(), Driver.WORKER)


def person(loop: Loop, number: str, data: dict[str, Any], *, action: str = "create", second: int = 0, **more: Any) -> None:
    meta = {
        "version": "2.0", "action": action, "entity": "person", "entity_id": number, "company_id": "1", "id": f"{number}-{second}",
        "timestamp": NOON.replace(second=second).isoformat(), "attempt": 1,
    }  # fmt: skip
    collect(loop, "pipedrive", json.dumps({"meta": meta, "data": data, **more}).encode(), Driver.WORKER)


def number_of(loop: Loop, source: str, vendor_id: str, kind: EntityKind = EntityKind.CONTACT) -> int:
    with loop.database.read() as session:
        row = entities.find(session, EntityRef(source=source, kind=kind, id=vendor_id))
    assert row is not None
    assert row.id is not None
    return row.id


def features(loop: Loop, number: int, *names: str, at: Any = None) -> dict[str, Any]:
    with loop.database.read() as session:
        frame = knowledge.recall(session, [number], names, related=True)
    example = pl.DataFrame([(number, at or loop.clock.now())], schema=EXAMPLES, orient="row")
    return build("lead_score", example, frame, wanted=names).row(0, named=True)


def same(loop: Loop, number: int) -> set[int]:
    with loop.database.read() as session:
        return set(identities.same_as(session, [number]).get(number, ()))


def test_what_a_web_form_told_is_known_of_the_crm_s_record_from_then_on(loop: Loop, clock: FakeClock) -> None:
    tell(loop, generic(ADA, plan="gold", sessions=3))
    clock.move(hours=1)
    person(loop, "7", AT_PIPEDRIVE)
    form, record = number_of(loop, "generic", ADA), number_of(loop, "pipedrive", "7")
    assert (same(loop, record), same(loop, form)) == ({form}, {record})
    assert features(loop, record, "plan", "sessions", "events_30d") == {"plan": "gold", "sessions": "3", "events_30d": 2.0}
    before = clock.now()
    clock.move(minutes=1)
    assert features(loop, record, "plan", at=before.replace(year=2025))["plan"] is None
    assert features(loop, record, "plan", at=before)["plan"] == "gold"
    assert features(loop, record, "plan", at=NOON)["plan"] is None  # told by then, but not yet known to be the same


def test_a_record_s_own_value_stands_before_the_other_s_even_if_that_is_newer(loop: Loop, clock: FakeClock) -> None:
    person(loop, "7", {**AT_PIPEDRIVE, "plan": "silver"})
    clock.move(hours=1)
    tell(loop, generic(ADA, plan="gold", sessions=3, at=clock.now()))
    record = number_of(loop, "pipedrive", "7")
    assert features(loop, record, "plan", "sessions") == {"plan": "silver", "sessions": "3"}


def test_who_changes_the_address_stays_the_same_and_a_third_record_joins(loop: Loop, clock: FakeClock) -> None:
    tell(loop, generic(ADA))
    person(loop, "7", AT_PIPEDRIVE)
    person(loop, "7", {"emails": [{"value": "ada@new.example", "primary": True}]}, action="change", second=1,
           previous={"emails": [{"value": ADA, "primary": True}]})  # fmt: skip
    tell(loop, generic("ada@new.example"))
    numbers = {number_of(loop, "generic", ADA), number_of(loop, "generic", "ada@new.example"), number_of(loop, "pipedrive", "7")}
    assert all(same(loop, number) == numbers - {number} for number in numbers)


def test_companies_are_one_by_their_domain(loop: Loop) -> None:
    meta = {"version": "2.0", "action": "create", "entity": "organization", "entity_id": "5", "company_id": "1", "id": "5",
            "timestamp": NOON.isoformat(), "attempt": 1}  # fmt: skip
    body = {"meta": meta, "data": {"name": "Acme", "website": "https://www.acme.io/"}}
    collect(loop, "pipedrive", json.dumps(body).encode(), Driver.WORKER)
    company = {"kind": "company", "id": "c1"}
    tell(
        loop, {**generic(), "type": "company.changed", "entity": company, "properties": {"domain": "ACME.io", "industry": "steel"}}
    )
    found = number_of(loop, "pipedrive", "5", EntityKind.COMPANY)
    assert same(loop, found) == {number_of(loop, "generic", "c1", EntityKind.COMPANY)}


def test_the_address_of_a_team_makes_nobody_the_same_any_more(loop: Loop) -> None:
    for number in range(MOST_OF_ONE_KEY + 3):
        person(loop, str(number), {"name": f"P{number}", "emails": [{"value": "sales@acme.io", "primary": True}]})
    assert len(same(loop, number_of(loop, "pipedrive", "0"))) == MOST_OF_ONE_KEY - 1
    assert same(loop, number_of(loop, "pipedrive", str(MOST_OF_ONE_KEY + 2))) == set()


def test_a_person_in_two_crms_alerts_once_and_both_records_get_the_newest_score(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.put("pipedrive", "persons", "7", {"name": "Ada", "email": ADA, **COLD})
    sandbox.put("hubspot", "contacts", "8", {"email": ADA})
    person(loop, "7", {"name": "Ada", "emails": [{"value": ADA, "primary": True}], **COLD})
    created = {"subscriptionType": "contact.creation", "objectId": 8, "portalId": 1, "eventId": 1}
    collect(loop, "hubspot", json.dumps([{**created, "occurredAt": int(NOON.timestamp() * 1000)}]).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)
    clock.move(minutes=10)
    sandbox.put("pipedrive", "persons", "7", HOT)
    person(loop, "7", {"name": "Ada", **HOT}, action="change", second=5, previous=dict(COLD))
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        newest = {
            source: newest_prediction(session, number_of(loop, source, number), "lead_score")
            for source, number in (("pipedrive", "7"), ("hubspot", "8"))
        }
        alerts = deliveries.listed(session, destination="slack")
    assert {source: found.label for source, found in newest.items() if found} == {"pipedrive": "high", "hubspot": "high"}
    assert len(alerts) == 1


def test_who_comes_by_one_address_at_one_moment_is_found_to_be_the_same(database: Database) -> None:
    numbers = range(1, 7)
    barrier = threading.Barrier(len(numbers))

    def one(number: int) -> None:
        barrier.wait()
        with database.write() as session:
            identities.join(session, {("contact", ADA): {number}, ("contact", f"{number}@example.com"): {number}}, NOON)

    threads = [threading.Thread(target=one, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert {number: set(found) for number, found in identities.same_as(session, numbers).items()} == {
            number: set(numbers) - {number} for number in numbers
        }


@pytest.mark.parametrize("turn", range(2))
def test_a_repeated_key_changes_nothing(database: Database, turn: int) -> None:
    with database.write() as session:
        for moment in (NOON, NOON.replace(hour=13)):
            identities.join(session, {("contact", ADA): {1, 2} if turn else {2, 1}}, moment)
    with database.read() as session:
        assert identities.every(session) == [(1, 2, NOON), (2, 1, NOON)]


def test_what_was_told_of_a_record_that_was_merged_is_known_of_the_one_that_it_went_into(loop: Loop, clock: FakeClock) -> None:
    tell(loop, generic("old", plan="gold"), generic("older", seats=3), generic("new", sessions=1))
    clock.move(hours=1)
    merged = {"type": "contact.merged", "properties": {}}
    tell(loop, generic("old", at=clock.now()) | merged | {"targets": [{"kind": "contact", "id": "older"}]})
    clock.move(hours=1)
    tell(loop, generic("new", at=clock.now()) | merged | {"targets": [{"kind": "contact", "id": "old"}]})
    survivor = number_of(loop, "generic", "new")
    assert features(loop, survivor, "plan", "seats", "sessions") == {"plan": "gold", "seats": "3", "sessions": "1"}
    assert features(loop, survivor, "plan", "seats", at=NOON.replace(hour=13, minute=59)) == {"plan": None, "seats": None}


def emails(*addresses: str) -> list[dict[str, Any]]:
    """A person's addresses in Pipedrive; the first is the primary one."""
    return [{"value": address, "primary": place == 0, "label": "work"} for place, address in enumerate(addresses)]


def company(loop: Loop, number: str, **properties: str) -> int:
    ref = {"kind": "company", "id": number}
    tell(loop, {**generic(), "type": "company.changed", "entity": ref, "properties": properties})
    return number_of(loop, "generic", number, EntityKind.COMPANY)


def test_a_secondary_address_is_as_good_as_the_primary_one(loop: Loop) -> None:
    tell(loop, generic("ada@home.example", plan="gold"))
    person(loop, "7", {"name": "Ada", "emails": emails(ADA, "Ada@Home.example")})
    record = number_of(loop, "pipedrive", "7")
    assert same(loop, record) == {number_of(loop, "generic", "ada@home.example")}
    assert features(loop, record, "plan") == {"plan": "gold"}
    with loop.database.read() as session:
        row = entities.by_ids(session, [record])[record]
        assert knowledge.known(session, [row])[record].values["email"] == ADA, "the primary one is shown and written to"


def test_two_whose_only_common_address_is_secondary_to_both_are_one(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "8", {"email": "a@acme.io", "hs_additional_emails": "x@acme.io;Ada@Home.example"})
    person(loop, "7", {"name": "Ada", "emails": emails(ADA, "ada@home.example")})
    created = {"subscriptionType": "contact.creation", "objectId": 8, "portalId": 1, "eventId": 1}
    collect(loop, "hubspot", json.dumps([{**created, "occurredAt": int(NOON.timestamp() * 1000)}]).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)
    assert same(loop, number_of(loop, "hubspot", "8")) == {number_of(loop, "pipedrive", "7")}


def test_a_secondary_address_that_comes_later_makes_one_of_two_from_then_on(loop: Loop, clock: FakeClock) -> None:
    tell(loop, generic("ada@home.example"))
    person(loop, "7", {"name": "Ada", "emails": emails(ADA)})
    assert same(loop, number_of(loop, "pipedrive", "7")) == set()
    clock.move(minutes=1)
    person(loop, "7", {"emails": emails(ADA, "ada@home.example")}, action="change", second=1, previous={"emails": emails(ADA)})
    assert same(loop, number_of(loop, "pipedrive", "7")) == {number_of(loop, "generic", "ada@home.example")}


def test_an_address_of_a_team_makes_nobody_the_same_as_a_secondary_one_either(loop: Loop) -> None:
    for number in range(MOST_OF_ONE_KEY + 3):
        person(loop, str(number), {"name": f"P{number}", "emails": emails(f"p{number}@acme.io", "sales@acme.io")})
    assert same(loop, number_of(loop, "pipedrive", str(MOST_OF_ONE_KEY + 2))) == set()


def test_a_company_is_known_by_its_further_domains(loop: Loop) -> None:
    one = company(loop, "c1", domain="acme.io", hs_additional_domains="acme.de; www.acme.fr")
    assert same(loop, company(loop, "c2", website="https://acme.fr/contact")) == {one}
    assert same(loop, company(loop, "c3", domain="acme.com")) == set()


def test_a_merge_leaves_the_one_that_went_known_by_its_address(loop: Loop) -> None:
    """HubSpot makes the address of the one that goes a secondary one of the one that stays."""
    changed = {"portalId": 1, "occurredAt": int(NOON.timestamp() * 1000), "subscriptionType": "contact.propertyChange"}
    told = [
        {**changed, "eventId": 1, "objectId": 8, "propertyName": "email", "propertyValue": ADA},
        {**changed, "eventId": 2, "objectId": 9, "propertyName": "email", "propertyValue": "ada@old.example"},
        {
            **changed,
            "eventId": 3,
            "subscriptionType": "contact.merge",
            "primaryObjectId": 8,
            "mergedObjectIds": [9],
            "newObjectId": 8,
        },
        {**changed, "eventId": 4, "objectId": 8, "propertyName": "hs_additional_emails", "propertyValue": "ada@old.example"},
    ]
    collect(loop, "hubspot", json.dumps(told).encode(), Driver.WORKER)
    tell(loop, generic("ada@old.example"))
    form = number_of(loop, "generic", "ada@old.example")
    assert same(loop, form) == {number_of(loop, "hubspot", "8"), number_of(loop, "hubspot", "9")}
