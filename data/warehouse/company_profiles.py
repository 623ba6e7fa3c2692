"""What each provider of company data said of each domain, and when: asked once, good for as long as the settings say.

A domain is a company's; no row is about a person.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column
from sqlmodel import Field, Session, SQLModel, col, select

from data.column_types import JsonValue
from data.db import inserting
from data.domain.company_profile import CompanyProfile
from data.warehouse.columns import instant

UNIQUE = ("domain", "provider")


class CompanyProfileRow(SQLModel, table=True):
    __tablename__ = "company_profiles"

    domain: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    profile: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonValue(), nullable=True))
    """None: it knows nothing of this domain."""
    looked_up_at: datetime = instant()


@dataclass(frozen=True)
class Said:
    """One provider's answer; `profile` is None where it knows nothing."""

    profile: CompanyProfile | None
    at: datetime


def of_domains(session: Session, domains: Iterable[str]) -> dict[tuple[str, str], Said]:
    """(domain, provider) -> what was answered last."""
    query = select(CompanyProfileRow).where(col(CompanyProfileRow.domain).in_(set(domains)))
    return {(row.domain, row.provider): _said(row) for row in session.exec(query)}


def put(session: Session, domain: str, provider: str, said: Said) -> None:
    """Keeps an answer in the place of the one before."""
    profile = None if said.profile is None else said.profile.model_dump(mode="json")
    values = {"profile": profile, "looked_up_at": said.at}
    statement = inserting(session, CompanyProfileRow).values(domain=domain, provider=provider, **values)
    session.execute(statement.on_conflict_do_update(index_elements=UNIQUE, set_=values))


def _said(row: CompanyProfileRow) -> Said:
    return Said(None if row.profile is None else CompanyProfile.model_validate(row.profile), row.looked_up_at)
