"""Payloads: bytes as received, committed before anything reads them."""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, and_, func, literal, or_, update
from sqlmodel import Field, Session, SQLModel, col, select

from data.domain.event import Driver
from data.warehouse.cascade import chunks
from data.warehouse.columns import instant, row_id

STREAM_ROWS = 500  # how many are in memory at once


class PayloadState(StrEnum):
    RECEIVED = "received"  # stored; whoever took it is parsing it
    DEFERRED = "deferred"  # stored; more came at once than could be parsed meanwhile, so the worker does it
    PARSED = "parsed"  # its events and dead letters are stored
    PRUNED = "pruned"  # its bytes were kept for long enough; the row is there for its events


UNPARSED = (PayloadState.RECEIVED, PayloadState.DEFERRED)


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


def add_all(session: Session, found: Sequence[Payload]) -> list[int]:
    """Stores several in one statement, past the session, which costs less; their row ids."""
    table = Payload.__table__  # type: ignore[attr-defined]
    rows = [one.model_dump(exclude={"id"}) for one in found]
    return list(session.execute(table.insert().returning(table.c.id, sort_by_parameter_order=True), rows).scalars()) if rows else []


def defer(session: Session, payload_id: int) -> None:
    """Leaves a payload to the worker, unless somebody has parsed it meanwhile."""
    mine = (col(Payload.id) == payload_id, col(Payload.state) == PayloadState.RECEIVED)
    session.execute(update(Payload).where(*mine).values(state=PayloadState.DEFERRED.value, driver=Driver.WORKER.value))


def get(session: Session, payload_id: int, *, lock: bool = False) -> Payload | None:
    """The payload; with `lock` until the transaction ends, so that one process parses it."""
    return session.get(Payload, payload_id, with_for_update={"key_share": True} if lock else None, populate_existing=lock)


def take(session: Session, payload_id: int) -> Payload | None:
    """The payload if it waits to be parsed and nobody else is at it: it is the caller's until the transaction ends."""
    query = (
        select(Payload)
        .where(Payload.id == payload_id, col(Payload.state).in_(UNPARSED))
        .with_for_update(skip_locked=True, key_share=True)
    )
    return session.exec(query.execution_options(populate_existing=True)).first()


def unparsed(session: Session, now: datetime, *, after: timedelta, behind: int = 0, limit: int = 100) -> Sequence[int]:
    """The oldest payloads behind a row id that were put off, or whose process died between storing and parsing them."""
    state = col(Payload.state)
    died = and_(state == PayloadState.RECEIVED, col(Payload.received_at) <= now - after)
    waiting = or_(state == PayloadState.DEFERRED, died)
    query = select(Payload.id).where(waiting, col(Payload.id) > behind).order_by(col(Payload.id)).limit(limit)
    return [number for number in session.exec(query) if number is not None]


def received(
    session: Session, since: datetime | None, until: datetime | None, source: str | None, *, behind: int = 0, limit: int = 100
) -> Sequence[int]:
    """The ids of what came in a range of time (`since` inclusive, `until` not), oldest first, behind a row id."""
    query = select(Payload.id).where(*_in_range(since, until, source), col(Payload.id) > behind)
    return [number for number in session.exec(query.order_by(col(Payload.id)).limit(limit)) if number is not None]


def count_received(session: Session, since: datetime | None, until: datetime | None, source: str | None) -> int:
    return session.exec(select(func.count()).select_from(Payload).where(*_in_range(since, until, source))).one()


def waiting(session: Session) -> tuple[int, datetime | None]:
    """How many are not parsed yet, and when the first of them came."""
    query = select(func.count(), func.min(Payload.received_at)).where(col(Payload.state).in_(UNPARSED))
    return session.exec(query).one()


def naming(session: Session, sources: Iterable[str], numbers: Collection[str]) -> set[int]:
    """Those of some sources in whose bytes one of these ids stands: a repeat has no event of its own that would tell."""
    body, found = col(Payload.body), set[int]()
    alone = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(numbers)))})(?!\w)".encode())
    for some in chunks(numbers):
        here = or_(*(_position(session, body, number.encode()) > 0 for number in some))
        query = select(Payload.id, Payload.body).where(col(Payload.source).in_(sorted(sources)), here)
        for number, content in session.exec(query.execution_options(yield_per=STREAM_ROWS)):
            found |= {number} if number is not None and alone.search(content) else set()
    return found


def locked(session: Session, payload_ids: Iterable[int]) -> Sequence[Payload]:
    """These, in one order, until the transaction ends."""
    query = select(Payload).where(col(Payload.id).in_(set(payload_ids))).order_by(col(Payload.id)).with_for_update(key_share=True)
    return session.exec(query.execution_options(populate_existing=True)).all()


def _in_range(since: datetime | None, until: datetime | None, source: str | None) -> list[Any]:
    found: list[Any] = []
    if since is not None:
        found.append(col(Payload.received_at) >= since)
    if until is not None:
        found.append(col(Payload.received_at) < until)
    return found if source is None else [*found, col(Payload.source) == source]


def _position(session: Session, body: Any, part: bytes) -> Any:
    if session.get_bind().dialect.name == "postgresql":
        return func.position(literal(part, LargeBinary).op("IN")(body))
    return func.instr(body, literal(part, LargeBinary))
