"""What an enrichment could not do, and when it is tried again."""

from dataclasses import dataclass
from datetime import timedelta

from data.errors import NotNow, Permanent, Retryable, VendorError

# A vendor that is down is back within minutes or hours: from one minute, doubling, to six hours.
FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class Problem:
    """Why an enrichment did not answer. `wait_seconds`: not before that; None where nobody said so.

    `again`: whether trying again is worth it. `counts`: whether this was a try, and not only its turn that has not come yet.
    """

    detail: str
    wait_seconds: float | None = None
    again: bool = True
    counts: bool = True

    @classmethod
    def of(cls, error: VendorError) -> "Problem":
        wait = error.retry_after_seconds if isinstance(error, Retryable) else None
        return cls(error.detail, wait, again=not isinstance(error, Permanent), counts=not isinstance(error, NotNow))

    @classmethod
    def of_ours(cls, error: Exception) -> "Problem":
        """A fault in an enrichment itself."""
        return cls(f"an unexpected fault: {type(error).__name__}")


def pause(attempts: int, wait_seconds: float | None = None) -> timedelta:
    """How long to wait after the n-th try.

    >>> [str(pause(attempts)) for attempts in (1, 2, 10)], str(pause(1, 90))
    (['0:01:00', '0:02:00', '6:00:00'], '0:01:30')
    """
    doubled = min(FIRST_PAUSE_SECONDS * 2.0 ** min(max(attempts - 1, 0), 30), LONGEST_PAUSE_SECONDS)
    return timedelta(seconds=max(doubled, wait_seconds or 0.0))
