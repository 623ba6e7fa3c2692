"""Tombstones: who was erased, as digests only, so that nothing brings them back.

An erasure sets the tombstones first, and waits for those who began to store something before that. Whoever stores what a
source or a CRM tells calls `watch` and looks here after that. So nobody misses a tombstone and is missed by the erasure too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, Session, SQLModel, col, select

from data.domain.entity import EntityRef
from data.domain.mention import normal
from data.domain.tombstone import Tombstone
from data.warehouse.columns import instant
from data.warehouse.erasure_keys import digests

# Any number, the same for all processes.
ADVISORY_LOCK = 0x1EADE2A5
CHUNK = 500


class What(StrEnum):
    RECORD = "record"
    ADDRESS = "address"


class TombstoneRow(SQLModel, table=True):
    __tablename__ = "tombstones"

    digest: str = Field(primary_key=True)
    what: str
    erased_at: datetime = instant()
    renewed_at: datetime | None = instant(nullable=True)


@dataclass(frozen=True)
class Erased:
    """Who of those that were asked for was erased; and what stands in the place of each address."""

    records: Mapping[EntityRef, Tombstone] = field(default_factory=dict)
    addresses: Mapping[str, Tombstone] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.records or self.addresses)


def watch(session: Session) -> None:
    """To be called by whoever is to store what it was told of records, before it looks here; holds until it is stored.

    SQLite has one writer: there nothing is stored meanwhile.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": ADVISORY_LOCK})


def add(session: Session, records: Mapping[EntityRef, datetime], addresses: Mapping[str, datetime]) -> None:
    """Sets tombstones, each with the moment up to which what happened is the past. Those who are watching are waited for."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    made = digests(session)
    rows = [{"digest": made.of_record(ref), "what": What.RECORD.value, "erased_at": at} for ref, at in records.items()]
    rows += [{"digest": made.of_address(one), "what": What.ADDRESS.value, "erased_at": at} for one, at in addresses.items()]
    if not rows:
        return
    build = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = build(TombstoneRow)
    anew = {"erased_at": statement.excluded.erased_at, "renewed_at": None}
    session.execute(statement.on_conflict_do_update(index_elements=["digest"], set_=anew), rows)


def are_there(session: Session) -> bool:
    """Whether anybody was ever erased."""
    return session.exec(select(TombstoneRow.digest).limit(1)).first() is not None


def find(session: Session, refs: Iterable[EntityRef], addresses: Iterable[str]) -> Erased:
    """Those of the records and addresses that have a tombstone."""
    made = digests(session)
    by_record = {ref: made.of_record(ref) for ref in refs}
    by_address = {normal(one): made.of_address(one) for one in addresses}
    found = _stored(session, sorted({*by_record.values(), *by_address.values()}))
    named = {address: found[digest] for address, digest in by_address.items() if digest in found}
    return Erased(
        {ref: found[digest] for ref, digest in by_record.items() if digest in found},
        named,
        {address: made.token(address) for address in named},
    )


def renew(session: Session, ref: EntityRef | None, addresses: Iterable[str], at: datetime) -> None:
    """Somebody came anew: what happened from now on is taken again."""
    made = digests(session)
    wanted = [made.of_address(one) for one in addresses] + ([made.of_record(ref)] if ref is not None else [])
    none_yet = col(TombstoneRow.renewed_at).is_(None)
    session.execute(update(TombstoneRow).where(col(TombstoneRow.digest).in_(wanted), none_yet).values(renewed_at=at))


def _stored(session: Session, wanted: list[str]) -> dict[str, Tombstone]:
    found: dict[str, Tombstone] = {}
    for start in range(0, len(wanted), CHUNK):
        query = select(TombstoneRow).where(col(TombstoneRow.digest).in_(wanted[start : start + CHUNK]))
        found |= {row.digest: Tombstone(row.erased_at, row.renewed_at) for row in session.exec(query)}
    return found
