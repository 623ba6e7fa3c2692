"""Outcomes: what really happened, once per (entity, result, moment).

They are history: who is opened again keeps its row, and may get another one. Whether somebody has ended by now, facts say
(`open_entities`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Index, delete, text
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


def replace(session: Session, found: Mapping[int, Sequence[tuple[str, datetime]]], now: datetime) -> set[int]:
    """Makes these (result, occurred at) the outcomes of each entity, whose row the caller holds. Those that are there stay.

    Returns the entities that have lost one.
    """
    rows = list(session.exec(select(OutcomeRow).where(col(OutcomeRow.entity_id).in_(found))))
    said = {(number, result, at) for number, ends in found.items() for result, at in ends}
    wrong = {row.id: row.entity_id for row in rows if (row.entity_id, row.result, row.occurred_at) not in said}
    if wrong:
        session.execute(delete(OutcomeRow).where(col(OutcomeRow.id).in_(wrong)))
    new = sorted(said - {(row.entity_id, row.result, row.occurred_at) for row in rows})
    insert_new(
        session, OutcomeRow, [{"entity_id": e, "result": r, "occurred_at": at, "received_at": now} for e, r, at in new], UNIQUE
    )
    return set(wrong.values())


def untold(session: Session, *, after: int = 0, limit: int) -> list[int]:
    """The next few ids, behind one, of those that nobody was told of yet."""
    query = select(OutcomeRow.id).where(col(OutcomeRow.told_at).is_(None), col(OutcomeRow.id) > after)
    return [number for number in session.exec(query.order_by(col(OutcomeRow.id)).limit(limit)) if number is not None]


def take_untold(session: Session, outcome_id: int) -> OutcomeRow | None:
    """One of them until the transaction ends; None where somebody else has it, or has told of it."""
    query = select(OutcomeRow).where(OutcomeRow.id == outcome_id, col(OutcomeRow.told_at).is_(None))
    return session.exec(query.with_for_update(skip_locked=True)).first()
