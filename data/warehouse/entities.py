"""Entities: each contact, company, deal, ..., and who is working on it now. What is known of them: `facts`."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, false, or_, text, update
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.domain.entity import EntityKind, EntityRef
from data.domain.event_type import Verb
from data.warehouse.columns import RowId, instant, row_id

UNIQUE = ("source", "kind", "vendor_id")


class EntityRow(SQLModel, table=True):
    __tablename__ = "entities"
    __table_args__ = (
        Index("uq_entities", *UNIQUE, unique=True),
        Index("ix_entities_end_revised", "id", sqlite_where=text("end_revised"), postgresql_where=text("end_revised")),
    )

    id: int | None = row_id()
    source: str
    kind: str
    vendor_id: str
    looked_up_at: datetime | None = instant(nullable=True)
    lease_id: str | None = None
    lease_until: datetime | None = instant(nullable=True)
    merged_into_id: int | None = Field(default=None, sa_type=RowId, foreign_key="entities.id", index=True)
    """The one that it has become part of in its source. It is asked no more, and nothing is written to it."""
    deleted_at: datetime | None = instant(nullable=True)
    """When its newest deletion happened, by its sender's clock."""
    restored_at: datetime | None = instant(nullable=True)
    """Of what was ever deleted: when the last thing happened by which it is there, by its sender's clock."""
    end_revised: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """What was told of how it ended may hold no longer: it was opened again, or an outcome was taken back."""
    created_at: datetime = instant()

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None and (self.restored_at is None or self.restored_at <= self.deleted_at)

    def was_deleted_after(self, at: datetime) -> bool:
        """Whether it was deleted after a moment of its sender's clock, were it back by now or not."""
        return self.deleted_at is not None and at < self.deleted_at

    def is_gone(self, at: datetime, verb: Verb) -> bool:
        """Whether what happened to it at a moment tells of something that is there no more."""
        return self.is_deleted and (verb is Verb.REVIEWED or self.was_deleted_after(at))

    @property
    def ref(self) -> EntityRef:
        return EntityRef.model_validate({"source": self.source, "kind": self.kind, "id": self.vendor_id})


def ensure(session: Session, refs: Iterable[EntityRef], now: datetime) -> dict[EntityRef, int]:
    """Creates what is new, and returns the row id of each."""
    wanted = set(refs)
    rows: list[dict[str, Any]] = [
        {"source": ref.source, "kind": ref.kind.value, "vendor_id": ref.id, "created_at": now} for ref in sorted(wanted, key=str)
    ]
    insert_new(session, EntityRow, rows, UNIQUE)
    found: dict[EntityRef, int] = {}
    for source, kind in {(ref.source, ref.kind) for ref in wanted}:
        ids = [ref.id for ref in wanted if (ref.source, ref.kind) == (source, kind)]
        query = select(EntityRow).where(EntityRow.source == source, EntityRow.kind == kind.value, col(EntityRow.vendor_id).in_(ids))
        found |= {row.ref: row.id for row in session.exec(query) if row.id is not None}
    return found


def find(session: Session, ref: EntityRef) -> EntityRow | None:
    query = select(EntityRow).where(EntityRow.source == ref.source, EntityRow.kind == ref.kind.value, EntityRow.vendor_id == ref.id)
    return session.exec(query).first()


def any_of_kind(session: Session, source: str, kind: EntityKind) -> bool:
    query = select(EntityRow.id).where(EntityRow.source == source, EntityRow.kind == kind.value).limit(1)
    return session.exec(query).first() is not None


def of_kind(session: Session, source: str, kind: EntityKind, *, after: int, limit: int) -> list[int]:
    """The next few of a source's entities of a kind behind a row id."""
    query = select(EntityRow.id).where(EntityRow.source == source, EntityRow.kind == kind.value, col(EntityRow.id) > after)
    return [number for number in session.exec(query.order_by(col(EntityRow.id)).limit(limit)) if number is not None]


def by_ids(session: Session, entity_ids: Iterable[int]) -> dict[int, EntityRow]:
    query = select(EntityRow).where(col(EntityRow.id).in_(set(entity_ids)))
    return {row.id: row for row in session.exec(query) if row.id is not None}


def behind(session: Session, source: str, kind: EntityKind, *, after: str, limit: int) -> list[EntityRow]:
    """The next few of a source's entities of a kind behind one of its ids, without those that are another's part."""
    row = EntityRow
    here = (row.source == source, row.kind == kind.value, col(row.vendor_id) > after, col(row.merged_into_id).is_(None))
    return list(session.exec(select(row).where(*here).order_by(col(row.vendor_id)).limit(limit)))


def lock(session: Session, entity_ids: Iterable[int]) -> dict[int, EntityRow]:
    """The rows, locked in one order until the transaction ends, so that two writers can't cross.

    Their keys stay, so whoever adds or changes rows that refer to them does not wait: PostgreSQL only looks whether they are there.
    """
    query = (
        select(EntityRow)
        .where(col(EntityRow.id).in_(set(entity_ids)))
        .order_by(col(EntityRow.id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in session.exec(query) if row.id is not None}


def lease(session: Session, entity_ids: Iterable[int], lease_id: str, now: datetime, seconds: float) -> set[int]:
    """Takes the entities that no other driver holds; returns their ids."""
    lock(session, entity_ids)  # in one order, so that two drivers can't each wait for the other
    free = or_(col(EntityRow.lease_until).is_(None), col(EntityRow.lease_until) <= now)
    statement = (
        update(EntityRow)
        .where(col(EntityRow.id).in_(sorted(set(entity_ids))), or_(free, col(EntityRow.lease_id) == lease_id))
        .values(lease_id=lease_id, lease_until=now + timedelta(seconds=seconds))
        .returning(col(EntityRow.id))
    )
    return {row[0] for row in session.execute(statement)}


def merge(session: Session, gone: Iterable[int], into: int) -> None:
    """Makes entities one with another. The caller holds all their rows."""
    free = col(EntityRow.merged_into_id).is_(None)
    session.execute(update(EntityRow).where(col(EntityRow.id).in_(set(gone) - {into}), free).values(merged_into_id=into))


def revise_end(session: Session, entity_ids: Iterable[int]) -> None:
    """Marks those of which it is to be seen whether what was told of their end still holds. The caller holds their rows."""
    if numbers := set(entity_ids):
        session.execute(update(EntityRow).where(col(EntityRow.id).in_(numbers)).values(end_revised=True))


def with_revised_end(session: Session, *, after: int, limit: int) -> list[int]:
    """The next few of these, behind a row id."""
    # In the words of the index: SQLite compares a column of its own making with 1, and then does not use it.
    query = select(EntityRow.id).where(text("end_revised"), col(EntityRow.id) > after).order_by(col(EntityRow.id)).limit(limit)
    return [number for number in session.exec(query) if number is not None]


def release(session: Session, entity_ids: Iterable[int], lease_id: str) -> None:
    """Gives back what this lease holds; others' leases stay."""
    statement = (
        update(EntityRow)
        .where(col(EntityRow.id).in_(sorted(set(entity_ids))), col(EntityRow.lease_id) == lease_id)
        .values(lease_id=None, lease_until=None)
    )
    session.execute(statement)
