"""Counts requests against the vendors' limits. Whether there are any is a habit: without it nothing is counted, and all is left."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta


class Window:
    """So many in so many seconds, wherever those seconds begin."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.length = timedelta(seconds=seconds)
        self._taken: deque[datetime] = deque(maxlen=most)

    def left(self, now: datetime) -> int:
        while self._taken and self._taken[0] <= now - self.length:
            self._taken.popleft()
        return self.most - len(self._taken)

    def take(self, now: datetime) -> None:
        self._taken.append(now)

    def seconds_until_free(self, now: datetime) -> float:
        """How long until one more may come; 0 where it may come now."""
        if self.left(now) > 0:
            return 0.0
        return self.seconds_until_reset(now)

    def seconds_until_reset(self, now: datetime) -> float:
        """How long until the oldest request that counts no longer does."""
        self.left(now)
        return ((self._taken[0] - now if self._taken else timedelta()) + self.length).total_seconds()


@dataclass
class DailyBudget:
    """So many units a day of UTC."""

    most: int
    spent: int = 0
    day: int = 0

    def left(self, now: datetime) -> int:
        if now.toordinal() != self.day:
            self.day, self.spent = now.toordinal(), 0
        return max(self.most - self.spent, 0)

    def take(self, now: datetime, cost: int) -> None:
        self.left(now)
        self.spent += cost


@dataclass
class Bucket:
    """One a second, and a few at once after a pause."""

    burst: int
    seconds_each: float = 1.0
    full_at: datetime | None = field(default=None)

    def seconds_until_free(self, now: datetime) -> float:
        """How long until one more may come; 0 where it may come now, and then it is taken."""
        full_at = max(self.full_at or now, now)
        wait = (full_at - now).total_seconds() - (self.burst - 1) * self.seconds_each
        if wait > 0:
            return wait
        self.full_at = full_at + timedelta(seconds=self.seconds_each)
        return 0.0
