"""How fast a vendor may be called, and when it is left alone because it does not answer. Pure: time comes in as `now`.

The pace is the generic cell rate algorithm (ITU-T I.371): one moment says all, `full_at`, at which everything that was taken
will have been given back. What fits before it is free now.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

# Calls in a row that failed before a vendor is left alone, and for how long: doubling, as a vendor that is down for an hour
# gains nothing from being asked every second.
FAILURES_UNTIL_REST = 5
FIRST_REST = timedelta(seconds=5)
LONGEST_REST = timedelta(minutes=5)
TINY = 1e-6  # of an interval: they are whole microseconds, and what is missing by less than that is there


@dataclass(frozen=True)
class Rate:
    """`calls` in any `per_seconds`, `burst` of them (never more than `calls`) at once at most."""

    calls: int
    per_seconds: float
    burst: int

    @property
    def interval(self) -> timedelta:
        """Between two calls once the burst is used up, so that no window of `per_seconds` sees more than `calls`.

        Rounded up: with whole microseconds that are too short, the last of them would come before the window is over.
        """
        return timedelta(microseconds=ceil(self.per_seconds * 1e6 / (self.calls + 1 - self.burst)))


@dataclass(frozen=True)
class Taken:
    """How many calls were granted, until when that fills the burst, and how long to wait for the next one (not at all where
    everything was granted)."""

    granted: int
    full_at: datetime
    wait: timedelta


# After a rest one call goes first, and the others wait for what becomes of it; not for ever, as it may be lost with its process.
# The second rest is as long: one that fails is never in the way of the next.
FIRST_CALL = Rate(calls=1, per_seconds=2 * FIRST_REST.total_seconds(), burst=1)


def take(full_at: datetime, now: datetime, rate: Rate, wanted: int) -> Taken:
    """Grants as many of the wanted calls as there are now.

    >>> from datetime import UTC
    >>> now, rate = datetime(2026, 3, 2, tzinfo=UTC), Rate(calls=10, per_seconds=10, burst=5)
    >>> first = take(now, now, rate, 3)
    >>> first.granted, take(first.full_at, now, rate, 3).granted
    (3, 2)
    """
    start = max(full_at, now)
    free = int((rate.interval * rate.burst - (start - now)) / rate.interval + TINY)
    granted = max(0, min(wanted, free))
    full_at = start + rate.interval * granted
    wait = timedelta(0) if granted == wanted else full_at + rate.interval - rate.interval * rate.burst - now
    return Taken(granted, full_at, max(wait, timedelta(0)))


def rest_after(failures: int) -> timedelta:
    """How long a vendor is left alone after so many failed calls in a row.

    >>> rest_after(4), rest_after(5), rest_after(6)
    (datetime.timedelta(0), datetime.timedelta(seconds=5), datetime.timedelta(seconds=10))
    """
    if failures < FAILURES_UNTIL_REST:
        return timedelta(0)
    return min(FIRST_REST * (1 << min(failures - FAILURES_UNTIL_REST, 20)), LONGEST_REST)
