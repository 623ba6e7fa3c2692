"""What SQLite and PostgreSQL must do alike."""

import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import StatementError
from sqlmodel import Session, SQLModel, select

from data.db import Database
from data.domain.entity import EntityKind, EntityRef
from data.errors import BadInput, NotConfigured, NotReady
from data.migrations import upgrade
from data.warehouse import entities, events, payloads, tables
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.payloads import Payload
from tests.support import NOON

REF = EntityRef(source="generic", kind=EntityKind.CONTACT, id="ada")


def store(session: Session, entity_id: int, payload_id: int, properties: Any) -> int:
    """One event with these properties."""
    row = EventRow(
        source="generic", dedupe_key="key", type="contact.changed", entity_id=entity_id, payload_id=payload_id,
        occurred_at=NOON, received_at=NOON, next_attempt_at=NOON, properties=properties, models=[],
    )  # fmt: skip
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def test_the_migrations_make_exactly_the_tables_that_the_code_names(database: Database) -> None:
    assert tables.TABLES
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    with database.engine.connect() as connection:
        before = MigrationContext.configure(connection).get_current_heads()
    upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_heads() == before != ()
        assert compare_metadata(context, SQLModel.metadata) == []


def test_a_database_of_a_newer_version_is_left_as_it_is(database: Database) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NotConfigured, match="newer Leadloop"):
        upgrade(database)
    with database.read() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


def test_an_instant_comes_back_in_utc_with_its_microseconds(database: Database) -> None:
    moment = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with database.write() as session:
        number = payloads.add(session, Payload(source="generic", driver="worker", body=b"", received_at=moment))
    with database.read() as session:
        stored = payloads.get(session, number)
    assert stored is not None
    assert stored.received_at == moment
    assert stored.received_at.tzinfo == UTC


def test_a_naive_instant_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="naive"), database.write() as session:
        payloads.add(session, Payload(source="generic", driver="worker", body=b"", received_at=datetime(2026, 1, 1)))


def test_any_bytes_are_kept_as_they_are(database: Database) -> None:
    body = bytes(range(256)) * 4
    with database.write() as session:
        number = payloads.add(session, Payload(source="generic", driver="worker", body=body, received_at=NOON))
    with database.read() as session:
        stored = payloads.get(session, number)
    assert stored is not None
    assert stored.body == body


@pytest.mark.parametrize("value", ["nul\x00", "\ud800", float("nan"), float("inf"), {"nul\x00": 1}, [["\x00"]]])
def test_what_one_database_refuses_is_refused_on_both(database: Database, value: object) -> None:
    with pytest.raises((StatementError, BadInput)), database.write() as session:
        ids = entities.ensure(session, [REF], NOON)
        payload = payloads.add(session, Payload(source="generic", driver="worker", body=b"", received_at=NOON))
        store(session, ids[REF], payload, {"value": value})
    with database.read() as session:
        assert session.exec(select(EntityRow)).all() == []


def test_json_comes_back_as_it_went_in(database: Database) -> None:
    value = {"text": "Zoë 🦆 漢字", "number": 1.5, "big": 2**53, "none": None, "list": [1, [2, {"a": True}]], "": "empty key"}
    with database.write() as session:
        ids = entities.ensure(session, [REF], NOON)
        payload = payloads.add(session, Payload(source="generic", driver="worker", body=b"", received_at=NOON))
        number = store(session, ids[REF], payload, value)
    with database.read() as session:
        assert events.by_ids(session, [number])[number].properties == value


def test_an_entity_is_leased_to_one_driver_at_a_time(database: Database) -> None:
    with database.write() as session:
        ids = list(entities.ensure(session, [REF], NOON).values())
    taken: list[set[int]] = []

    def take(number: int) -> None:
        with database.write() as session:
            taken.append(entities.lease(session, ids, f"lease-{number}", NOON, 60))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(found) for found in taken) == [0] * 7 + [1]


def test_an_expired_lease_may_be_taken_over(database: Database) -> None:
    with database.write() as session:
        ids = list(entities.ensure(session, [REF], NOON).values())
        assert entities.lease(session, ids, "first", NOON, 60)
        assert not entities.lease(session, ids, "second", NOON + timedelta(seconds=59), 60)
        assert entities.lease(session, ids, "second", NOON + timedelta(seconds=61), 60)
        entities.release(session, ids, "first")
        assert not entities.lease(session, ids, "third", NOON + timedelta(seconds=62), 60)


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError, match="plug"), database.write() as session:
        payloads.add(session, Payload(source="generic", driver="worker", body=b"x", received_at=NOON))
        raise RuntimeError("plug")
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM payloads")).scalar_one() == 0
        assert events.counts(session) == {}


def test_sqlite_survives_a_power_cut_and_waits_for_its_turn(tmp_path_factory: pytest.TempPathFactory) -> None:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('db') / 'leadloop.db'}")
    with database.read() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert session.execute(text("PRAGMA synchronous")).scalar_one() == 2  # FULL
        assert session.execute(text("PRAGMA busy_timeout")).scalar_one() > 1000
    database.dispose()


def test_a_file_that_is_no_database_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "leadloop.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(NotReady, match="database"):
        Database(f"sqlite:///{tmp_path / 'leadloop.db'}").check()


@pytest.mark.parametrize("url", ["sqlite:////proc/nowhere.db", "postgresql+psycopg://nobody@127.0.0.1:9/none"])
def test_a_database_that_is_away_is_not_ready(url: str) -> None:
    database = Database(url)
    with pytest.raises(NotReady, match="database"):
        database.check()
    database.dispose()


def test_what_is_exclusive_has_one_holder_at_a_time(database: Database) -> None:
    inside, most = [0], [0]

    def work() -> None:
        with database.exclusive("models"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            with database.write() as session:  # the lock is no transaction: work goes on under it
                entities.ensure(session, [REF], NOON)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_whoever_waits_too_long_for_what_is_exclusive_is_told(database: Database) -> None:
    other = Database(database.engine.url.render_as_string(hide_password=False))
    with database.exclusive("models"):
        with pytest.raises(NotReady, match="models"), other.exclusive("models", timeout_seconds=0):
            raise AssertionError("two holders")
        with other.exclusive("something else", timeout_seconds=0):
            pass
    with pytest.raises(KeyError, match="ours"), other.exclusive("models", timeout_seconds=0):
        raise KeyError("ours")
    with database.exclusive("models", timeout_seconds=0):
        pass
    other.dispose()
