"""The audit trail: who did what, when, to what, with what result. Rows are only ever added; triggers see to it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, Session, SQLModel, col, select

from data.domain.audit import Action, Result
from data.warehouse.columns import instant, json_column, row_id


class AuditRow(SQLModel, table=True):
    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_action", "action", "id"),)

    id: int | None = row_id()
    at: datetime = instant()
    actor: str = Field(max_length=200)  # a token's name, or `cli:` and the operating system's user
    action: str
    target: str = Field(max_length=200)  # what it was done to, by its name or id
    result: str
    details: dict[str, Any] = json_column()


def add(session: Session, row: AuditRow) -> None:
    session.add(row)
    session.flush()


def listed(
    session: Session, *, action: Action | None = None, result: Result | None = None, limit: int = 100, before: int | None = None
) -> Sequence[AuditRow]:
    """Newest first. `before` is an id to page from."""
    query = select(AuditRow).order_by(col(AuditRow.id).desc()).limit(limit)
    if action is not None:
        query = query.where(AuditRow.action == action)
    if result is not None:
        query = query.where(AuditRow.result == result)
    if before is not None:
        query = query.where(col(AuditRow.id) < before)
    return session.exec(query).all()
