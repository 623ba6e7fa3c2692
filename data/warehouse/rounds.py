"""Rounds over all records of a kind that are known, each of which asks the CRM whether it still has them."""

from datetime import datetime, timedelta

from sqlmodel import Field, Session, SQLModel, func, select

from data.domain.entity import EntityKind
from data.warehouse.columns import instant

START = ""


class RoundRow(SQLModel, table=True):
    __tablename__ = "rounds"

    source: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    began_at: datetime = instant()
    after: str | None = START
    """The id up to which it has come; None: it has come to its end."""
    records: int = 0
    """How many records it has asked for."""
    found: int = 0
    """How many events it has made of what no webhook had told."""
    found_ever: int = 0


def due(session: Session, source: str, kind: EntityKind, every: timedelta, now: datetime) -> RoundRow:
    """The round, locked: the one that goes on, or a new one where the last has begun so long ago, or the one that has ended."""
    row = session.get(RoundRow, (source, kind.value), with_for_update=True, populate_existing=True)
    if row is None:
        row = RoundRow(source=source, kind=kind.value, began_at=now)
    elif row.after is None and now - row.began_at >= every:
        row.began_at, row.after, row.records, row.found = now, START, 0, 0
    session.add(row)
    session.flush()
    return row


def found_ever(session: Session, source: str) -> int:
    """How many events all rounds have made."""
    return int(session.exec(select(func.coalesce(func.sum(RoundRow.found_ever), 0)).where(RoundRow.source == source)).one())


def keep(session: Session, source: str, kind: EntityKind, after: str | None, records: int, found: int) -> None:
    """How far it has come with a page."""
    row = session.get_one(RoundRow, (source, kind.value), with_for_update=True, populate_existing=True)
    row.after, row.records = after, row.records + records
    row.found, row.found_ever = row.found + found, row.found_ever + found
    session.add(row)
