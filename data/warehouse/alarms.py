"""Alarms: the faults that the looks of `automation.alarms` have found, and whether people were told of them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, Text
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.warehouse.columns import instant

UNIQUE = ("name",)


class AlarmRow(SQLModel, table=True):
    __tablename__ = "alarms"

    name: str = Field(primary_key=True)
    """What the doctor calls it."""
    began_at: datetime = instant()
    told: bool = False
    looks: int = 0
    """How many in a row saw otherwise than what was told: the fault where it was not, or nothing where it was."""
    said: str = Field(sa_column=Column(Text, nullable=False))
    """What was seen of it last."""


def every(session: Session) -> Sequence[AlarmRow]:
    """All of them, locked until the transaction ends."""
    return session.exec(select(AlarmRow).order_by(col(AlarmRow.name)).with_for_update()).all()


def begin(session: Session, name: str, said: str, now: datetime) -> None:
    """A fault that was seen once. Whoever else has seen it meanwhile was first."""
    insert_new(session, AlarmRow, [{"name": name, "began_at": now, "told": False, "looks": 1, "said": said}], UNIQUE)
