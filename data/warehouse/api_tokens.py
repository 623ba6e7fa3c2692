"""API tokens: their names, scopes and times. The token itself is never stored, only its SHA-256.

A token has 256 random bits, so its digest needs neither salt nor a slow hash: nobody can try them all.
A name has at most one current row (a partial unique index says so); those that a rotation has replaced stay good until
their grace ends, and all stay on record.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Index, or_, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, col, select

from data.settings import Scope
from data.warehouse.columns import instant, json_column, row_id

CURRENT = text("replaced_at IS NULL AND revoked_at IS NULL")


class ApiToken(SQLModel, table=True):
    __tablename__ = "api_tokens"
    __table_args__ = (
        Index("uq_api_tokens_digest", "digest", unique=True),
        Index("uq_api_tokens_current", "name", unique=True, sqlite_where=CURRENT, postgresql_where=CURRENT),
    )

    id: int | None = row_id()
    name: str = Field(max_length=64)
    digest: str = Field(max_length=64)  # SHA-256, in hexadecimal
    scopes: list[str] = json_column(list)
    created_at: datetime = instant()
    expires_at: datetime | None = instant(nullable=True)  # of a replaced one: the end of its grace
    replaced_at: datetime | None = instant(nullable=True)
    revoked_at: datetime | None = instant(nullable=True)
    last_used_at: datetime | None = instant(nullable=True)  # to the minute

    def is_good(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def add(session: Session, name: str, digest: str, scopes: Sequence[Scope], now: datetime, expires_at: datetime | None) -> bool:
    """Stores a new one; False if the name has a current one."""
    row = ApiToken(name=name, digest=digest, scopes=[scope.value for scope in scopes], created_at=now, expires_at=expires_at)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def by_digest(session: Session, digest: str) -> ApiToken | None:
    return session.exec(select(ApiToken).where(ApiToken.digest == digest)).first()


def current(session: Session, name: str) -> ApiToken | None:
    """The one by this name that is neither replaced nor revoked, locked until the transaction ends."""
    query = select(ApiToken).where(ApiToken.name == name, CURRENT).with_for_update()
    return session.exec(query).first()


def listed(session: Session) -> Sequence[ApiToken]:
    """All of them, by name, the current one first."""
    return session.exec(select(ApiToken).order_by(ApiToken.name, col(ApiToken.id).desc())).all()


def replace(session: Session, row: ApiToken, now: datetime, good_until: datetime) -> None:
    """Makes room for the next one by this name; this one stays good for its grace, and no longer than it was."""
    row.replaced_at = now
    row.expires_at = good_until if row.expires_at is None else min(row.expires_at, good_until)
    session.add(row)
    session.flush()


def revoke(session: Session, name: str, now: datetime, *, replaced_only: bool) -> int:
    """Ends those by this name that are still good, or only the replaced ones; how many."""
    good = (col(ApiToken.revoked_at).is_(None), or_(col(ApiToken.expires_at).is_(None), col(ApiToken.expires_at) > now))
    statement = update(ApiToken).where(col(ApiToken.name) == name, *good)
    if replaced_only:
        statement = statement.where(col(ApiToken.replaced_at).is_not(None))
    return len(session.execute(statement.values(revoked_at=now).returning(col(ApiToken.id))).all())


def note_use(session: Session, used: Mapping[int, datetime]) -> None:
    """Remembers when each was last used; never an earlier moment than is known."""
    for token_id, at in used.items():
        newer = or_(col(ApiToken.last_used_at).is_(None), col(ApiToken.last_used_at) < at)
        session.execute(update(ApiToken).where(col(ApiToken.id) == token_id, newer).values(last_used_at=at))
