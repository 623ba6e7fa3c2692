"""A lock between the processes of one machine. The operating system holds it, so whoever dies lets go of it."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from data.errors import NotReady

POLL_SECONDS = 0.05
# What is done under a lock takes seconds; whoever waits this long waits for something that hangs.
PATIENCE_SECONDS = 300.0


@contextmanager
def file_lock(path: Path, *, timeout_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """One holder at a time, threads and processes alike. The file stays; it is the lock's name, not its state.

    Raises:
        NotReady: somebody else held it all the while.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        wait_until(lambda: _taken(handle), timeout_seconds=timeout_seconds, what=str(path))
        yield  # closing the file lets go


def wait_until(taken: Callable[[], bool], *, timeout_seconds: float, what: str) -> None:
    """Tries until it has the lock.

    Raises:
        NotReady: somebody else held it all the while.
    """
    deadline = time.monotonic() + timeout_seconds
    while not taken():
        if time.monotonic() >= deadline:
            raise NotReady(f"another process has held {what} for {timeout_seconds:g} s; try again when it is done")
        time.sleep(POLL_SECONDS)


def _taken(handle: TextIO) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
