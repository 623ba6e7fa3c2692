"""How much there is: rows of the tables that tell how far a loop has come, and its schema's version."""

from sqlalchemy import inspect, text
from sqlmodel import Session, SQLModel, func, select

from data.warehouse.dead_letters import DeadLetter
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.events import EventRow
from data.warehouse.outcomes import OutcomeRow
from data.warehouse.predictions import PredictionRow

COUNTED: tuple[type[SQLModel], ...] = (EventRow, PredictionRow, DeliveryRow, OutcomeRow, DeadLetter)


def rows(session: Session) -> dict[str, int]:
    """Table -> how many rows it has."""
    return {str(table.__tablename__): session.exec(select(func.count()).select_from(table)).one() for table in COUNTED}


def schema(session: Session) -> str | None:
    """The migration that the database is at; None where there is no Leadloop in it."""
    if "alembic_version" not in tables(session):
        return None
    return session.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def tables(session: Session) -> set[str]:
    """The names of all that is in the database."""
    return set(inspect(session.connection()).get_table_names())
