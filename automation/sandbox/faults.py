"""Draws which request is answered badly, and how: one generator for each vendor, in the order of its requests."""

import random
from datetime import datetime, timedelta
from enum import StrEnum

from automation.sandbox.habits import Habits

EXPIRED_SECONDS = 20.0  # long enough for several tries to fail, short enough to wait for
SLOW_SECONDS = 1.0
HANG_SECONDS = 30.0  # longer than any client here waits


class Fault(StrEnum):
    """The ways to answer badly, named as their habits. At most one befalls a request."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    TIME_OUT_AFTER = "time_out_after"
    TOO_MANY = "too_many"
    TOO_MANY_UNSAID = "too_many_unsaid"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    SLOW = "slow"
    EXPIRED_TOKEN = "expired_token"  # noqa: S105


AFTER_THE_WORK = frozenset({Fault.DROP_AFTER, Fault.TIME_OUT_AFTER})


class Faults:
    """What befalls one vendor's requests. Not safe by itself: the sandbox holds its lock."""

    def __init__(self, vendor: str, habits: Habits) -> None:
        self._habits = habits
        self._requests = random.Random(f"{habits.seed}/{vendor}/requests")
        self._rows = random.Random(f"{habits.seed}/{vendor}/rows")
        self._expired_until: datetime | None = None

    def draw(self, now: datetime) -> Fault | None:
        """The fault of the next request: one number is drawn for each, whatever is on."""
        place = self._requests.random()
        for fault in Fault:
            place -= getattr(self._habits, fault)
            if place < 0:
                if fault is Fault.EXPIRED_TOKEN:
                    self._expired_until = now + timedelta(seconds=EXPIRED_SECONDS / self._habits.hurry)
                return fault
        return None

    def refuses_row(self) -> bool:
        """Whether the next row of a batch is refused for now."""
        return bool(self._habits.partial) and self._rows.random() < self._habits.partial

    def token_is_expired(self, now: datetime) -> bool:
        return self._expired_until is not None and now < self._expired_until

    def renew(self) -> None:
        """The token is good again."""
        self._expired_until = None
