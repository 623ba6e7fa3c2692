"""Runs of timed jobs that must happen once over all processes: whoever stores the row first runs it."""

from datetime import datetime, timedelta

from sqlalchemy import Column, delete
from sqlmodel import Field, Session, SQLModel, col

from data.column_types import UtcDateTime
from data.db import insert_new
from data.warehouse.columns import instant

UNIQUE = ("job", "scheduled_at")
KEPT = timedelta(days=30)


class JobRun(SQLModel, table=True):
    __tablename__ = "job_runs"

    job: str = Field(primary_key=True)
    scheduled_at: datetime = Field(sa_column=Column(UtcDateTime(), primary_key=True))
    started_at: datetime = instant()


def is_first(session: Session, job: str, scheduled_at: datetime, now: datetime) -> bool:
    """Takes a run; False where another process has taken it. Forgets those of long ago."""
    session.execute(delete(JobRun).where(col(JobRun.job) == job, col(JobRun.scheduled_at) < now - KEPT))
    return bool(insert_new(session, JobRun, [{"job": job, "scheduled_at": scheduled_at, "started_at": now}], UNIQUE))


def give_back(session: Session, job: str, scheduled_at: datetime) -> None:
    """A run that was in vain may be taken again."""
    session.execute(delete(JobRun).where(col(JobRun.job) == job, col(JobRun.scheduled_at) == scheduled_at))
