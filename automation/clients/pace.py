"""Calls vendors no faster than they allow, over all processes, and leaves those alone that do not answer."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from data.clock import Clock
from data.db import Database
from data.domain.pace import Rate
from data.errors import NotNow, Retryable, VendorError
from data.log import get_logger
from data.warehouse import paces

log = get_logger("pace")

# Who waits longer than this for a turn gives it up: an event's look-up is noted and tried again, a delivery goes later.
PATIENCE_SECONDS = 3.0
LEAST_WAIT_SECONDS = 0.01
# The vendor that this call is the first to try after its rest: what it takes of the vendor's other limits goes through with it.
_tried: ContextVar[str | None] = ContextVar("tried", default=None)


@dataclass
class Turn:
    """One call that was granted. `rest_seconds`: for how long nobody may call after it, where the answer says so."""

    rest_seconds: float | None = None


class Pace(Protocol):
    """Stands around every call of a vendor."""

    def call(self, name: str, rate: Rate, *, vendor: str) -> AbstractContextManager[Turn]:
        """A turn of the limit `name`; entering it waits, or raises NotNow. The failures of one `vendor` count together."""


class Unpaced:
    """For a command that calls a few times."""

    @contextmanager
    def call(self, name: str, rate: Rate, *, vendor: str) -> Iterator[Turn]:
        yield Turn()


@dataclass(frozen=True)
class SharedPace:
    """The limits in the database: all processes that use it together stay below them."""

    database: Database
    clock: Clock
    patience_seconds: float = PATIENCE_SECONDS
    sleep: Callable[[float], None] = time.sleep

    @contextmanager
    def call(self, name: str, rate: Rate, *, vendor: str) -> Iterator[Turn]:
        """Raises NotNow: no turn within the patience, or the vendor is left alone."""
        is_first = self._wait(name, rate, vendor)
        turn, before = Turn(), _tried.set(vendor if is_first else None)
        try:
            yield turn
        except NotNow:  # of another limit that the call met on its way
            raise
        except Retryable as error:
            self._went_wrong(name, rate, vendor, error)
            raise
        except VendorError:
            self._answered(vendor)  # it refused this call, and so it is there
            raise
        else:
            self._answered(vendor)
        finally:
            _tried.reset(before)
            if turn.rest_seconds:
                self._hold(name, rate, turn.rest_seconds)

    def _hold(self, name: str, rate: Rate, seconds: float) -> None:
        """The last call of the vendor's window was taken, perhaps by others who share its limit: before it is refused, a rest."""
        with self.database.write() as session:
            paces.hold(session, name, self.clock.now() + timedelta(seconds=seconds), rate)
        log.info("pace.limit.reached", limit=name, seconds=seconds)

    def _wait(self, name: str, rate: Rate, vendor: str) -> bool:
        """Whether this is the first call after a rest."""
        waited = 0.0
        while True:
            with self.database.write() as session:
                now = self.clock.now()
                rests = paces.rests_until(session, vendor)
                if rests is not None and rests > now:
                    raise NotNow(_resting(vendor, rests - now), retry_after_seconds=(rests - now).total_seconds())
                granted, wait = paces.ask(session, name, rate, now, 1, vendor=vendor)
                if granted and rests is not None and _tried.get() != vendor:
                    is_ours, left = paces.goes_first(session, vendor, now)
                    if not is_ours:
                        raise NotNow(f"{vendor} is tried by one call after its rest", retry_after_seconds=left.total_seconds())
            if granted:
                return rests is not None
            seconds = max(wait.total_seconds(), LEAST_WAIT_SECONDS)
            if waited + seconds > self.patience_seconds:
                raise NotNow(f"the limit of calls to {vendor} is used up for {seconds:.1f} s", retry_after_seconds=seconds)
            self.sleep(seconds)
            waited += seconds

    def _went_wrong(self, name: str, rate: Rate, vendor: str, error: Retryable) -> None:
        with self.database.write() as session:
            now = self.clock.now()
            if error.limited:
                seconds = rate.interval.total_seconds() if error.retry_after_seconds is None else error.retry_after_seconds
                paces.hold(session, name, now + timedelta(seconds=seconds), rate)
                log.warning("pace.limit.met", vendor=vendor, limit=name, seconds=seconds)
                if error.retry_after_seconds is not None:
                    return
            # A limit that does not say when it ends may be a day's: asked ever more seldom, like one that is down.
            rest = paces.failed(session, vendor, now, error.detail)
        if rest:
            log.warning("pace.vendor.rests", vendor=vendor, seconds=rest.total_seconds(), reason=error.detail)

    def _answered(self, vendor: str) -> None:
        with self.database.read() as session:
            if not paces.has_failures(session, vendor):
                return
        with self.database.write() as session:
            if paces.answered(session, vendor):
                log.info("pace.vendor.back", vendor=vendor)


def _resting(vendor: str, left: timedelta) -> str:
    return f"{vendor} did not answer several times in a row and is left alone for {left.total_seconds():.0f} s"
