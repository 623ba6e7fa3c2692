"""Up to when changes that no webhook told were looked for, and how many were found."""

from datetime import datetime

from sqlmodel import Field, Session, SQLModel, col, select

from data.domain.entity import EntityKind
from data.warehouse.columns import instant


class ReconciliationRow(SQLModel, table=True):
    __tablename__ = "reconciliations"

    source: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    seen_until: datetime = instant()
    """Changes of before this have been seen."""
    looked_at: datetime = instant()
    records: int = 0
    """How many records the last look held against what is known."""
    missed: int = 0
    """How many events it made of what no webhook had told."""
    missed_ever: int = 0
    refused: str | None = None
    """Why the vendor does not let us look; None: it does. The other columns are those of the last look."""


def get(session: Session, source: str, kind: EntityKind, *, otherwise: datetime, now: datetime) -> ReconciliationRow:
    """The row, locked; a new one has seen nothing of before `otherwise`."""
    row = session.get(ReconciliationRow, (source, kind.value), with_for_update=True, populate_existing=True)
    if row is None:
        row = ReconciliationRow(source=source, kind=kind.value, seen_until=otherwise, looked_at=now)
        session.add(row)
        session.flush()
    return row


def every(session: Session) -> list[ReconciliationRow]:
    return list(session.exec(select(ReconciliationRow).order_by(col(ReconciliationRow.source), col(ReconciliationRow.kind))))
