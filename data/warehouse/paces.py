"""Paces: how much of each vendor's limit is used up, and whether it is left alone now. Shared by all processes."""

from datetime import datetime, timedelta

from sqlalchemy import Column, Text
from sqlmodel import Field, Session, SQLModel, col, select

from data.column_types import UtcMicros
from data.db import add_new
from data.domain.pace import FIRST_CALL, Rate, rest_after, take
from data.warehouse.columns import instant


class PaceRow(SQLModel, table=True):
    __tablename__ = "paces"

    name: str = Field(primary_key=True)
    full_at: datetime = Field(sa_column=Column(UtcMicros(), nullable=False))
    """When all that was taken will have been given back."""
    failures: int = 0
    rests_until: datetime | None = instant(nullable=True)
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    """What the last failed call said."""


def ask(session: Session, name: str, rate: Rate, now: datetime, wanted: int, *, vendor: str) -> tuple[int, timedelta]:
    """Takes up to `wanted` calls of a limit; returns how many, and how long to wait for the next one."""
    rests = rests_until(session, vendor)
    if rests is not None and rests > now:
        return 0, rests - now
    row = _locked(session, name, now)
    taken = take(row.full_at, now, rate, wanted)
    row.full_at = taken.full_at
    session.add(row)
    return taken.granted, taken.wait


def goes_first(session: Session, vendor: str, now: datetime) -> tuple[bool, timedelta]:
    """After a rest: takes the one call that all others wait for; whether it is ours, else how long to wait at most."""
    granted, wait = ask(session, f"{vendor} after a rest", FIRST_CALL, now, 1, vendor=vendor)
    return bool(granted), wait


def hold(session: Session, name: str, until: datetime, rate: Rate) -> None:
    """The vendor has said to wait: nobody is granted a call before then."""
    row = _locked(session, name, until)
    row.full_at = max(row.full_at, until + rate.interval * (rate.burst - 1))
    session.add(row)


def failed(session: Session, name: str, now: datetime, error: str) -> timedelta:
    """A call was not answered, or by a fault; returns for how long the vendor is left alone from now on.

    Not at all by a call that was under way when the rest began: it says nothing new, and a dozen of them no more than one.
    """
    row = _locked(session, name, now)
    if row.rests_until is not None and row.rests_until > now:
        return timedelta(0)
    row.failures, row.error = row.failures + 1, error[:2000]
    rest = rest_after(row.failures)
    row.rests_until = now + rest if rest else None
    session.add(row)
    return rest


def answered(session: Session, name: str) -> bool:
    """A call was answered after failed ones; whether the vendor was left alone before."""
    row = session.get(PaceRow, name, with_for_update=True, populate_existing=True)
    if row is None or not row.failures:
        return False
    rested = row.rests_until is not None
    row.failures, row.rests_until, row.error = 0, None, None
    session.add(row)
    return rested


def has_failures(session: Session, name: str) -> bool:
    return bool(session.exec(select(PaceRow.failures).where(PaceRow.name == name)).first())


def every(session: Session) -> list[PaceRow]:
    return list(session.exec(select(PaceRow).order_by(col(PaceRow.name))))


def rests_until(session: Session, name: str) -> datetime | None:
    return session.exec(select(PaceRow.rests_until).where(PaceRow.name == name)).first()


def _locked(session: Session, name: str, now: datetime) -> PaceRow:
    row = session.get(PaceRow, name, with_for_update=True, populate_existing=True)
    if row is None:
        add_new(session, PaceRow, [{"name": name, "full_at": now, "failures": 0}])
        row = session.get_one(PaceRow, name, with_for_update=True, populate_existing=True)
    return row
