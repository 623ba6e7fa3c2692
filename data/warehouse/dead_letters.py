"""Dead letters: what was accepted and did not fit, with the stage, the reason and the bytes; replayable."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, Text, delete, func, text, update
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.warehouse.columns import RowId, instant, row_id

IS_OPEN = "state = 'open'"


class DeadLetterState(StrEnum):
    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"  # somebody has decided that it is not worth more work; it stays to be seen


class DeadLetter(SQLModel, table=True):
    __tablename__ = "dead_letters"
    __table_args__ = (
        Index("ix_dead_letters_state", "state", "created_at"),
        Index("uq_dead_letters_delivery", "delivery_id", unique=True, sqlite_where=text(IS_OPEN), postgresql_where=text(IS_OPEN)),
    )

    id: int | None = row_id()
    source: str
    stage: str
    reason: str = Field(sa_column=Column(Text, nullable=False))
    payload_id: int | None = Field(default=None, sa_type=RowId, foreign_key="payloads.id", index=True)
    position: int | None = None
    """Which item of the payload; None is the whole of it."""
    event_id: int | None = Field(default=None, sa_type=RowId, foreign_key="events.id", index=True)
    delivery_id: str | None = None
    content: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))
    state: str = DeadLetterState.OPEN
    created_at: datetime = instant()
    replayed_at: datetime | None = instant(nullable=True)


def add(session: Session, letters: Sequence[DeadLetter]) -> None:
    session.add_all(letters)
    session.flush()


def add_of_delivery(session: Session, letter: DeadLetter) -> None:
    """Adds the letter of a delivery that was given up, unless one is open already."""
    insert_new(session, DeadLetter, [letter.model_dump(exclude={"id"})], ("delivery_id",), where=text(IS_OPEN))


def get(session: Session, letter_id: int) -> DeadLetter | None:
    return session.get(DeadLetter, letter_id)


def close(session: Session, letter_id: int, state: DeadLetterState, now: datetime) -> bool:
    """Ends an open letter; False where somebody else has done so meanwhile.

    On PostgreSQL its row is locked from here on: what else is locked comes before, as an erasure does it.
    """
    statement = (
        update(DeadLetter)
        .where(col(DeadLetter.id) == letter_id, col(DeadLetter.state) == DeadLetterState.OPEN)
        .values(state=state.value, replayed_at=now)
        .returning(col(DeadLetter.id))
    )
    return session.execute(statement).first() is not None


def listed(
    session: Session,
    *,
    state: str | None = None,
    stage: str | None = None,
    source: str | None = None,
    limit: int = 100,
    before: int | None = None,
) -> Sequence[DeadLetter]:
    """Newest first. `before` is an id to page from."""
    query = select(DeadLetter).order_by(col(DeadLetter.id).desc()).limit(limit)
    for column, wanted in ((DeadLetter.state, state), (DeadLetter.stage, stage), (DeadLetter.source, source)):
        if wanted is not None:
            query = query.where(col(column) == wanted)
    if before is not None:
        query = query.where(col(DeadLetter.id) < before)
    return session.exec(query).all()


def open_ids(session: Session) -> Sequence[int]:
    query = select(DeadLetter.id).where(DeadLetter.state == DeadLetterState.OPEN).order_by(col(DeadLetter.id))
    return [number for number in session.exec(query) if number is not None]


def open_of(session: Session, payload_id: int) -> Sequence[DeadLetter]:
    """What is still set aside of a payload."""
    query = select(DeadLetter).where(DeadLetter.payload_id == payload_id, DeadLetter.state == DeadLetterState.OPEN)
    return session.exec(query).all()


def open_count(session: Session) -> int:
    query = select(func.count()).select_from(DeadLetter).where(DeadLetter.state == DeadLetterState.OPEN)
    return session.exec(query).one()


def payload_ids(session: Session, sources: Iterable[str]) -> set[int]:
    """The payloads of some sources of which something was set aside."""
    named = col(DeadLetter.payload_id)
    query = select(named).where(col(DeadLetter.source).in_(sorted(sources)), named.is_not(None)).distinct()
    return {number for number in session.exec(query) if number is not None}


def without_payload(session: Session) -> Sequence[DeadLetter]:
    """Those that have bytes of their own, as what came to the third door and was refused."""
    return session.exec(select(DeadLetter).where(col(DeadLetter.payload_id).is_(None), DeadLetter.content != b"")).all()


def remove(session: Session, payload_id: int, positions: Collection[int] | None) -> int:
    """Deletes the letters of these items of a payload, or all that it has; how many there were."""
    statement = delete(DeadLetter).where(col(DeadLetter.payload_id) == payload_id)
    if positions is not None:
        statement = statement.where(col(DeadLetter.position).in_(sorted(positions)))
    result: Any = session.execute(statement)
    return int(result.rowcount)
