"""Removes rows with all rows that refer to them, in any table: found from the foreign keys, so that no table is forgotten."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Table, delete, select, update
from sqlmodel import Session, SQLModel

CHUNK_ROWS = 500  # ids in one statement

# References that are no foreign keys: column -> the table whose rows it names.
NAMES: dict[str, str] = {
    "dead_letters.delivery_id": "deliveries",
    "identity_members.entity_id": "entities",
    "same_entities.entity_id": "entities",
    "same_entities.same_id": "entities",
}


def remove(session: Session, table: Table, ids: Iterable[Any]) -> Counter[str]:
    """Deletes rows by their ids, and before them what refers to them; returns how many of each table.

    A row that refers to another of its own table (an entity that was merged into one) stays, and refers to nothing.
    """
    gone: Counter[str] = Counter()
    (key,) = table.primary_key
    for some in chunks(ids):
        for column in _referring(table):
            if column.table is table:
                session.execute(update(table).where(column.in_(some)).values({column: None}))
            else:
                gone += _remove_where(session, column, some)
        result: Any = session.execute(delete(table).where(key.in_(some)))
        gone[table.name] += result.rowcount
    return gone


def chunks(ids: Iterable[Any]) -> Iterator[list[Any]]:
    """In an order that is the same for all, in pieces that a statement can carry."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), CHUNK_ROWS):
        yield ordered[start : start + CHUNK_ROWS]


def _remove_where(session: Session, column: Column[Any], values: Sequence[Any]) -> Counter[str]:
    table = column.table
    assert isinstance(table, Table)
    if len(table.primary_key) == 1 and _referring(table):
        (key,) = table.primary_key
        return remove(session, table, session.execute(select(key).where(column.in_(values))).scalars())
    result: Any = session.execute(delete(table).where(column.in_(values)))
    return Counter({table.name: result.rowcount})


def _referring(table: Table) -> list[Column[Any]]:
    """The columns, of all tables, that name rows of this one."""
    columns = [column for other in SQLModel.metadata.sorted_tables for column in other.columns]
    by_key = [column for column in columns if any(key.column.table is table for key in column.foreign_keys)]
    return by_key + [column for column in columns if NAMES.get(f"{column.table.name}.{column.name}") == table.name]
