"""Turns: one at a time in this process, and whoever would wait too long for its turn does without.

One, because the interpreter runs one thread at a time: two at once would take twice as long each.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# After somebody did without, so long everybody does: there is more to do than can be done at once.
REST_SECONDS = 1.0
SOON_SECONDS = 0.05


class Turns:
    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._now, self._free, self._rests_until = seconds, threading.Lock(), 0.0

    @property
    def are_over(self) -> bool:
        """Whether everybody does without for now."""
        return self._now() < self._rests_until

    @contextmanager
    def one(self, patience_seconds: float = SOON_SECONDS) -> Iterator[bool]:
        """Whether the caller's turn has come within these seconds; it then lasts until the block ends."""
        its_turn = False
        if not self.are_over and not (its_turn := self._free.acquire(timeout=patience_seconds)):
            self._rests_until = self._now() + REST_SECONDS
        try:
            yield its_turn
        finally:
            if its_turn:
                self._free.release()
