"""Enrichments that did not answer, and are tried again: one row for each entity and enrichment, until it answers or is given up."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Column, Index, Text, delete
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.domain.enrichment import Problem, pause
from data.warehouse.columns import RowId, instant

UNIQUE = ("entity_id", "enrichment")
SOON = timedelta(seconds=5)  # a CRM may tell of a record a moment before it gives it out


class EnrichmentTry(SQLModel, table=True):
    __tablename__ = "enrichment_tries"
    __table_args__ = (Index("ix_enrichment_tries_due", "next_attempt_at"),)

    entity_id: int = Field(sa_type=RowId, foreign_key="entities.id", primary_key=True)
    enrichment: str = Field(primary_key=True)
    attempts: int = 0
    next_attempt_at: datetime = instant()
    reason: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = instant()


def add(session: Session, found: Mapping[tuple[int, str], Problem], now: datetime) -> None:
    """(entity id, enrichment) -> why it is to be tried again. What waits already goes on waiting as it does."""
    rows = [
        {
            "entity_id": entity_id, "enrichment": enrichment, "attempts": 0, "reason": problem.detail, "created_at": now,
            "next_attempt_at": now + pause(1, problem.wait_seconds),
        }
        for (entity_id, enrichment), problem in sorted(found.items(), key=lambda pair: pair[0])
    ]  # fmt: skip
    insert_new(session, EnrichmentTry, rows, UNIQUE)


def ask_soon(session: Session, entity_ids: Iterable[int], enrichment: str, now: datetime) -> None:
    """Has an enrichment asked about these, which has not been asked yet."""
    rows = [
        {
            "entity_id": entity_id, "enrichment": enrichment, "attempts": 0, "reason": "not asked yet", "created_at": now,
            "next_attempt_at": now + SOON,
        }
        for entity_id in sorted(entity_ids)
    ]  # fmt: skip
    insert_new(session, EnrichmentTry, rows, UNIQUE)


def take(session: Session, now: datetime, seconds: float, *, limit: int) -> Sequence[EnrichmentTry]:
    """Those that are due, for one process until its lease ends; whoever dies over one has tried it all the same."""
    due = select(EnrichmentTry).where(EnrichmentTry.next_attempt_at <= now).order_by(col(EnrichmentTry.next_attempt_at))
    rows = session.exec(due.limit(limit).with_for_update(skip_locked=True)).all()
    for row in rows:
        row.attempts += 1
        row.next_attempt_at = now + timedelta(seconds=seconds)
        session.add(row)
    session.flush()
    return rows


def done(session: Session, pairs: Iterable[tuple[int, str]]) -> None:
    """It answered, or was given up."""
    for entity_id, enrichment in pairs:
        session.execute(
            delete(EnrichmentTry).where(col(EnrichmentTry.entity_id) == entity_id, col(EnrichmentTry.enrichment) == enrichment)
        )


def postpone(session: Session, row: EnrichmentTry, problem: Problem, now: datetime) -> None:
    """It did not answer this time either."""
    row.attempts -= not problem.counts
    row.reason, row.next_attempt_at = problem.detail, now + pause(row.attempts, problem.wait_seconds)
    session.merge(row)


def waiting(session: Session) -> Sequence[EnrichmentTry]:
    return session.exec(select(EnrichmentTry).order_by(col(EnrichmentTry.entity_id), col(EnrichmentTry.enrichment))).all()
