"""Trainings: each with its reason, and what became of it. A row is there before the training begins, so that none is lost."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text
from sqlmodel import Field, Session, SQLModel, col, select

from data.domain.training import TrainingState
from data.warehouse.columns import instant, json_column, row_id


class TrainingRow(SQLModel, table=True):
    __tablename__ = "trainings"
    __table_args__ = (Index("ix_trainings_model", "model", "id"),)

    id: int | None = row_id()
    model: str
    why: str
    said: str = Field(sa_column=Column(Text, nullable=False))  # the reason in words
    state: str = TrainingState.RUNNING
    examples: int
    """The finished examples that there were: what the next training's are compared with."""
    keep: list[str] = json_column()  # columns that a person keeps although they look like leaks: the next training keeps them too
    version: str | None = None
    champion: str | None = None  # whom it was compared with
    figures: dict[str, Any] = json_column()  # name -> [champion's, new one's], on the same rows
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    started_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)


def start(session: Session, row: TrainingRow) -> int:
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def end(session: Session, training_id: int, state: TrainingState, now: datetime, **found: Any) -> TrainingRow:
    """Notes what became of it. `found`: version, champion, figures or error."""
    row = session.exec(select(TrainingRow).where(TrainingRow.id == training_id)).one()
    row.state, row.ended_at = state.value, now
    for name, value in found.items():
        setattr(row, name, value)
    session.add(row)
    session.flush()
    return row


def running(session: Session) -> list[TrainingRow]:
    """Those that nobody has ended. Under the lock of the trainings: those whose process died."""
    return list(session.exec(select(TrainingRow).where(TrainingRow.state == TrainingState.RUNNING).order_by(col(TrainingRow.id))))


def newest(session: Session, model: str, *, done: bool = False) -> TrainingRow | None:
    """The last one that was not interrupted; `done`: the last that made a version."""
    without = [TrainingState.INTERRUPTED, *((TrainingState.FAILED, TrainingState.RUNNING) if done else ())]
    query = select(TrainingRow).where(TrainingRow.model == model, col(TrainingRow.state).not_in(without))
    return session.exec(query.order_by(col(TrainingRow.id).desc()).limit(1)).first()
