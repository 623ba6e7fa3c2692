"""Events: the canonical facts, and the inbox that drivers take them from."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Index, Text, case, func, or_, update
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.domain.event import Driver, Event, EventState
from data.domain.event_type import Verb
from data.warehouse import entities
from data.warehouse.cascade import chunks
from data.warehouse.columns import RowId, instant, json_column, row_id
from data.warehouse.entities import EntityRow
from data.warehouse.payloads import Payload

UNIQUE = ("source", "dedupe_key")


class EventRow(SQLModel, table=True):
    __tablename__ = "events"
    __table_args__ = (
        Index("uq_events_dedupe", *UNIQUE, unique=True),
        Index("ix_events_due", "state", "next_attempt_at"),
        Index("ix_events_received", "received_at"),
    )

    id: int | None = row_id()
    source: str
    dedupe_key: str
    type: str
    entity_id: int = Field(sa_type=RowId, foreign_key="entities.id", index=True)
    payload_id: int = Field(sa_type=RowId, foreign_key="payloads.id", index=True)
    occurred_at: datetime = instant()
    received_at: datetime = instant()
    properties: dict[str, Any] = json_column()
    previous: dict[str, Any] = json_column()
    targets: list[dict[str, str]] = json_column(list)  # the other entities that it names: kind and id
    by_us: bool = False
    models: list[str] = json_column()
    notes: dict[str, Any] = json_column()  # enrichment -> what it could not do; `schema`: which values are of another type
    derived: dict[str, Any] = json_column()  # enrichment -> what it made of what was known when the event was scored
    state: str = EventState.NEW
    driver: str = Driver.WORKER
    attempts: int = 0
    next_attempt_at: datetime = instant()
    lease_id: str | None = None
    lease_until: datetime | None = instant(nullable=True)
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    done_at: datetime | None = instant(nullable=True)


@dataclass(frozen=True)
class Arrival:
    """What an event needs to be stored, beyond itself."""

    event: Event
    entity_id: int
    models: tuple[str, ...]
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.event.entity.source, self.event.dedupe_key


Key = tuple[str, str]  # source, dedupe key


def types_of(session: Session, keys: Collection[Key]) -> dict[Key, str]:
    """Key -> type of those that are stored."""
    row, found = EventRow, dict[Key, str]()
    for source in {source for source, _ in keys}:
        here = [key for of, key in keys if of == source]
        query = select(row.dedupe_key, row.type).where(row.source == source, col(row.dedupe_key).in_(here))
        found |= {(source, key): name for key, name in session.exec(query)}
    return found


def add_new(
    session: Session, arrivals: Sequence[Arrival], *, payload_id: int, driver: Driver, now: datetime, due: datetime
) -> dict[Key, int]:
    """Stores the arrivals whose key is new; returns key -> event id for those."""
    rows = [
        {
            "source": arrival.event.entity.source,
            "dedupe_key": arrival.event.dedupe_key,
            "type": arrival.event.type,
            "entity_id": arrival.entity_id,
            "payload_id": payload_id,
            "occurred_at": arrival.event.occurred_at,
            "received_at": now,
            "properties": arrival.event.properties,
            "previous": arrival.event.previous,
            "targets": [{"kind": target.kind.value, "id": target.id} for target in arrival.event.targets],
            "by_us": arrival.event.by_us,
            "models": list(arrival.models),
            "notes": arrival.notes,
            "derived": {},
            "state": EventState.NEW.value if arrival.models else EventState.DONE.value,
            "done_at": None if arrival.models else now,
            "driver": driver.value,
            "attempts": 0,
            "next_attempt_at": due,
        }
        for arrival in arrivals
    ]
    inserted = insert_new(session, EventRow, rows, UNIQUE)
    query = select(EventRow.source, EventRow.dedupe_key, EventRow.id)
    found = session.exec(query.where(col(EventRow.dedupe_key).in_({key for _, key in inserted})))
    return {(source, key): number for source, key, number in found if number is not None and (source, key) in inserted}


@dataclass(frozen=True)
class Saying:
    """What an event says of properties, and the source of the payload that it came in first."""

    type: str
    properties: Mapping[str, Any]
    previous: Mapping[str, Any]
    source: str


def sayings(session: Session, event_ids: Iterable[int]) -> dict[int, Saying]:
    row = EventRow
    columns: list[Any] = [row.id, row.type, row.properties, row.previous, Payload.source]
    query = select(*columns).join(Payload, col(Payload.id) == row.payload_id).where(col(row.id).in_(set(event_ids)))
    return {number: Saying(*found) for number, *found in session.exec(query)}


def set_previous(session: Session, found: Mapping[int, Mapping[str, Any]]) -> None:
    """Event id -> what its properties were before it."""
    if found:
        session.execute(update(EventRow), [{"id": number, "previous": dict(values)} for number, values in sorted(found.items())])


def by_ids(session: Session, event_ids: Iterable[int]) -> dict[int, EventRow]:
    query = select(EventRow).where(col(EventRow.id).in_(set(event_ids)))
    return {row.id: row for row in session.exec(query) if row.id is not None}


def of_payload(session: Session, payload_id: int) -> dict[str, EventRow]:
    """Dedupe key -> the event, of those that came in a payload first."""
    return {row.dedupe_key: row for row in session.exec(select(EventRow).where(EventRow.payload_id == payload_id))}


def claim(
    session: Session, lease_id: str, now: datetime, seconds: float, *, event_ids: Iterable[int] | None = None, limit: int = 100
) -> list[EventRow]:
    """Takes events to work on, oldest first, at most one driver to an entity.

    With `event_ids` those of them that are free; without, those that are due. What another driver
    holds is left out.
    """
    free = or_(col(EventRow.lease_until).is_(None), col(EventRow.lease_until) <= now)
    owner_is_free = or_(col(EntityRow.lease_until).is_(None), col(EntityRow.lease_until) <= now)
    query = (
        select(EventRow.id, EventRow.entity_id)
        .join(EntityRow, col(EntityRow.id) == EventRow.entity_id)
        .where(EventRow.state == EventState.NEW, free, owner_is_free)
    )
    if event_ids is not None:
        query = query.where(col(EventRow.id).in_(set(event_ids)))
    else:
        # Past the entities that others have in hand, so that several workers work side by side instead of after one another.
        query = query.where(EventRow.next_attempt_at <= now).with_for_update(skip_locked=True, of=EntityRow, key_share=True)
    candidates = session.exec(query.order_by(col(EventRow.occurred_at), col(EventRow.id)).limit(limit)).all()
    # Entities first, then events: the third door locks in this order too.
    ours = entities.lease(session, {entity for _, entity in candidates}, lease_id, now, seconds)
    wanted = [number for number, entity in candidates if entity in ours]
    claimed = list(
        session.exec(
            select(EventRow)
            .where(col(EventRow.id).in_(wanted), EventRow.state == EventState.NEW, free)
            .order_by(col(EventRow.occurred_at), col(EventRow.id))
            .with_for_update(skip_locked=True, key_share=True)
            .execution_options(populate_existing=True)
        )
    )
    entities.release(session, ours - {row.entity_id for row in claimed}, lease_id)
    for row in claimed:
        row.lease_id, row.lease_until = lease_id, now + timedelta(seconds=seconds)
        session.add(row)
    session.flush()
    return claimed


def hurry(session: Session, event_ids: Iterable[int], now: datetime) -> None:
    """Lets the worker have these as soon as their entity is free, without waiting for the rest of their grace."""
    session.execute(
        update(EventRow)
        .where(col(EventRow.id).in_(set(event_ids)), col(EventRow.state) == EventState.NEW, col(EventRow.attempts) == 0)
        .values(next_attempt_at=now)
    )


def dated_ahead(session: Session, entity_ids: Iterable[int], after: datetime) -> set[int]:
    """Those of the entities that have an event which its sender dates after a moment, and after it was received."""
    row = EventRow
    ahead = (col(row.entity_id).in_(set(entity_ids)), row.occurred_at > after, row.occurred_at > row.received_at)
    return set(session.exec(select(row.entity_id).where(*ahead).distinct()))


def finish(session: Session, rows: Sequence[EventRow], now: datetime) -> None:
    for row in rows:
        row.state, row.done_at, row.lease_id, row.lease_until, row.error = EventState.DONE, now, None, None, None
        session.add(row)
    session.flush()


def postpone(session: Session, row: EventRow, until: datetime, error: str) -> None:
    """Back into the inbox, to be tried again."""
    row.attempts += 1
    row.next_attempt_at, row.error, row.lease_id, row.lease_until = until, error, None, None
    session.add(row)
    session.flush()


def bury(session: Session, row: EventRow, error: str) -> None:
    """Given up; the caller writes the dead letter in the same transaction."""
    row.state, row.error, row.lease_id, row.lease_until = EventState.DEAD, error, None, None
    session.add(row)
    session.flush()


def revive(session: Session, event_id: int, now: datetime) -> bool:
    """Puts a dead event back into the inbox; False if it is not dead."""
    statement = (
        update(EventRow)
        .where(col(EventRow.id) == event_id, col(EventRow.state) == EventState.DEAD)
        .values(state=EventState.NEW.value, attempts=0, next_attempt_at=now, error=None)
        .returning(col(EventRow.id))
    )
    return session.execute(statement).first() is not None


def waiting(session: Session, key_prefix: str) -> int:
    """How many events are not done yet whose keys begin so."""
    here = col(EventRow.dedupe_key).startswith(key_prefix, autoescape=True)
    return session.exec(select(func.count()).where(EventRow.state == EventState.NEW, here)).one()


def newest(session: Session, limit: int) -> Sequence[EventRow]:
    return session.exec(select(EventRow).order_by(col(EventRow.id).desc()).limit(limit)).all()


def last_of(session: Session, entity_ids: Iterable[int]) -> dict[int, EventRow]:
    """Entity -> the event of it that came last."""
    last = select(func.max(EventRow.id)).where(col(EventRow.entity_id).in_(entity_ids)).group_by(col(EventRow.entity_id))
    return {row.entity_id: row for row in session.exec(select(EventRow).where(col(EventRow.id).in_(last)))}


@dataclass(frozen=True)
class Happened:
    """How often something happened to an entity: since each of the asked moments, and the first and the last time."""

    entity_id: int
    type: str
    counts: tuple[int, ...]
    first_at: datetime
    last_at: datetime


def happened(
    session: Session, entity_ids: Iterable[int], until: datetime, since: Sequence[datetime], *, but: Iterable[int]
) -> list[Happened]:
    """What had happened to these entities and was known by a moment, type by type.

    `but`: events that are not counted. Nor are our own writes that came back, and reviews, at which nothing happened.
    """
    row = EventRow
    counted = [func.sum(case((col(row.occurred_at) > moment, 1), else_=0)) for moment in since]
    query = (
        select(row.entity_id, row.type, func.min(row.occurred_at), func.max(row.occurred_at), *counted)
        .where(col(row.entity_id).in_(set(entity_ids)), row.received_at <= until, row.occurred_at <= until, ~col(row.by_us))
        .where(col(row.id).not_in(set(but)), col(row.type).not_like(f"%.{Verb.REVIEWED.value}"))
        .group_by(col(row.entity_id), col(row.type))
        .order_by(col(row.entity_id), col(row.type))
    )
    rows = session.execute(query).all()
    return [Happened(entity, name, tuple(int(n) for n in numbers), first, last) for entity, name, first, last, *numbers in rows]


def counts(session: Session) -> dict[str, int]:
    query = select(EventRow.state, func.count()).group_by(EventRow.state)
    return dict(session.exec(query).all())


def payload_ids(session: Session, entity_ids: Iterable[int]) -> set[int]:
    """The payloads that the events of these entities came in."""
    found: set[int] = set()
    for some in chunks(entity_ids):
        found |= set(session.exec(select(EventRow.payload_id).where(col(EventRow.entity_id).in_(some)).distinct()))
    return found
