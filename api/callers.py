"""Who asks, and how often: one state per process, which the guard consults for every request."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread

from api.limits import BURST_SECONDS, Bucket
from api.security import UNKNOWN, Identity, token_of
from automation.access import Access, Heard, digest_of, may_be_stored
from automation.pipeline.context import Loop
from data.errors import LeadloopError, NotReady, TooMany

# A token that nobody here has heard of costs a query, so unheard-of ones are asked about this often a second in all.
ASKS_PER_SECOND = 20.0
# Queries about tokens that may run at a time, so that a database that hangs takes no threads from those who do not need it.
ASKS_AT_ONCE = 4
ASK_SECONDS = 5.0
EVERYBODY = "everybody"
KEY = "leadloop.asked"


class Callers:
    """Tokens and counts of one loop."""

    def __init__(self, loop: Loop) -> None:
        settings = loop.settings
        self.loop = loop
        self._access: Access = loop.access
        self._clock = loop.clock
        self._calls = Bucket(settings.rate_limit_per_second, settings.rate_limit_per_second * BURST_SECONDS)
        self._refusals = Bucket(settings.failed_logins_per_minute / 60, settings.failed_logins_per_minute)
        self._asks = Bucket(ASKS_PER_SECOND, 2 * ASKS_PER_SECOND)
        self._asking: dict[str, asyncio.Task[Heard]] = {}
        self._threads = CapacityLimiter(ASKS_AT_ONCE)

    async def identify(self, authorization: bytes, address: str) -> Identity:
        """Whom an Authorization header speaks for. Nearly always this is known here, and nobody is asked."""
        if not authorization or (token := token_of(authorization)) is None:
            return UNKNOWN
        digest = digest_of(token)
        heard = self._access.recall(digest)
        if heard is None:
            if not may_be_stored(token):
                return Identity(given=True)
            try:
                heard = await self._ask(digest, address)
            except LeadloopError as error:
                return Identity(given=True, error=error)
        return Identity(heard.caller_at(self._clock.now()), given=True)

    def wait_of(self, identity: Identity, address: str) -> float:
        """Counts a request; the seconds that its caller, or else its address, has to wait, mostly 0."""
        return self._calls.take(identity.caller.name if identity.caller else address, self._now())

    def wait_of_refused(self, address: str) -> float:
        """Counts a refusal; the seconds that the address has to wait until it is refused with a reason again, mostly 0."""
        return self._refusals.take(address, self._now())

    async def _ask(self, digest: str, address: str) -> Heard:
        """One query about a digest at a time; whoever comes meanwhile waits for its answer.

        Raises:
            TooMany: it may be a guess, and there were too many. NotReady: the database is away.
        """
        if not self._access.was_good(digest):
            if self._refusals.is_empty(address, self._now()):
                raise TooMany("too many calls from this address had no good credentials")
            if wait := self._asks.take(EVERYBODY, self._now()):
                raise TooMany(
                    "too many unknown tokens are being tried; a good one passes when tried again", retry_after_seconds=wait
                )
        if (task := self._asking.get(digest)) is None:
            task = asyncio.create_task(to_thread.run_sync(self._access.ask, digest, limiter=self._threads))
            self._asking[digest] = task
            task.add_done_callback(partial(self._asked, digest))
        try:
            return await asyncio.wait_for(asyncio.shield(task), ASK_SECONDS)
        except TimeoutError:
            raise NotReady(f"the database has not said within {ASK_SECONDS:g} s whose token this is; try again") from None

    def _asked(self, digest: str, task: asyncio.Task[Heard]) -> None:
        self._asking.pop(digest, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it; if nobody does any more, it is no news

    def _now(self) -> float:
        return self._clock.now().timestamp()


@dataclass(frozen=True)
class Asked:
    """What the guard found out about a request."""

    identity: Identity = UNKNOWN
    address: str = ""
    callers: Callers | None = None

    def wait_if_refused(self) -> float:
        return self.callers.wait_of_refused(self.address) if self.callers else 0.0


def asked_by(scope: Any) -> Asked:
    """What is known of a request's sender. Without the guard, nothing is."""
    found: Asked = scope.get(KEY) or Asked()
    return found
