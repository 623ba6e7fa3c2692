"""Payloads: bytes as received, committed before anything reads them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Column, Index, LargeBinary
from sqlmodel import Field, Session, SQLModel, select

from data.warehouse.columns import instant, row_id


class PayloadState(StrEnum):
    RECEIVED = "received"  # stored; not parsed yet
    PARSED = "parsed"  # its events and dead letters are stored


class Payload(SQLModel, table=True):
    __tablename__ = "payloads"
    __table_args__ = (Index("ix_payloads_state", "state", "received_at"),)

    id: int | None = row_id()
    source: str
    driver: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    received_at: datetime = instant()
    state: str = PayloadState.RECEIVED


def add(session: Session, payload: Payload) -> int:
    session.add(payload)
    session.flush()
    assert payload.id is not None
    return payload.id


def get(session: Session, payload_id: int, *, lock: bool = False) -> Payload | None:
    """The payload; with `lock` until the transaction ends, so that one process parses it."""
    return session.get(Payload, payload_id, with_for_update=lock, populate_existing=lock)


def unparsed(session: Session, now: datetime, *, after: timedelta, limit: int = 100) -> Sequence[Payload]:
    """Payloads whose process died between storing and parsing them."""
    query = (
        select(Payload)
        .where(Payload.state == PayloadState.RECEIVED, Payload.received_at <= now - after)
        .order_by(Payload.id)  # type: ignore[arg-type]
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return session.exec(query).all()
