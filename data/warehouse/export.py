"""Any table as frames, for taking it elsewhere. What opens a door or undoes an erasure stays: digests of tokens, erasures' keys."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from sqlalchemy import Boolean, Date, Float, Integer, LargeBinary, Table, func, select
from sqlmodel import Session, SQLModel

from data.column_types import JsonValue, UtcDateTime, UtcMicros
from data.errors import BadInput
from data.warehouse.tables import TABLES

KEPT_BACK_TABLES = frozenset({"erasure_keys"})
KEPT_BACK_COLUMNS = frozenset({"api_tokens.digest"})
ROWS = 10_000  # of a frame

# The first that fits; what none fits is a text.
TYPES: tuple[tuple[type[Any], Any], ...] = (
    (UtcDateTime, pl.Datetime("us", "UTC")),
    (UtcMicros, pl.Datetime("us", "UTC")),
    (JsonValue, pl.String),
    (LargeBinary, pl.Binary),
    (Boolean, pl.Boolean),
    (Integer, pl.Int64),
    (Float, pl.Float64),
    (Date, pl.Date),
)


def names() -> tuple[str, ...]:
    """The tables that can be exported."""
    return tuple(sorted({str(table.__tablename__) for table in TABLES} - KEPT_BACK_TABLES))


def schema(name: str) -> dict[str, Any]:
    """Column -> the type that it has in a frame, in the table's own order.

    Raises:
        BadInput: there is no such table, or it is not given out.
    """
    return {column.name: _type(column.type) for column in _columns(_table(name))}


def count(session: Session, name: str) -> int:
    return int(session.execute(select(func.count()).select_from(_table(name))).scalar_one())


def frames(session: Session, name: str) -> Iterator[pl.DataFrame]:
    """All rows by their primary key, some at a time; one empty frame where there are none. JSON is a text."""
    table, wanted = _table(name), schema(name)
    columns = _columns(table)
    texts = {column.name for column in columns if isinstance(column.type, JsonValue)}
    query = select(*columns).order_by(*table.primary_key.columns).execution_options(yield_per=ROWS)
    found = False
    for rows in session.execute(query).mappings().partitions():
        found = True
        yield pl.DataFrame([_plain(row, texts) for row in rows], schema=wanted, orient="row")
    if not found:
        yield pl.DataFrame(schema=wanted)


def _plain(row: Mapping[Any, Any], texts: set[str]) -> list[Any]:
    return [_text(value) if name in texts else value for name, value in row.items()]


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _table(name: str) -> Table:
    if name not in names():
        raise BadInput(f"there is no table {name!r} to export; there are {', '.join(names())}", field="table")
    return SQLModel.metadata.tables[name]


def _columns(table: Table) -> list[Any]:
    return [column for column in table.columns if f"{table.name}.{column.name}" not in KEPT_BACK_COLUMNS]


def _type(kind: Any) -> Any:
    return next((found for type_, found in TYPES if isinstance(kind, type_)), pl.String)
