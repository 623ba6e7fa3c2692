"""Who a token belongs to: those of the settings and those of the database, asked of it once in a while.

A process remembers what it was told of a token for REMEMBERED: so long a revoked one may still pass, and so seldom does a
busy one cost a query. A token that it has not heard of is asked for at once.
"""

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from data.clock import Clock
from data.db import Database
from data.redaction import TOKEN_PREFIX
from data.settings import Scope, Settings
from data.warehouse import api_tokens
from data.warehouse.api_tokens import ApiToken

REMEMBERED = timedelta(seconds=5)
MOST_REMEMBERED = 10_000
# What `automation.tokens` makes: the prefix and 32 bytes in URL-safe Base64. Nothing else is looked for in the database.
TOKEN_LENGTH = len(TOKEN_PREFIX) + 43


@dataclass(frozen=True)
class Caller:
    """Whose token it is: its name (never the token), and what it may do. A token of the settings is `settings:PLACE`."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


@dataclass(frozen=True)
class Heard:
    """What the database said of a digest, and when."""

    caller: Caller | None
    token_id: int | None
    expires_at: datetime | None
    at: datetime

    def caller_at(self, now: datetime) -> Caller | None:
        return None if self.expires_at is not None and now >= self.expires_at else self.caller


class Access:
    """One per process. Tokens are known by their digests only."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        places = enumerate(settings.tokens.items(), 1)
        self._given = {
            digest_of(token.encode()): Heard(Caller(f"settings:{place}", scopes), None, None, clock.now())
            for place, (token, scopes) in places
        }
        self._database, self._clock = database, clock
        self._heard: dict[str, Heard] = {}
        self._lock = threading.Lock()
        self._used: dict[int, datetime] = {}  # token id -> its last use, and
        self._written: dict[int, datetime] = {}  # the minute of it that the database knows

    def recall(self, digest: str) -> Heard | None:
        """What is known of a digest without asking anybody; None where the database has to be asked.

        The digest of a secret is no secret, and who cannot choose it learns nothing from how long its look-up takes.
        """
        if (given := self._given.get(digest)) is not None:
            return given
        heard, now = self._heard.get(digest), self._clock.now()
        # Not older, and not from a future that the clock has been put back from.
        if heard is None or not timedelta() <= now - heard.at < REMEMBERED:
            return None
        return self._noted(heard, now)

    def was_good(self, digest: str) -> bool:
        """Whether the database knew it the last time: then asking again is no guess."""
        heard = self._heard.get(digest)
        return heard is not None and heard.caller is not None

    def ask(self, digest: str) -> Heard:
        """Asks the database.

        Raises:
            NotReady: it is away.
        """
        now = self._clock.now()
        with self._database.read() as session:
            row = api_tokens.by_digest(session, digest)
        heard = Heard(None, None, None, now) if row is None else _heard_of(row, now)
        with self._lock:
            self._heard.pop(digest, None)
            if len(self._heard) >= MOST_REMEMBERED:
                del self._heard[next(iter(self._heard))]  # the one that was asked for the longest ago
            self._heard[digest] = heard
        return self._noted(heard, now)

    def note_use(self) -> None:
        """Writes down when each token was last used, to the minute."""
        minutes = {number: at.replace(second=0, microsecond=0) for number, at in dict(self._used).items()}
        new = {number: minute for number, minute in minutes.items() if self._written.get(number) != minute}
        if not new:
            return
        with self._database.write() as session:
            api_tokens.note_use(session, new)
        self._written |= new

    def _noted(self, heard: Heard, now: datetime) -> Heard:
        if heard.token_id is not None and heard.caller_at(now) is not None:
            self._used[heard.token_id] = now
        return heard


def digest_of(token: bytes) -> str:
    """SHA-256 in hexadecimal, as the table has it."""
    return hashlib.sha256(token).hexdigest()


def may_be_stored(token: bytes) -> bool:
    """Whether it has the form of a stored token; anything else is no reason to ask the database."""
    return len(token) == TOKEN_LENGTH and token.startswith(TOKEN_PREFIX.encode())


def _heard_of(row: ApiToken, now: datetime) -> Heard:
    caller = Caller(row.name, frozenset(Scope(scope) for scope in row.scopes)) if row.is_good(now) else None
    return Heard(caller, row.id, row.expires_at, now)
