"""What each look at a served version has found: drift, live performance, and whether it was a reason to train again."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Session, SQLModel, col, select

from data.warehouse.columns import instant, json_column, row_id


class ModelCheckRow(SQLModel, table=True):
    __tablename__ = "model_checks"
    __table_args__ = (Index("ix_model_checks_model", "model", "id"),)

    id: int | None = row_id()
    model: str
    version: str
    found: dict[str, Any] = json_column()  # the whole of automation.monitoring.Checked
    checked_at: datetime = instant()


def add(session: Session, row: ModelCheckRow) -> None:
    session.add(row)
    session.flush()


def newest(session: Session, model: str) -> ModelCheckRow | None:
    query = select(ModelCheckRow).where(ModelCheckRow.model == model).order_by(col(ModelCheckRow.id).desc()).limit(1)
    return session.exec(query).first()
