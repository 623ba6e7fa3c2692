"""Retractions: messages in Slack that told of somebody who was erased, to be deleted there. They outlive their deliveries."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, Text, func
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.domain.delivery import backoff
from data.errors import NotNow, Retryable, VendorError
from data.warehouse.columns import RowId, instant, row_id

UNIQUE = ("block_id",)
LONGEST_ERROR = 2000


class RetractionState(StrEnum):
    PENDING = "pending"
    DONE = "done"  # deleted, or never posted
    GIVEN_UP = "given_up"  # Slack refuses it, and a person has to delete it there


class RetractionRow(SQLModel, table=True):
    __tablename__ = "retractions"
    __table_args__ = (Index("uq_retractions", *UNIQUE, unique=True), Index("ix_retractions_due", "state", "next_attempt_at"))

    id: int | None = row_id()
    erasure_id: int = Field(sa_type=RowId, foreign_key="erasures.id", index=True)
    channel: str
    block_id: str
    receipt: str | None = None  # the message's ts; None where we were not told: it is looked for by its block
    posted_since: datetime = instant()
    state: str = RetractionState.PENDING
    attempts: int = 0
    next_attempt_at: datetime = instant()
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))


def add(session: Session, rows: Sequence[dict[str, Any]]) -> int:
    """Asks for messages to be deleted; how many were not asked for before."""
    first = {"state": RetractionState.PENDING.value, "attempts": 0}
    return len(insert_new(session, RetractionRow, [first | row for row in rows], UNIQUE))


def due(session: Session, now: datetime, *, limit: int) -> Sequence[RetractionRow]:
    """Those to be tried now, the oldest first."""
    waits = RetractionRow.state == RetractionState.PENDING
    query = select(RetractionRow).where(waits, RetractionRow.next_attempt_at <= now).order_by(col(RetractionRow.id)).limit(limit)
    return session.exec(query).all()


def settle(session: Session, row: RetractionRow, now: datetime, error: VendorError | None, *, max_attempts: int) -> bool:
    """What became of one: done, or tried again after a pause; whether it was given up."""
    row.attempts += not isinstance(error, NotNow)
    row.error = error.detail[:LONGEST_ERROR] if error is not None else None
    given_up = error is not None and (not isinstance(error, Retryable) or row.attempts >= max_attempts)
    if error is None or given_up:
        row.state = RetractionState.GIVEN_UP if given_up else RetractionState.DONE
    elif isinstance(error, Retryable):
        row.next_attempt_at = now + backoff(row.attempts, error.retry_after_seconds)
    session.merge(row)
    return given_up


def counts(session: Session, erasure_id: int) -> dict[str, int]:
    """State -> how many messages of an erasure."""
    query = select(RetractionRow.state, func.count()).where(RetractionRow.erasure_id == erasure_id).group_by(RetractionRow.state)
    return dict(session.exec(query).all())
