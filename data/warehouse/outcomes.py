"""Outcomes: what really happened, once per (entity, result, moment)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.warehouse.columns import RowId, instant, row_id

UNIQUE = ("entity_id", "result", "occurred_at")


class OutcomeRow(SQLModel, table=True):
    __tablename__ = "outcomes"
    __table_args__ = (
        Index("uq_outcomes", *UNIQUE, unique=True),
        Index("ix_outcomes_untold", "id", sqlite_where=text("told_at IS NULL"), postgresql_where=text("told_at IS NULL")),
    )

    id: int | None = row_id()
    entity_id: int = Field(sa_type=RowId, foreign_key="entities.id")
    result: str
    occurred_at: datetime = instant()
    received_at: datetime = instant()
    told_at: datetime | None = instant(nullable=True)
    """When whoever was alerted on this entity was told how it ended."""


def add_new(session: Session, found: Sequence[tuple[int, str, datetime]], now: datetime) -> int:
    """Stores (entity id, result, occurred at) rows that are new; returns how many were."""
    rows = [{"entity_id": e, "result": r, "occurred_at": at, "received_at": now} for e, r, at in found]
    return len(insert_new(session, OutcomeRow, rows, UNIQUE))


def untold(session: Session, *, limit: int) -> list[int]:
    """The ids of those that nobody was told of yet, the first ones first."""
    query = select(OutcomeRow.id).where(col(OutcomeRow.told_at).is_(None)).order_by(col(OutcomeRow.id)).limit(limit)
    return [number for number in session.exec(query) if number is not None]


def take_untold(session: Session, outcome_id: int) -> OutcomeRow | None:
    """One of them until the transaction ends; None where somebody else has it, or has told of it."""
    query = select(OutcomeRow).where(OutcomeRow.id == outcome_id, col(OutcomeRow.told_at).is_(None))
    return session.exec(query.with_for_update(skip_locked=True)).first()
