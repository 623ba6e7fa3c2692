"""The traffic of each model: one row, so that every process sees the same setting."""

from datetime import datetime

from sqlmodel import Field, Session, SQLModel, select

from data.domain.traffic import Traffic
from data.warehouse.columns import instant


class TrafficRow(SQLModel, table=True):
    __tablename__ = "model_traffic"

    model: str = Field(primary_key=True)
    champion: str
    challenger: str
    mode: str
    share: float
    since: datetime = instant()

    @property
    def traffic(self) -> Traffic:
        return Traffic.model_validate(self.model_dump())


def get(session: Session, model: str) -> Traffic | None:
    row = session.get(TrafficRow, model)
    return None if row is None else row.traffic


def everything(session: Session) -> dict[str, Traffic]:
    """Model -> its traffic."""
    return {row.model: row.traffic for row in session.exec(select(TrafficRow))}


def put(session: Session, traffic: Traffic) -> None:
    session.merge(TrafficRow(**traffic.model_dump()))
