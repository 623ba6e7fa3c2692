"""What the stages of an account's pipelines say of the deals that are in them. A row is made for each stage that any deal names."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Column, Text, or_, update
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import add_new
from data.domain.outcome import Standing
from data.warehouse.columns import instant


class DealStage(SQLModel, table=True):
    __tablename__ = "deal_stages"

    source: str = Field(primary_key=True)
    stage: str = Field(primary_key=True)
    standing: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    """None: the CRM was not asked yet, or knows no such stage."""
    asked_at: datetime | None = instant(nullable=True)
    told_at: datetime | None = instant(nullable=True)
    """When the deals that were in it before it was known were told what it says."""


def remember(session: Session, source: str, stages: Iterable[str]) -> dict[str, Standing]:
    """What each of these stages says, of those that are known. The others are remembered, to be asked about.

    Until the transaction ends, nobody comes to know what those others say: so whoever tells the deals that are in them finds
    the one that is stored now.
    """
    query = select(DealStage).where(DealStage.source == source, col(DealStage.stage).in_(set(stages)))
    rows = list(session.exec(query))
    add_new(session, DealStage, [{"source": source, "stage": stage} for stage in sorted(set(stages) - {row.stage for row in rows})])
    if any(row.standing is None for row in rows):
        locked = query.order_by(col(DealStage.stage)).with_for_update(read=True)
        rows = list(session.exec(locked.execution_options(populate_existing=True)))
    return {row.stage: Standing(row.standing) for row in rows if row.standing is not None}


def due(session: Session, source: str, *, unknown_before: datetime, known_before: datetime) -> bool:
    """Whether the CRM is to be asked: nothing is known of a stage, or what is known is old."""
    unknown = col(DealStage.standing).is_(None) & (col(DealStage.asked_at).is_(None) | (col(DealStage.asked_at) < unknown_before))
    query = select(DealStage.stage).where(DealStage.source == source, or_(unknown, col(DealStage.asked_at) < known_before))
    return session.exec(query.limit(1)).first() is not None


def keep(session: Session, source: str, told: Mapping[str, Standing], now: datetime) -> None:
    """Stores what the CRM says of the stages that deals have named. One that it does not know keeps what was known of it."""
    rows = select(DealStage).where(DealStage.source == source).order_by(col(DealStage.stage)).with_for_update()
    for row in session.exec(rows):
        row.standing, row.asked_at = told.get(row.stage, row.standing), now
        session.add(row)


def untold(session: Session, source: str) -> list[str]:
    """The known ones whose deals of before were not told yet."""
    query = select(DealStage.stage).where(DealStage.source == source, col(DealStage.told_at).is_(None))
    return list(session.exec(query.where(col(DealStage.standing).is_not(None)).order_by(col(DealStage.stage))))


def done(session: Session, source: str, stages: Iterable[str], now: datetime) -> None:
    """Their deals of before were told."""
    here = col(DealStage.source) == source, col(DealStage.stage).in_(set(stages))
    session.execute(update(DealStage).where(*here).values(told_at=now))
