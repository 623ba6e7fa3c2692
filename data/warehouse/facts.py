"""Facts: what each property of each entity was, since when, and when we came to know it. Rows are added, never changed.

Whoever adds facts of an entity, or scores it, holds the entity's row meanwhile and looks at the clock after that. So a
fact that is stored later is known later, and what is visible at a moment that was scored stays what it was.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sql
from sqlalchemy import Column, Index, Text, delete, func, or_, text
from sqlmodel import Field, Session, SQLModel, col, select

from data.column_types import UtcMicros
from data.db import add_new
from data.domain.entity import EntityKind
from data.domain.fact import NAMELESS, Dated, Fact, Origin
from data.domain.relation import LINK
from data.warehouse.columns import RowId, row_id
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.payloads import Payload


class FactRow(SQLModel, table=True):
    __tablename__ = "facts"
    __table_args__ = (
        Index("uq_facts_event", "event_id", "name", unique=True),
        Index(
            "uq_facts_told",
            "entity_id",
            "name",
            "occurred_at",
            "origin",
            unique=True,
            sqlite_where=text("event_id IS NULL"),
            postgresql_where=text("event_id IS NULL"),
        ),
        Index(
            "ix_facts_target",
            "target_id",
            sqlite_where=text("target_id IS NOT NULL"),
            postgresql_where=text("target_id IS NOT NULL"),
        ),
    )

    id: int | None = row_id()
    entity_id: int = Field(sa_type=RowId, foreign_key="entities.id", index=True)
    event_id: int | None = Field(default=None, sa_type=RowId, foreign_key="events.id")
    name: str
    value: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    target_id: int | None = Field(default=None, sa_type=RowId, foreign_key="entities.id")
    """The entity that the value names, where the property is a relation."""
    occurred_at: datetime = Field(sa_column=Column(UtcMicros(), nullable=False))
    known_at: datetime = Field(sa_column=Column(UtcMicros(), nullable=False))
    origin: str
    by_us: bool = False


def add(session: Session, found: Sequence[Fact]) -> None:
    """Stores facts; those that are there already change nothing."""
    add_new(
        session,
        FactRow,
        [
            {
                "entity_id": fact.entity_id,
                "event_id": fact.event_id,
                "name": fact.name,
                "value": fact.value,
                "target_id": fact.target_id,
                "occurred_at": fact.occurred_at,
                "known_at": fact.known_at,
                "origin": fact.origin.value,
                "by_us": fact.by_us,
            }
            for fact in found
        ],
    )


def add_beside(session: Session, fact: Fact, told: Mapping[str, str], now: datetime) -> None:
    """Stores what a fact says besides, of the same event or moment, known from `now` on."""
    add(session, [replace(fact, name=name, value=value, target_id=None, known_at=now) for name, value in told.items()])


def forget_event(session: Session, event_id: int) -> None:
    """Takes away what an event said, for whoever stores what it says by today's code."""
    session.execute(delete(FactRow).where(col(FactRow.event_id) == event_id))


def forget_gone(session: Session, entity_id: int) -> None:
    """Takes away that what was told late was no more since a deletion, for there was none."""
    row = FactRow
    here = (col(row.entity_id) == entity_id, col(row.event_id).is_(None), col(row.origin) == Origin.EVENT.value)
    session.execute(delete(row).where(*here, col(row.value).is_(None)))


def of_entities(session: Session, entity_ids: Iterable[int], names: Collection[str] | None = None) -> dict[int, list[Fact]]:
    """All facts of a few entities, or those with these names; every id has its entry."""
    found: dict[int, list[Fact]] = {number: [] for number in entity_ids}
    query = select(FactRow).where(col(FactRow.entity_id).in_(found))
    if names is not None:
        query = query.where(col(FactRow.name).in_(names))
    for row in session.exec(query):
        found[row.entity_id].append(_fact(row))
    return found


@dataclass(frozen=True)
class Former:
    """What a property was before an event told of it."""

    event_id: int
    name: str
    value: str | None


def formers(session: Session, entity_ids: Collection[int], names: Collection[str], known_at: datetime) -> list[Former]:
    """What these properties of some entities were before each event that told of them.

    Only of events that are known since a moment, and of those that come after what is.
    """
    row = FactRow
    order: dict[str, Any] = {"partition_by": (row.entity_id, row.name), "order_by": (row.occurred_at, row.known_at, row.id)}
    before = {
        "value": func.lag(row.value),
        "before_id": func.lag(row.id),
        "before_known_at": func.lag(row.known_at, type_=UtcMicros()),
    }
    lagged = [column.over(**order).label(name) for name, column in before.items()]
    columns: list[Any] = [row.event_id, row.name, row.known_at, *lagged]
    story = (select(*columns).where(col(row.entity_id).in_(entity_ids), col(row.name).in_(names)).subquery()).c
    query = sql.select(story.event_id, story.name, story.value).where(
        story.event_id.is_not(None),
        story.before_id.is_not(None),
        or_(story.known_at == known_at, story.before_known_at == known_at),
    )
    return [Former(*found) for found in session.execute(query)]


def with_value(session: Session, entity_ids: Collection[int], name: str, values: Collection[str]) -> list[int]:
    """Those of these entities whose property ever had one of these values, in the order of their ids."""
    here = col(FactRow.entity_id).in_(entity_ids), FactRow.name == name, col(FactRow.value).in_(values)
    return sorted(session.exec(select(FactRow.entity_id).where(*here).distinct()))


def links_of(session: Session, entity_ids: Iterable[int], kind: EntityKind) -> dict[int, list[Fact]]:
    """What is told of links to entities of a kind; every id has its entry."""
    found: dict[int, list[Fact]] = {number: [] for number in entity_ids}
    here = col(FactRow.name).startswith(f"{LINK}{kind.value}:", autoescape=True)
    for row in session.exec(select(FactRow).where(col(FactRow.entity_id).in_(found), here)):
        found[row.entity_id].append(_fact(row))
    return found


def naming(session: Session, target_ids: Collection[int], kind: EntityKind) -> dict[int, EntityRow]:
    """The entities of a kind that have ever named one of these, without those that have become part of another."""
    if not target_ids:
        return {}
    query = (
        select(EntityRow)
        .join(FactRow, col(FactRow.entity_id) == EntityRow.id)
        .where(col(FactRow.target_id).in_(target_ids), EntityRow.kind == kind.value, col(EntityRow.merged_into_id).is_(None))
        .distinct()
    )
    return {row.id: row for row in session.exec(query) if row.id is not None}


def named_by(session: Session, entity_id: int, kind: EntityKind) -> set[int]:
    """The entities of a kind that one has ever named."""
    query = (
        select(FactRow.target_id)
        .join(EntityRow, col(EntityRow.id) == FactRow.target_id)
        .where(FactRow.entity_id == entity_id, EntityRow.kind == kind.value)
        .distinct()
    )
    return {number for number in session.exec(query) if number is not None}


def dated(session: Session, entity_ids: Collection[int], *, but_from: str) -> dict[int, list[Dated]]:
    """Each entity's own events that facts have come of: when they happened by their sender, and for us. What another record's event
    says of it, as of a link, has its place among the events of the other.

    `but_from`: the source of payloads whose events are dated by another clock.
    """
    query = (
        select(FactRow.entity_id, EventRow.occurred_at, FactRow.occurred_at)
        .join(EventRow, col(EventRow.id) == FactRow.event_id)
        .join(Payload, col(Payload.id) == EventRow.payload_id)
        .where(col(FactRow.entity_id).in_(set(entity_ids)), EventRow.entity_id == FactRow.entity_id, Payload.source != but_from)
    )
    found: dict[int, list[Dated]] = {}
    for number, occurred_at, happened_at in session.exec(query.distinct()) if entity_ids else ():
        found.setdefault(number, []).append(Dated(occurred_at, happened_at))
    return found


def names_of(session: Session, entity_ids: Iterable[int]) -> dict[int, set[str]]:
    """The properties that anything is known of, for each entity."""
    found: dict[int, set[str]] = {number: set() for number in entity_ids}
    query = select(FactRow.entity_id, FactRow.name).where(col(FactRow.entity_id).in_(found), FactRow.name != NAMELESS).distinct()
    for entity_id, name in session.exec(query):
        found[entity_id].add(name)
    return found


def names_of_kind(session: Session, kind: EntityKind) -> set[tuple[str, str]]:
    """The properties that anything is known of, over all entities of a kind: (source, name)."""
    query = (
        select(EntityRow.source, FactRow.name)
        .join(FactRow, col(FactRow.entity_id) == EntityRow.id)
        .where(EntityRow.kind == kind.value, FactRow.name != NAMELESS)
        .distinct()
    )
    return set(session.exec(query))


def names_by_us(session: Session) -> set[str]:
    """The properties that we have ever written: none of them may become an input of a model."""
    return set(session.exec(select(FactRow.name).where(col(FactRow.by_us)).distinct()))


def _fact(row: FactRow) -> Fact:
    return Fact(
        entity_id=row.entity_id, name=row.name, value=row.value, occurred_at=row.occurred_at, known_at=row.known_at,
        origin=Origin(row.origin), by_us=row.by_us, event_id=row.event_id, target_id=row.target_id, id=row.id or 0,
    )  # fmt: skip
