"""Turns: so much of a kind at a time in this process, and whoever would wait too long for a turn does without."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MOST_AT_ONCE = 1  # the interpreter runs one thread at a time: two at once take twice as long each


class Turns:
    def __init__(self, most_at_once: int = MOST_AT_ONCE) -> None:
        self._free = threading.Semaphore(most_at_once)

    @contextmanager
    def one(self, seconds: float) -> Iterator[bool]:
        """Whether the caller's turn has come within these seconds; it then lasts until the block ends."""
        its_turn = self._free.acquire(timeout=seconds)
        try:
            yield its_turn
        finally:
            if its_turn:
                self._free.release()
