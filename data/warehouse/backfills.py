"""How far the reading of each CRM's past has come: a kill costs no more than the page that was being read."""

from datetime import datetime

from sqlmodel import Field, Session, SQLModel, col, select

from data.domain.entity import EntityKind
from data.warehouse.columns import instant


class BackfillRow(SQLModel, table=True):
    __tablename__ = "backfills"

    source: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    after: str | None = None
    """Where the next page begins, in the vendor's words; None: at the first."""
    records: int = 0
    facts: int = 0
    started_at: datetime = instant()
    done_at: datetime | None = instant(nullable=True)
    refused: str | None = None
    """Why the vendor does not give these out."""


def begin(session: Session, source: str, kinds: list[EntityKind], now: datetime) -> dict[EntityKind, BackfillRow]:
    """The rows of a run: that of the one which was not finished, or of a new one where all is done."""
    query = select(BackfillRow).where(BackfillRow.source == source).with_for_update()
    rows = {EntityKind(row.kind): row for row in session.exec(query)}
    if all(row.done_at is not None for row in rows.values()):
        for row in rows.values():
            session.delete(row)
        session.flush()
        rows = {}
    for kind in kinds:
        if kind not in rows:
            rows[kind] = BackfillRow(source=source, kind=kind.value, started_at=now)
            session.add(rows[kind])
    session.flush()
    return rows


def get(session: Session, source: str, kind: EntityKind) -> BackfillRow:
    query = select(BackfillRow).where(BackfillRow.source == source, BackfillRow.kind == kind.value)
    return session.exec(query.with_for_update().execution_options(populate_existing=True)).one()


def every(session: Session) -> list[BackfillRow]:
    return list(session.exec(select(BackfillRow).order_by(col(BackfillRow.source), col(BackfillRow.kind))))
