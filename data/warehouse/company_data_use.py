"""How often each provider of company data was asked on each day: one budget for all processes, kept by the database itself."""

from datetime import date

from sqlalchemy import update
from sqlmodel import Field, Session, SQLModel, col

from data.db import inserting

UNIQUE = ("provider", "day")


class CompanyDataUse(SQLModel, table=True):
    __tablename__ = "company_data_use"

    provider: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    """In UTC."""
    asked: int = 0
    told: bool = False
    """Whether it was said that the day's budget is spent."""


def spend(session: Session, provider: str, day: date, most: int) -> bool:
    """Counts one more call; False where `most` were counted already, and this one must not be made."""
    if most < 1:
        return False
    statement = inserting(session, CompanyDataUse).values(provider=provider, day=day, asked=1, told=False)
    counted = statement.on_conflict_do_update(
        index_elements=UNIQUE, set_={"asked": CompanyDataUse.asked + 1}, where=col(CompanyDataUse.asked) < most
    ).returning(col(CompanyDataUse.asked))
    return session.execute(counted).first() is not None


def tell(session: Session, provider: str, day: date) -> bool:
    """Whether this is the first time on this day that it is to be said that the budget is spent."""
    row = CompanyDataUse
    untold = update(row).where(col(row.provider) == provider, col(row.day) == day, ~col(row.told))
    return session.execute(untold.values(told=True).returning(col(row.day))).first() is not None
