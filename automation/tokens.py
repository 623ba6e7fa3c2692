"""Stored tokens: made, rotated without downtime, revoked. The token itself is told once, to whoever has it made."""

import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from automation import audit
from automation.access import digest_of
from automation.pipeline.context import Loop
from data.clock import Clock
from data.db import Database
from data.domain.audit import Action
from data.errors import BadInput, NotFound, Refused
from data.redaction import TOKEN_PREFIX
from data.settings import Scope
from data.warehouse import api_tokens
from data.warehouse.api_tokens import ApiToken

RANDOM_BYTES = 32  # 256 bits: nobody guesses one, however many are asked
# No colon: `cli:ada` and `settings:1` are names that nobody can give a token.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DEFAULT_GRACE = timedelta(hours=24)
LONGEST = timedelta(days=3650)
SPAN = re.compile(r"(\d{1,6})([smhd]?)")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "": 1}


@dataclass(frozen=True)
class NewToken:
    """The only time that the token is seen."""

    name: str
    token: str
    scopes: frozenset[Scope]
    expires_at: datetime | None
    old_good_until: datetime | None = None
    """After a rotation: how long the one before still passes."""


def listed(database: Database) -> Sequence[ApiToken]:
    """All that there are and were, by name, the current one of each first."""
    with database.read() as session:
        return api_tokens.listed(session)


def create(
    database: Database, clock: Clock, actor: str, name: str, scopes: Collection[Scope], *, lasts: timedelta | None = None
) -> NewToken:
    """A new token.

    Raises:
        BadInput: the name or the scopes do not fit. Refused: there is a current one by this name.
    """
    if not NAME.fullmatch(name):
        raise BadInput("a token's name has letters, digits, . - and _ only, 64 at most, and begins with no sign", field="name")
    if not scopes:
        raise BadInput(f"a token without scopes may do nothing; the scopes are {', '.join(Scope)}", field="scopes")
    now, held = clock.now(), sorted(set(scopes), key=list(Scope).index)
    token = TOKEN_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    expires_at = None if lasts is None else now + lasts
    with database.write() as session:
        if not api_tokens.add(session, name, digest_of(token.encode()), held, now, expires_at):
            raise Refused(f"there is a token {name} already: rotate it for a new one, or revoke it first")
        audit.record_in(session, clock, actor, Action.TOKEN_CREATE, name, scopes=[scope.value for scope in held])
    return NewToken(name, token, frozenset(held), expires_at)


def rotate(database: Database, clock: Clock, actor: str, name: str, *, grace: timedelta = DEFAULT_GRACE) -> NewToken:
    """A new token with the same scopes and lifetime; the one before stays good for the grace.

    Raises:
        NotFound: there is none by this name.
    """
    now, token = clock.now(), TOKEN_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    with database.write() as session:
        if (old := api_tokens.current(session, name)) is None:
            raise NotFound(f"there is no token {name[:64]!r} to rotate; `leadloop tokens list` shows those that there are")
        scopes = [Scope(scope) for scope in old.scopes]
        expires_at = None if old.expires_at is None else now + (old.expires_at - old.created_at)
        api_tokens.replace(session, old, now, now + grace)
        if not api_tokens.add(session, name, digest_of(token.encode()), scopes, now, expires_at):
            raise Refused(f"somebody else has just rotated {name}; theirs is the current one")
        audit.record_in(session, clock, actor, Action.TOKEN_ROTATE, name, grace_seconds=int(grace.total_seconds()))
    return NewToken(name, token, frozenset(scopes), expires_at, old.expires_at)


def revoke(database: Database, clock: Clock, actor: str, name: str, *, replaced_only: bool = False) -> int:
    """Ends all tokens by this name at once, or only those that a rotation has replaced; how many.

    Raises:
        NotFound: none by this name is good any more.
    """
    with database.write() as session:
        ended = api_tokens.revoke(session, name, clock.now(), replaced_only=replaced_only)
        if not ended:
            raise NotFound(f"no {'replaced ' if replaced_only else ''}token {name[:64]!r} is good any more")
        audit.record_in(session, clock, actor, Action.TOKEN_REVOKE, name, ended=ended, replaced_only=replaced_only)
    return ended


def note_use(loop: Loop) -> None:
    """For the timed job: when each token was last used."""
    loop.access.note_use()


def parse_span(text: str) -> timedelta:
    """A span of time as people write it.

    >>> parse_span("24h"), parse_span("90d").days, parse_span("0").seconds
    (datetime.timedelta(days=1), 90, 0)

    Raises:
        BadInput: it is none, or longer than ten years.
    """
    found = SPAN.fullmatch(text.strip().lower())
    span = timedelta(seconds=int(found[1]) * SECONDS[found[2]]) if found else None
    if span is None or span > LONGEST:
        raise BadInput(f"{text[:20]!r} is no span of time: write 30m, 24h or 90d, ten years at most")
    return span
