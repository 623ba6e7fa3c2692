"""Identities: which records are the same person or company, and since when that is known. Rows are added, never changed."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import permutations

from sqlalchemy import Column, Index, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, Session, SQLModel, col, select

from data.column_types import UtcMicros
from data.db import add_new
from data.domain.entity import EntityKind
from data.domain.identity import MOST_OF_ONE_KEY
from data.warehouse.columns import RowId, row_id

Key = tuple[str, str]  # the kind of entity, and the address or domain
UNIQUE = ("kind", "key")


class IdentityKey(SQLModel, table=True):
    """Who adds a member holds this row, so that of two who come at once the second sees the first."""

    __tablename__ = "identity_keys"
    __table_args__ = (Index("uq_identity_keys", *UNIQUE, unique=True),)

    id: int | None = row_id()
    kind: str
    key: str


# No foreign keys to entities in these: to check one waits for whoever holds the entity's row, who may wait for a key that we hold.
class IdentityMember(SQLModel, table=True):
    __tablename__ = "identity_members"
    __table_args__ = (Index("ix_identity_members_entity", "entity_id"),)

    key_id: int = Field(primary_key=True, sa_type=RowId, foreign_key="identity_keys.id")
    entity_id: int = Field(primary_key=True, sa_type=RowId)


class SameRow(SQLModel, table=True):
    __tablename__ = "same_entities"

    entity_id: int = Field(primary_key=True, sa_type=RowId)
    same_id: int = Field(primary_key=True, sa_type=RowId)
    since: datetime = Field(sa_column=Column(UtcMicros(), nullable=False))


def join(session: Session, told: Mapping[Key, Collection[int]], now: datetime) -> set[int]:
    """Remembers by which keys entities are known, and who is the same from now on. The caller holds the entities' rows.

    Returns all that are the same as another by this.
    """
    known, joined = _members_of(session, told), set[int]()
    for key in sorted(told):  # in one order, so that two can't each wait for the other
        if set(told[key]) <= known.get(key, set()):
            continue
        key_id = _locked(session, key)
        there = set(session.exec(select(IdentityMember.entity_id).where(IdentityMember.key_id == key_id)))
        new = set(told[key]) - there
        add_new(session, IdentityMember, [{"key_id": key_id, "entity_id": number} for number in sorted(new)])
        if new and 1 < len(there | new) <= MOST_OF_ONE_KEY:
            joined |= _connect(session, there | new, now)
    return joined


def unite(session: Session, entity_id: int, others: Iterable[int], now: datetime) -> None:
    """Others have become one with this entity: it, and whoever is the same as one of them, are the same from now on."""
    gone = set(others) - {entity_id}
    group = {entity_id, *gone} | {number for same in same_as(session, {entity_id, *gone}).values() for number in same}
    add_new(session, SameRow, _pairs(group, now))


def same_as(session: Session, entity_ids: Iterable[int]) -> dict[int, dict[int, datetime]]:
    """Entity -> those that are the same, and since when; entities that are alone have no entry."""
    found: dict[int, dict[int, datetime]] = {}
    for row in session.exec(select(SameRow).where(col(SameRow.entity_id).in_(set(entity_ids)))):
        found.setdefault(row.entity_id, {})[row.same_id] = row.since
    return found


def every(session: Session) -> list[tuple[int, int, datetime]]:
    """All of them: (entity, the same, since)."""
    return list(session.exec(select(SameRow.entity_id, SameRow.same_id, SameRow.since)))


def keys_of(session: Session, kind: EntityKind, keys: Iterable[str]) -> list[int]:
    """The rows of some addresses or domains."""
    query = select(IdentityKey.id).where(IdentityKey.kind == kind.value, col(IdentityKey.key).in_(sorted(keys)))
    return [number for number in session.exec(query) if number is not None]


def _members_of(session: Session, keys: Iterable[Key]) -> dict[Key, set[int]]:
    query = (
        select(IdentityKey.kind, IdentityKey.key, IdentityMember.entity_id)
        .join(IdentityMember, col(IdentityMember.key_id) == IdentityKey.id)
        .where(tuple_(col(IdentityKey.kind), col(IdentityKey.key)).in_(list(keys)))
    )
    found: dict[Key, set[int]] = {}
    for kind, key, entity_id in session.exec(query):
        found.setdefault((kind, key), set()).add(entity_id)
    return found


def _locked(session: Session, key: Key) -> int:
    insert = (postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert)(IdentityKey)
    row = insert.values(kind=key[0], key=key[1])
    # An update of nothing: it locks the row that is there already.
    locked = row.on_conflict_do_update(index_elements=UNIQUE, set_={"key": row.excluded.key}).returning(col(IdentityKey.id))
    return int(session.execute(locked).scalar_one())


def _connect(session: Session, members: set[int], now: datetime) -> set[int]:
    """All of them, and whoever is the same as one of them, are the same."""
    group = members | {number for same in same_as(session, members).values() for number in same}
    if len(group) > MOST_OF_ONE_KEY:
        return set()
    add_new(session, SameRow, _pairs(group, now))
    return group


def _pairs(group: set[int], now: datetime) -> list[dict[str, object]]:
    return [{"entity_id": one, "same_id": other, "since": now} for one, other in permutations(sorted(group), 2)]
