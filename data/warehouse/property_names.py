"""What an account calls the properties whose keys do not speak for themselves (Pipedrive's custom fields), and their options.

A name stays what it was first seen as, so that a version's inputs go on meaning the same after a rename. An option's label is
kept under its field's key and its id (`data.domain.option`).
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Column
from sqlmodel import Field, Session, SQLModel, select

from data.column_types import UtcMicros
from data.db import add_new
from data.domain.entity import EntityKind


class PropertyName(SQLModel, table=True):
    __tablename__ = "property_names"

    source: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    name: str
    known_at: datetime = Field(sa_column=Column(UtcMicros(), nullable=False))
    """Facts under this key have been of use since then."""


def add(session: Session, source: str, kind: EntityKind, names: Mapping[str, str], now: datetime) -> bool:
    """Remembers the keys that are new; whether there are any."""
    there = {row.key for row in every(session) if (row.source, row.kind) == (source, kind)}
    rows = [
        {"source": source, "kind": kind.value, "key": key, "name": name, "known_at": now}
        for key, name in names.items()
        if key not in there
    ]
    add_new(session, PropertyName, rows)
    return bool(rows)


def every(session: Session) -> list[PropertyName]:
    """All of them: an account has some hundreds."""
    return list(session.exec(select(PropertyName)))
