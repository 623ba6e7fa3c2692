"""An address that is planted in every column of every table that can hold a text is taken out of each, and nothing else is."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Date, Float, Integer, LargeBinary, String, Table, insert
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

from automation.clients.registry import Clients
from automation.erasure import run
from automation.erasure.report import Report
from automation.pipeline.context import Loop
from data.column_types import JsonValue, UtcDateTime, UtcMicros
from data.db import Database
from data.warehouse.erasures import Origin
from data.warehouse.tables import TABLES
from ml.serving.predictor import Predictor
from tests.ada import ADA, NEIGHBOURS, read, rows, still_told
from tests.conftest import new_postgres_database
from tests.support import NOON, FakeClock, settings_for

pytestmark = pytest.mark.slow

HERS = ("ADA@example.com", "ada%40example.com", r"\u0061da\u0040example.com")
SAID = f"{NEIGHBOURS[0]} to {HERS[0]} '{HERS[1]}' {HERS[2]} {NEIGHBOURS[1]} {NEIGHBOURS[2]}"
LEFT = re.compile(rf"{re.escape(NEIGHBOURS[0])} to (erased-\w{{12}}) '\1' \1 {re.escape(NEIGHBOURS[1])} {re.escape(NEIGHBOURS[2])}")
# What the erasure itself goes by, with a value that it can read. No other column is left out.
GIVEN: dict[str, Any] = {
    "payloads.source": "generic", "payloads.state": "parsed", "entities.source": "generic", "entities.kind": "contact",
    "events.source": "generic", "predictions.source": "generic",
}  # fmt: skip
# A key that is made at random, before anything is known of anybody; and the trail, which only grows and names no person.
NOT_TOLD = {"erasure_keys", "audit"}
# Bytes that are no events are emptied: nobody could say what else in them is hers.
EMPTIED = {"payloads.body"}

KINDS: list[tuple[type[Any], Any]] = [
    (Boolean, False), (Integer, 1), (Float, 0.5), (UtcDateTime, NOON), (UtcMicros, NOON), (Date, date(2026, 3, 2)),
    (JsonValue, {SAID: [SAID, {"x": SAID}]}), (LargeBinary, SAID.encode()), (String, SAID),
    (AutoString, SAID),
]  # fmt: skip
TEXTS = [
    f"{table.__tablename__}.{column.name}"
    for table in TABLES
    for column in SQLModel.metadata.tables[str(table.__tablename__)].columns
    if isinstance(column.type, (JsonValue, LargeBinary, String, AutoString)) and table.__tablename__ not in NOT_TOLD
]


@dataclass(frozen=True)
class Planted:
    before: dict[str, int]
    after: dict[str, int]
    cells: dict[str, list[Any]]
    report: Report


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])])
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """One row in each table with the address in every text; and what is there after she was erased."""
    folder = tmp_path_factory.mktemp("planted")
    database = Database(_url(request, folder))
    settings = settings_for(folder, database_url=database.url)
    predictor = Predictor(settings.models_dir, hot_threshold=settings.hot_threshold, hot_share=settings.hot_share)
    loop = Loop(settings, database, FakeClock(), predictor, Clients())
    _plant(database)
    before = still_told(database)
    report = run.erase(loop, run.ask(loop, ADA, Origin.COMMAND))
    cells: dict[str, list[Any]] = {}
    for table, found in rows(database).items():
        for name, cell in ((name, cell) for row in found for name, cell in row.items()):
            cells.setdefault(f"{table}.{name}", []).append(cell)
    yield Planted(before, still_told(database), cells, report)
    database.dispose()


@pytest.mark.parametrize("where", [one for one in TEXTS if one not in GIVEN])
def test_she_is_taken_out_of_every_column_and_her_neighbours_are_not(planted: Planted, where: str) -> None:
    assert planted.before.get(where), f"{where}: nothing was planted; see to it that it can be"
    assert where not in planted.after
    if where not in EMPTIED:
        assert any(LEFT.search(read(cell)) for cell in planted.cells[where]), planted.cells[where]


def test_the_report_counts_each_column_before_and_says_that_nothing_is_left(planted: Planted) -> None:
    assert planted.report.left == ()
    assert set(planted.report.found) == {one for one in TEXTS if one not in GIVEN}
    assert planted.report.searched["columns"] >= len(TEXTS)
    assert not re.search("ada|example", planted.report.model_dump_json().replace("read", ""), re.IGNORECASE)


def _url(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "postgres":
        return new_postgres_database(request.getfixturevalue("postgres_url"), template=request.getfixturevalue("migrated_postgres"))
    shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "leadloop.db")
    return f"sqlite:///{folder / 'leadloop.db'}"


def _plant(database: Database) -> None:
    made: dict[str, Any] = {}
    with database.write() as session:
        for table in SQLModel.metadata.sorted_tables:
            if table.name not in NOT_TOLD:
                values = {column.name: _value(table, column, made) for column in table.columns if not _is_own_number(column)}
                key = session.execute(insert(table).values(values)).inserted_primary_key
                made[table.name] = key[0] if key else None


def _is_own_number(column: Column[Any]) -> bool:
    return (
        column.primary_key and isinstance(column.type, Integer) and not column.foreign_keys and len(column.table.primary_key) == 1
    )


def _value(table: Table, column: Column[Any], made: dict[str, Any]) -> Any:
    if (given := GIVEN.get(f"{table.name}.{column.name}")) is not None:
        return given
    for reference in column.foreign_keys:
        return None if column.nullable else made[reference.column.table.name]
    return next((value for kind, value in KINDS if isinstance(column.type, kind)), None)
