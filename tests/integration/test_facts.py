"""Facts as they come in: one for each property, once, with their own times; and the table that they are."""

import itertools
import json
from datetime import timedelta

import polars as pl
import pytest
from sqlalchemy import text
from sqlmodel import Session

from automation.history import history
from automation.pipeline.context import Loop
from data.db import Database
from data.domain.entity import EntityKind, EntityRef
from data.domain.fact import Fact, Origin
from data.errors import BadInput
from data.migrations import upgrade
from data.warehouse import entities, fact_frames, facts
from ml.features.build import build
from ml.features.facts import EXAMPLES
from ml.training.labels import HORIZON
from tests.support import COLD, HOT, NOON, FakeClock, generic
from tests.telling import SECOND, features, frame, hubspot, post, rows


def test_an_event_leaves_one_fact_for_each_property(loop: Loop) -> None:
    post(loop, "generic", generic("ada", sessions=4, vip=True, note=" ", tags=["a", 1]))
    found = {row.name: (row.value, row.origin, row.by_us) for row in rows(loop)}
    expected = {"sessions": "4", "vip": "true", "note": None, "tags": '["a", 1]'}
    assert found == {name: (value, "event", False) for name, value in expected.items()}
    assert {(row.occurred_at, row.known_at, row.event_id) for row in rows(loop)} == {(NOON, NOON, 1)}


def test_an_event_without_properties_happened_all_the_same(loop: Loop) -> None:
    post(loop, "hubspot", hubspot("contact", 1))
    assert [(row.name, row.value) for row in rows(loop)] == [("", None)]
    assert features(loop, "events_1d") == (1.0,)


def test_a_repeat_leaves_nothing_more(loop: Loop) -> None:
    item = generic("ada", key="the same", sessions=4)
    post(loop, "generic", item, item)
    post(loop, "generic", item)
    assert len(rows(loop)) == 1


def test_facts_that_are_there_are_not_added_again(database: Database) -> None:
    with database.write() as session:
        (number,) = entities.ensure(session, [EntityRef(source="generic", kind=EntityKind.CONTACT, id="ada")], NOON).values()
        told = [Fact(number, name, "1", NOON, NOON, Origin.BACKFILL) for name in ("a", "b")]
        facts.add(session, told)
        facts.add(session, [*told, Fact(number, "a", "2", NOON + SECOND, NOON + SECOND, Origin.BACKFILL)])
    with database.read() as session:
        assert [(fact.name, fact.value) for fact in facts.of_entities(session, [number])[number]] == [
            ("a", "1"),
            ("b", "1"),
            ("a", "2"),
        ]


def test_a_senders_clock_that_is_ahead_is_set_right_and_the_order_stays(loop: Loop, clock: FakeClock) -> None:
    post(loop, "generic", generic("ada", at=NOON + 9 * SECOND, step="last"), generic("ada", at=NOON + 5 * SECOND, step="first"))
    assert [(row.value, row.occurred_at) for row in rows(loop)] == [("first", NOON - 4 * SECOND), ("last", NOON)]
    assert features(loop, "step") == ("last",)


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(4))), ids=str)
def test_of_a_sender_whose_clock_is_ahead_the_sender_s_order_counts_and_not_that_of_arrival(
    arrival: tuple[int, ...], loop: Loop, clock: FakeClock
) -> None:
    """Each is received before it has happened by its sender's clock, so all of them are dated back to when they came."""
    for number in arrival:
        post(loop, "generic", generic("ada", at=NOON + timedelta(seconds=90 + number), step=str(number)))
        clock.move(seconds=1)
    assert features(loop, "step") == ("3",)
    order = [row.value for row in sorted(rows(loop), key=lambda row: (row.occurred_at, row.known_at, row.id))]
    assert order == ["0", "1", "2", "3"]
    assert all(row.occurred_at <= row.known_at for row in rows(loop))


def test_what_is_deleted_is_known_to_be_empty_from_then_on(loop: Loop, clock: FakeClock) -> None:
    post(loop, "generic", generic("ada", **HOT))
    before = features(loop, "sessions", "channel")
    clock.move(seconds=5)
    post(loop, "generic", {**generic("ada", at=NOON + SECOND), "type": "contact.deleted", "properties": {}})
    assert features(loop, "sessions", "channel") == (None, None)
    example = pl.DataFrame([(1, NOON)], schema=EXAMPLES, orient="row")
    assert build("lead_score", example, frame(loop), wanted=["sessions", "channel"]).row(0) == before


def test_our_own_writes_are_stored_and_never_seen(loop: Loop) -> None:
    post(loop, "hubspot", hubspot("contact", 1, predicted_score="0.9"), hubspot("contact", 1, hs_analytics_num_visits="3"))
    assert [(row.name, row.by_us) for row in rows(loop)] == [("predicted_score", True), ("hs_analytics_num_visits", False)]
    assert set(frame(loop)["name"]) == {"sessions"}
    with loop.database.read() as session:
        assert facts.names_by_us(session) == {"predicted_score"}


def test_a_few_entities_are_read_with_those_they_belong_to(loop: Loop) -> None:
    post(
        loop, "hubspot",
        hubspot("contact", 1, associatedcompanyid="70"), hubspot("company", 70, industry="retail"),
        hubspot("deal", 5, associatedcompanyid="70"), hubspot("deal", 5, dealstage="closedwon"), hubspot("deal", 5, secret="x"),
        hubspot("contact", 2, associatedcompanyid="70"), hubspot("company", 71, industry="finance"),
    )  # fmt: skip
    with loop.database.read() as session:
        (ours,) = entities.ensure(session, [EntityRef(source="hubspot", kind=EntityKind.CONTACT, id="1")], NOON).values()
        alone = fact_frames.of_entities(session, [ours], related=False)
        related = fact_frames.of_entities(session, [ours], related=True)
        every = fact_frames.of_all(session)
    assert alone["name"].to_list() == ["associatedcompanyid"]
    assert sorted(related["name"]) == ["associatedcompanyid", "associatedcompanyid", "dealstage", "industry"]
    assert every.schema == related.schema == fact_frames.SCHEMA
    wanted = ["company_industry", "company_deals_won"]
    example = pl.DataFrame([(ours, NOON)], schema=EXAMPLES, orient="row")
    assert build("lead_score", example, related, wanted=wanted).row(0) == ("retail", 1.0)
    assert build("lead_score", example, every, wanted=wanted).row(0) == ("retail", 1.0)


def test_many_facts_are_read_in_chunks(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    post(loop, "generic", *(generic(f"lead{number}", sessions=number) for number in range(25)))
    with loop.database.read() as session:
        whole = fact_frames.of_all(session)
        monkeypatch.setattr(fact_frames, "CHUNK_ROWS", 10)
        assert fact_frames.of_all(session).equals(whole)
    assert len(whole) == 25


def test_a_property_with_a_name_that_no_crm_has_is_kept_with_its_event_only(loop: Loop) -> None:
    post(loop, "generic", generic("ada", **{"x" * 256: 1, "": 2, "fits": 3}))
    assert [row.name for row in rows(loop)] == ["fits"]


def test_the_warehouse_is_a_table_to_learn_from(loop: Loop, clock: FakeClock) -> None:
    post(loop, "generic", *(generic(f"lead{number}", **(HOT if number % 2 else COLD)) for number in range(10)))
    deal = {"type": "deal.changed", "entity": {"kind": "deal", "id": "1"}}
    clock.move(days=3)
    post(loop, "generic", {**generic(at=clock.now(), contact_id="lead3", status="won"), **deal})
    clock.move(days=HORIZON.days)
    found = history(loop.database, "lead_score", clock.now())
    assert found.labelled.examples["label"].to_list().count(1) == 1
    assert found.features.height == found.labelled.examples.height == 10
    assert found.features.columns[:5] == list(HOT)
    with pytest.raises(BadInput, match="win_probability"):
        history(loop.database, "win_probability", clock.now())


def test_what_was_known_before_there_were_facts_becomes_facts(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database, "0001")
    with database.write() as session:
        put_as_of_0001(session)
    upgrade(database)
    with database.read() as session:
        found = {
            fact.name: (fact.value, fact.occurred_at, fact.known_at, fact.origin) for fact in facts.of_entities(session, [1])[1]
        }
    database.dispose()
    told = NOON + 5 * SECOND
    assert found == {
        "sessions": ("3", told, told, Origin.LOOKUP),
        "email": ("ada@example.com", told, told, Origin.LOOKUP),
        "shoe_size": ("43", NOON, NOON + SECOND, Origin.EVENT),
    }


def put_as_of_0001(session: Session) -> None:
    """One entity of which an event and a look-up told, as it was stored before there were facts."""
    noon, heard = "2026-03-02 12:00:00.000000", "2026-03-02 12:00:01.000000"
    happened, asked = "2026-03-02T12:00:00.000000Z", "2026-03-02T12:00:05.000000Z"
    entity = {"id": 1, "source": "generic", "kind": "contact", "vendor_id": "ada", "created_at": noon,
              "known_values": json.dumps({"sessions": "3", "email": "ada@example.com", "shoe_size": "43"}),
              "known_times": json.dumps({"sessions": asked, "email": asked, "shoe_size": happened})}  # fmt: skip
    payload = {"id": 1, "source": "generic", "driver": "worker", "body": b"", "received_at": heard, "state": "parsed"}
    event = {"id": 1, "source": "generic", "dedupe_key": "k", "type": "contact.changed", "entity_id": 1, "payload_id": 1,
             "occurred_at": noon, "received_at": heard, "properties": '{"shoe_size": 43}', "previous": "{}", "by_us": False,
             "models": "[]", "notes": "{}", "state": "done", "driver": "worker", "attempts": 0,
             "next_attempt_at": heard}  # fmt: skip
    for table, row in (("entities", entity), ("payloads", payload), ("events", event)):
        names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
        session.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), row)
