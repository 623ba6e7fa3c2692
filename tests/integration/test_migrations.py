"""A database of an older version, with data in it and somebody at work on it, becomes one of this version, and nothing is lost."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlmodel
from sqlalchemy import MetaData, Table, func, insert, inspect, select
from sqlmodel import col

from automation import endings
from automation.clients.registry import Clients
from automation.clients.slack import SlackClient
from automation.jobs import worker
from automation.pipeline.context import Loop
from automation.settling import settle
from data.db import Database, insert_new
from data.domain.entity import EntityKind
from data.domain.fact import Fact, Origin
from data.migrations import head, upgrade
from data.warehouse import deal_stages, deliveries, entities, facts, identities, outcomes, predictions
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.outcomes import OutcomeRow
from data.warehouse.predictions import PredictionRow
from ml.serving.predictor import Predictor
from tests.support import HOT, NOON, FakeClock, settings_for

FIRST_WITH_FACTS = BEFORE_VARIANTS = "0002"
BEFORE_IDENTITIES = "0006"
BEFORE_ENDINGS = "0013"
WITH_MESSAGES_IN_ENDINGS = "0017"
BEFORE_DELETIONS = "0025"
BEFORE_DEAL_STAGES = "0020"
WITH_REPEATED_LETTERS = "0022"
PEOPLE = (("hubspot", "7", "ada@example.com"), ("pipedrive", "9", "Ada@example.com"), ("hubspot", "8", "bo@example.com"))


@pytest.fixture
def old(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


def fill(database: Database, *, revision: str) -> dict[str, int]:
    """Rows as a version of then left them: events that wait, whom they are about, and what they told. Table -> how many."""
    upgrade(database, revision)
    meta = MetaData()
    meta.reflect(database.engine)
    micros = int(NOON.timestamp() * 1_000_000)
    with database.engine.begin() as connection:
        for number, (source, vendor_id, email) in enumerate(PEOPLE, 1):
            told = {"email": email, **HOT}
            add(connection, meta.tables["payloads"], id=number, source=source, driver="worker", body=b"[]", state="parsed",
                received_at=NOON)  # fmt: skip
            add(connection, meta.tables["entities"], id=number, source=source, kind="contact", vendor_id=vendor_id, created_at=NOON)
            add(connection, meta.tables["events"], id=number, source=source, dedupe_key=f"key {number}", type="contact.changed",
                entity_id=number, payload_id=number, occurred_at=NOON, received_at=NOON, properties=told, previous={}, targets=[],
                models=["lead_score"], notes={}, state="new", driver="worker", attempts=0, next_attempt_at=NOON,
                by_us=False)  # fmt: skip
            for name, value in told.items():
                add(connection, meta.tables["facts"], entity_id=number, event_id=number, name=name, value=str(value),
                    occurred_at=micros, known_at=micros, origin="event", by_us=False)  # fmt: skip
    return counts(database)


def add(connection: Any, table: Table, **values: Any) -> None:
    """A row of a table as it is by reflection, without what it does not have; SQLite then takes times without a zone."""
    plain = connection.dialect.name == "sqlite"
    found = {name: value for name, value in values.items() if name in table.columns}
    connection.execute(insert(table).values({name: _plain(value) if plain else value for name, value in found.items()}))


def _plain(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def counts(database: Database, tables: tuple[str, ...] = ("payloads", "entities", "events", "facts")) -> dict[str, int]:
    meta = MetaData()
    meta.reflect(database.engine, only=tables)
    with database.engine.connect() as connection:
        return {name: connection.execute(select(func.count()).select_from(meta.tables[name])).scalar_one() for name in tables}


@contextmanager
def at_work(database: Database) -> Iterator[list[int]]:
    """An older process that goes on storing payloads meanwhile; the numbers of those that were committed."""
    meta, done, ended = MetaData(), list[int](), threading.Event()
    meta.reflect(database.engine, only=["payloads"])

    def run() -> None:
        for number in range(1_000, 100_000):
            if ended.is_set():
                return
            with database.engine.begin() as connection:
                add(connection, meta.tables["payloads"], id=number, source="generic", driver="worker", body=b"[]", state="parsed",
                    received_at=NOON)  # fmt: skip
            done.append(number)
            time.sleep(0.002)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("revision", [FIRST_WITH_FACTS, BEFORE_IDENTITIES])
def test_all_that_was_there_is_there(old: Database, revision: str) -> None:
    before = fill(old, revision=revision)
    with at_work(old) as stored:
        upgrade(old)
        time.sleep(0.05)
    assert stored, "somebody was at work meanwhile"
    after = counts(old)
    assert after == {**before, "payloads": before["payloads"] + len(stored)}
    with old.read() as session:
        assert inspect(session.connection()).has_table("alembic_version")
    assert head().startswith("00")


def test_who_is_the_same_by_what_was_told_before_is_known_from_now_on(old: Database) -> None:
    fill(old, revision=BEFORE_IDENTITIES)
    upgrade(old)
    with old.read() as session:
        same = identities.same_as(session, [1, 2, 3])
        assert {number: set(others) for number, others in same.items()} == {1: {2}, 2: {1}}
        (since,) = same[1].values()
        assert since - NOON > timedelta(days=1), "nobody knew it before"
        assert len(entities.by_ids(session, [1, 2, 3])) == 3


def test_what_waited_is_scored_by_the_new_version(old: Database, trained_models: Path, tmp_path: Path) -> None:
    fill(old, revision=BEFORE_IDENTITIES)
    upgrade(old)
    predictor = Predictor(trained_models, hot_threshold=0.5, hot_share=0.05)
    predictor.refresh()
    worker.sweep_inbox(Loop(settings_for(tmp_path), old, FakeClock(), predictor, Clients()))
    meta = MetaData()
    meta.reflect(old.engine, only=["events", "predictions"])
    with old.engine.connect() as connection:
        states = set(connection.execute(select(meta.tables["events"].c.state)).scalars())
        scored = connection.execute(select(func.count()).select_from(meta.tables["predictions"])).scalar_one()
    assert (states, scored) == ({"done"}, len(PEOPLE))


def scored(database: Database, *, revision: str) -> dict[str, int]:
    """The same with a score of everybody, an alert on it and a write-back of it, and how it ended."""
    fill(database, revision=revision)
    meta = MetaData()
    meta.reflect(database.engine)
    with database.engine.begin() as connection:
        for number in range(1, len(PEOPLE) + 1):
            add(connection, meta.tables["predictions"], id=number, event_id=number, entity_id=number, model="lead_score",
                model_version=str(number), variant="champion", shadow=False, score=0.5, label="high", grade="A", threshold=0.5,
                base_value=0.0, factors=[], fields={}, features={"sessions": 5}, occurred_at=NOON, created_at=NOON)  # fmt: skip
            for destination, kind in (("slack", "alert"), ("hubspot", "write_back")):
                add(connection, meta.tables["deliveries"], id=f"{kind} {number}", prediction_id=number, event_id=number,
                    entity_id=number, destination=destination, kind=kind, content={"channel": "#sales", "block_id": str(number)},
                    occurred_at=NOON, state="confirmed" if number == 3 else "pending", carrier="worker", attempts=0,
                    next_attempt_at=NOON, lost_leases=0, receipt="1.1", created_at=NOON)  # fmt: skip
            add(connection, meta.tables["outcomes"], entity_id=number, result="won" if number == 1 else "lost", occurred_at=NOON,
                received_at=NOON + timedelta(hours=number))  # fmt: skip
    return counts(database, ("events", "predictions", "deliveries", "outcomes"))


def test_scores_of_before_there_were_challengers_are_the_champions(old: Database) -> None:
    before = scored(old, revision=BEFORE_VARIANTS)
    upgrade(old)
    assert counts(old, tuple(before)) == before
    with old.read() as session:
        rows = session.exec(sqlmodel.select(PredictionRow).order_by(col(PredictionRow.id))).all()
        assert [(row.model_version, row.variant, row.shadow) for row in rows] == [(n, "champion", False) for n in ("1", "2", "3")]
        assert rows[0].features == {"sessions": 5}
    beside = {**rows[0].model_dump(), "id": 100, "model_version": "9", "variant": "challenger"}
    with old.write() as session:  # a challenger may answer beside each of them, and nobody twice
        assert insert_new(session, PredictionRow, [{**beside, "shadow": True}], predictions.UNIQUE)
        assert not insert_new(session, PredictionRow, [{**beside, "id": 101, "shadow": False}], predictions.UNIQUE)


def test_of_what_ended_before_endings_were_told_nobody_is_told(old: Database, tmp_path: Path) -> None:
    before = scored(old, revision=BEFORE_ENDINGS)
    upgrade(old)
    assert counts(old, tuple(before)) == before
    with old.read() as session:
        assert outcomes.untold(session, limit=100) == []
        told = session.exec(sqlmodel.select(OutcomeRow).order_by(col(OutcomeRow.id))).all()
        assert [row.told_at for row in told] == [row.received_at for row in told]
    predictor = Predictor(tmp_path / "models", hot_threshold=0.5, hot_share=0.05)
    clients = Clients(slack=SlackClient("no-token", "http://127.0.0.1:9/"))
    loop = Loop(settings_for(tmp_path), old, FakeClock(), predictor, clients)
    endings.sweep(loop)
    assert counts(old, ("deliveries",)) == {"deliveries": before["deliveries"]}
    with old.write() as session:
        later = NOON + timedelta(days=1)
        facts.add(session, [Fact(3, "lifecyclestage", "customer", later, later, Origin.BACKFILL)])
        settle(session, {3: EntityKind.CONTACT}, later)
    endings.sweep(loop)
    assert counts(old, ("deliveries",)) == {"deliveries": before["deliveries"] + 1}, "of what ends from now on they are"


def test_of_several_letters_about_one_delivery_the_first_stays_open(old: Database) -> None:
    scored(old, revision=WITH_REPEATED_LETTERS)
    meta = MetaData()
    meta.reflect(old.engine, only=["dead_letters"])
    with old.engine.begin() as connection:
        for delivery, state in (("a", "open"), ("a", "open"), ("b", "replayed"), ("b", "open"), (None, "open"), (None, "open")):
            add(connection, meta.tables["dead_letters"], source="hubspot", stage="activate", reason="gone", delivery_id=delivery,
                content=b"", state=state, created_at=NOON)  # fmt: skip
    upgrade(old)
    with old.read() as session:
        states = session.exec(sqlmodel.select(DeadLetter.state).order_by(col(DeadLetter.id))).all()
        assert states == ["open", "discarded", "replayed", "open", "open", "open"]
        assert not any(row.withdrawn for row in deliveries.listed(session))


def test_the_messages_of_endings_are_let_go_of_and_all_else_stays(old: Database) -> None:
    fill(old, revision=WITH_MESSAGES_IN_ENDINGS)
    ending = {"channel": "#sales", "alert_id": "a", "result": "won", "ended_at": "2026-03-02T12:00:00Z"}
    alert = {"channel": "#sales", "block_id": "leadloop-a", "text": "Hot lead: Ada", "blocks": []}
    contents = {
        "said": {**ending, "message": {"ts": "1.1", "text": "Ada, Cy", "blocks": [{"text": "Hot lead: Ada"}]}},
        "unsaid": {**ending, "message": None},
        "alert": {**alert, "message": "of its own"},
    }
    meta = MetaData()
    meta.reflect(old.engine, only=["deliveries"])
    with old.engine.begin() as connection:
        for number, (name, content) in enumerate(contents.items(), 1):
            add(connection, meta.tables["predictions"], id=number, event_id=number, entity_id=number, model="lead_score",
                model_version="1", variant="champion", shadow=False, score=0.5, label="high", grade="A", threshold=0.5,
                base_value=0.0, factors=[], fields={}, features={}, occurred_at=NOON, created_at=NOON)  # fmt: skip
            add(connection, meta.tables["deliveries"], id=name, prediction_id=number, event_id=number, entity_id=number,
                destination="slack", kind="alert" if name == "alert" else "ending", content=content, occurred_at=NOON,
                state="confirmed", carrier="worker", attempts=0, next_attempt_at=NOON, lost_leases=0, created_at=NOON)  # fmt: skip
    upgrade(old)
    with old.read() as session:
        assert {row.id: row.content for row in deliveries.listed(session)} == {
            "said": ending, "unsaid": ending, "alert": contents["alert"]
        }  # fmt: skip


def test_the_stages_that_deals_have_named_are_asked_about(old: Database) -> None:
    fill(old, revision=BEFORE_DEAL_STAGES)
    meta = MetaData()
    meta.reflect(old.engine, only=["entities", "facts"])
    micros = int(NOON.timestamp() * 1_000_000)
    named = (("hubspot", "174586374"), ("hubspot", "174586374"), ("hubspot", "closedwon"), ("hubspot", None), ("pipedrive", "4"))
    with old.engine.begin() as connection:
        for number, (source, stage) in enumerate(named, 20):
            add(connection, meta.tables["entities"], id=number, source=source, kind="deal", vendor_id=str(number), created_at=NOON)
            add(connection, meta.tables["facts"], entity_id=number, name="dealstage", value=stage, occurred_at=micros,
                known_at=micros, origin="event", by_us=False)  # fmt: skip
    upgrade(old)
    with old.read() as session:
        waiting = deal_stages.due(session, "hubspot", unknown_before=NOON, known_before=NOON)
        rows = [(row.source, row.stage, row.standing) for row in session.exec(sqlmodel.select(deal_stages.DealStage))]
    assert (waiting, sorted(rows)) == (True, [("hubspot", "174586374", None), ("hubspot", "closedwon", None)])


def test_what_was_deleted_and_came_back_is_known_of_the_records(old: Database) -> None:
    fill(old, revision=BEFORE_DELETIONS)
    meta = MetaData()
    meta.reflect(old.engine, only=["entities", "events"])
    happened = {21: ("created", "deleted"), 22: ("deleted", "restored", "changed"), 23: ("created", "changed")}
    with old.engine.begin() as connection:
        for number, verbs in happened.items():
            add(
                connection,
                meta.tables["entities"],
                id=number,
                source="hubspot",
                kind="deal",
                vendor_id=str(number),
                created_at=NOON,
            )
            for hour, verb in enumerate(verbs):
                at = NOON + timedelta(hours=hour)
                add(connection, meta.tables["events"], id=10 * number + hour, dedupe_key=f"{number} {verb}", source="hubspot",
                    entity_id=number, type=f"deal.{verb}", occurred_at=at, received_at=at, properties={}, previous={}, targets=[],
                    models=[], notes={}, derived={}, by_us=False, state="done", driver="worker", attempts=0, next_attempt_at=at,
                    payload_id=1)  # fmt: skip
    upgrade(old)
    with old.read() as session:
        rows = entities.by_ids(session, happened)
    hours = {number: (row.deleted_at, row.restored_at) for number, row in rows.items()}
    assert hours == {
        21: (NOON + timedelta(hours=1), NOON), 22: (NOON, NOON + timedelta(hours=2)), 23: (None, None)
    }  # fmt: skip
    assert {number: row.is_deleted for number, row in rows.items()} == {21: True, 22: False, 23: False}
