"""Notices: what is told to people of a model or of a fault, once for each thing that there is to tell. What the worker does with
them.

Deliveries belong to a prediction of an entity and are superseded by newer ones; a notice stays. The unique `key` says what it is
about, so that a drift which every look finds again is told once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Index, Text
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.domain.delivery import DeliveryState, backoff
from data.warehouse.columns import instant, json_column, row_id

UNIQUE = ("key",)


class NoticeRow(SQLModel, table=True):
    __tablename__ = "notices"
    __table_args__ = (Index("uq_notices", *UNIQUE, unique=True), Index("ix_notices_due", "state", "next_attempt_at"))

    id: int | None = row_id()
    key: str
    model: str  # empty in a notice of a fault
    content: dict[str, Any] = json_column()  # an Alert: channel, block_id, text, blocks
    state: str = DeliveryState.PENDING
    attempts: int = 0
    lost_leases: int = 0
    """How often it may have been sent without our hearing of it: it is looked for before it is sent again."""
    next_attempt_at: datetime = instant()
    receipt: str | None = None
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    created_at: datetime = instant()


def add_new(session: Session, key: str, model: str, content: dict[str, Any], now: datetime) -> bool:
    """Stores it unless this was told before; whether it is new."""
    row = {
        "key": key, "model": model, "content": content, "state": DeliveryState.PENDING.value, "attempts": 0, "lost_leases": 0,
        "next_attempt_at": now, "created_at": now,
    }  # fmt: skip
    return bool(insert_new(session, NoticeRow, [row], UNIQUE))


def take(session: Session, now: datetime, seconds: float, *, limit: int) -> Sequence[NoticeRow]:
    """Those that are due, for one sender until its lease ends; one whose sender was not heard of again is due once more."""
    waits = col(NoticeRow.state).in_([DeliveryState.PENDING, DeliveryState.LEASED])
    due = select(NoticeRow).where(waits, NoticeRow.next_attempt_at <= now).order_by(col(NoticeRow.id)).limit(limit)
    rows = session.exec(due.with_for_update(skip_locked=True)).all()
    for row in rows:
        row.lost_leases += row.state == DeliveryState.LEASED
        row.state, row.next_attempt_at = DeliveryState.LEASED, now + timedelta(seconds=seconds)
        session.add(row)
    session.flush()
    return rows


def sent(session: Session, notice_id: int, receipt: str | None) -> None:
    row = _locked(session, notice_id)
    row.state, row.receipt, row.error = DeliveryState.CONFIRMED, receipt, None
    session.add(row)


def failed(
    session: Session, notice_id: int, now: datetime, error: str, *, give_up: bool, unsure: bool, retry_after_seconds: float | None
) -> None:
    """Tried again after a pause, or given up."""
    row = _locked(session, notice_id)
    row.attempts += 1
    row.lost_leases += unsure
    row.error, row.state = error[:2000], DeliveryState.DEAD if give_up else DeliveryState.PENDING
    row.next_attempt_at = now + backoff(row.attempts, retry_after_seconds)
    session.add(row)


def _locked(session: Session, notice_id: int) -> NoticeRow:
    return session.exec(select(NoticeRow).where(NoticeRow.id == notice_id).with_for_update()).one()
