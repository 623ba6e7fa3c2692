"""Erasures: each a row before anything is erased, so that it goes on after a kill. Whom it was about goes from it at the end."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, Text, text
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.domain.delivery import backoff
from data.domain.entity import EntityRef
from data.domain.person import Person
from data.warehouse.columns import instant, json_column, row_id
from data.warehouse.erasure_keys import digests


class ErasureState(StrEnum):
    ASKED = "asked"  # it waits, or is under way
    CLEARING = "clearing"  # no row tells of the person any more; their bytes are being overwritten
    DONE = "done"


WHOM = ("asked", "person")  # the columns that tell whom an erasure is about


class Origin(StrEnum):
    COMMAND = "command"
    API = "api"
    EVENT = "event"  # the CRM told of a privacy deletion
    LOOKUP = "lookup"  # a CRM gave out somebody who had been erased


class ErasureRow(SQLModel, table=True):
    __tablename__ = "erasures"
    __table_args__ = (
        Index(
            "uq_erasures_asked",
            "digest",
            unique=True,
            sqlite_where=text("state = 'asked'"),
            postgresql_where=text("state = 'asked'"),
        ),
        Index("ix_erasures_due", "state", "next_attempt_at"),
    )

    id: int | None = row_id()
    digest: str
    """Of the address or record that was asked for: the same is asked for once at a time."""
    origin: str
    asked: dict[str, Any] = json_column()  # a Person with what was asked for; empty when it is over
    person: dict[str, Any] = json_column()  # all that was found of them; empty when it is over
    report: dict[str, Any] = json_column()  # counts, and what is left; it names nobody
    state: str = ErasureState.ASKED
    attempts: int = 0
    next_attempt_at: datetime = instant()
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    requested_at: datetime = instant()
    done_at: datetime | None = instant(nullable=True)


def ask(session: Session, asked: str | EntityRef, origin: Origin, now: datetime) -> int:
    """Asks for the erasure of whoever has this address or record; the same as one that waits is that one. Returns its id."""
    made = digests(session)
    digest = made.of_address(asked) if isinstance(asked, str) else made.of_record(asked)
    person = Person(addresses=(asked,)) if isinstance(asked, str) else Person(records=(asked,))
    row = {
        "digest": digest, "origin": origin.value, "asked": person.model_dump(mode="json"), "person": {}, "report": {},
        "state": ErasureState.ASKED.value, "attempts": 0, "next_attempt_at": now, "requested_at": now,
    }  # fmt: skip
    table: Any = ErasureRow
    insert_new(session, table, [row], ("digest",), where=text("state = 'asked'"))
    query = select(ErasureRow.id).where(ErasureRow.digest == digest, ErasureRow.state == ErasureState.ASKED)
    found = session.exec(query).one()
    assert found is not None
    return found


def get(session: Session, erasure_id: int) -> ErasureRow | None:
    return session.get(ErasureRow, erasure_id, populate_existing=True)


def due(session: Session, now: datetime) -> list[int]:
    """Those that are to go on, the oldest first."""
    open_ = col(ErasureRow.state) != ErasureState.DONE.value
    query = select(ErasureRow.id).where(open_, ErasureRow.next_attempt_at <= now).order_by(col(ErasureRow.id))
    return [number for number in session.exec(query) if number is not None]


def keep_person(session: Session, erasure_id: int, person: Person) -> None:
    row = _locked(session, erasure_id)
    row.person = person.model_dump(mode="json")
    session.add(row)


def count(session: Session, erasure_id: int, part: str, counts: Mapping[str, int]) -> None:
    """Adds to a part of the report what was found or done, in the transaction that did it."""
    row = _locked(session, erasure_id)
    before = row.report.get(part, {})
    row.report = {**row.report, part: before | {name: before.get(name, 0) + number for name, number in counts.items()}}
    session.add(row)


def tell(session: Session, erasure_id: int, parts: Mapping[str, Any]) -> None:
    """Puts parts into the report."""
    row = _locked(session, erasure_id)
    row.report = {**row.report, **parts}
    session.add(row)


def tell_first(session: Session, erasure_id: int, parts: Mapping[str, Any]) -> None:
    """The same, but what is told already stays: who goes on after a kill finds less than there was."""
    row = _locked(session, erasure_id)
    row.report = {**parts, **row.report}
    session.add(row)


def move(session: Session, erasure_id: int, state: ErasureState, now: datetime) -> ErasureRow:
    """On to the next state. Past the first nothing in the row tells whom it was about."""
    row = _locked(session, erasure_id)
    row.state, row.error = state, None
    row.asked, row.person = {}, {}
    row.done_at = now if state is ErasureState.DONE else None
    session.add(row)
    session.flush()
    return row


def failed(session: Session, erasure_id: int, now: datetime, error: str) -> None:
    """Tried again after a pause."""
    row = _locked(session, erasure_id)
    row.attempts += 1
    row.error, row.next_attempt_at = error, now + backoff(row.attempts)
    session.add(row)


def _locked(session: Session, erasure_id: int) -> ErasureRow:
    query = select(ErasureRow).where(ErasureRow.id == erasure_id).with_for_update().execution_options(populate_existing=True)
    return session.exec(query).one()
