"""Whose turn it is, among the threads of one process."""

import threading
from collections import deque


class Turn:
    """A lock that one thread has at a time, and may take again while it has it: who waits longest is next.

    Python's own locks go to whoever runs when they become free, which is most often the thread that had it: one that works through
    a backlog would keep all others out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, threading.Event]] = deque()
        self._owner: int | None = None
        self._depth = 0

    def acquire(self, *, timeout_seconds: float | None = None, first: bool = False) -> bool:
        """Whether it came within the time.

        Parameters:
            timeout_seconds: for ever without.
            first: goes before all that wait.
        """
        me = threading.get_ident()
        with self._lock:
            if self._owner in (None, me):
                self._owner, self._depth = me, self._depth + 1
                return True
            mine = me, threading.Event()
            (self._waiting.appendleft if first else self._waiting.append)(mine)
        if mine[1].wait(timeout_seconds):
            return True
        with self._lock:
            if mine[1].is_set():  # it came at the last moment
                return True
            self._waiting.remove(mine)
            return False

    def release(self) -> None:
        """Gives it to who is next. The thread that has it calls this as often as it called `acquire`."""
        with self._lock:
            self._depth -= 1
            if self._depth:
                return
            self._owner = None
            if self._waiting:
                self._owner, came = self._waiting.popleft()
                self._depth = 1
                came.set()
