"""How much there is: rows of the tables that tell how far a loop has come, and its schema's version."""

from datetime import datetime

from sqlalchemy import inspect, text
from sqlmodel import Session, SQLModel, col, func, select

from data.domain.delivery import DeliveryState
from data.domain.event import EventState
from data.warehouse import payloads
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.events import EventRow
from data.warehouse.outcomes import OutcomeRow
from data.warehouse.predictions import PredictionRow

COUNTED: tuple[type[SQLModel], ...] = (EventRow, PredictionRow, DeliveryRow, OutcomeRow, DeadLetter)


def rows(session: Session) -> dict[str, int]:
    """Table -> how many rows it has."""
    return {str(table.__tablename__): session.exec(select(func.count()).select_from(table)).one() for table in COUNTED}


def waiting(session: Session) -> dict[str, tuple[int, datetime | None]]:
    """What has not come to its end: how many, and since when the oldest waits. Deliveries by their destination."""
    due = select(func.count(), func.min(EventRow.received_at)).where(EventRow.state == EventState.NEW)
    open_states = (DeliveryState.PENDING, DeliveryState.LEASED)
    query = select(DeliveryRow.destination, func.count(), func.min(DeliveryRow.created_at))
    rows = session.exec(query.where(col(DeliveryRow.state).in_(open_states)).group_by(DeliveryRow.destination)).all()
    count, since = session.exec(due).one()
    return {
        "payloads": payloads.waiting(session),
        "events": (count, since),
        **{f"deliveries to {name}": (number, oldest) for name, number, oldest in sorted(rows)},
    }


def schema(session: Session) -> str | None:
    """The migration that the database is at; None where there is no Leadloop in it."""
    if "alembic_version" not in tables(session):
        return None
    return session.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def tables(session: Session) -> set[str]:
    """The names of all that is in the database."""
    return set(inspect(session.connection()).get_table_names())
