"""Outcomes: what really happened, once per (entity, result, moment)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, Session, SQLModel

from data.db import insert_new
from data.warehouse.columns import RowId, instant, row_id

UNIQUE = ("entity_id", "result", "occurred_at")


class OutcomeRow(SQLModel, table=True):
    __tablename__ = "outcomes"
    __table_args__ = (Index("uq_outcomes", *UNIQUE, unique=True),)

    id: int | None = row_id()
    entity_id: int = Field(sa_type=RowId, foreign_key="entities.id")
    result: str
    occurred_at: datetime = instant()
    received_at: datetime = instant()


def add_new(session: Session, found: Sequence[tuple[int, str, datetime]], now: datetime) -> int:
    """Stores (entity id, result, occurred at) rows that are new; returns how many were."""
    rows = [{"entity_id": e, "result": r, "occurred_at": at, "received_at": now} for e, r, at in found]
    return len(insert_new(session, OutcomeRow, rows, UNIQUE))
