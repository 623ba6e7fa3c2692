"""Waits for what may hang, so long and no longer."""

import threading
from collections import defaultdict
from collections.abc import Callable

from data.errors import Retryable

# Whoever hangs is asked no more while so many have stopped waiting for it: each holds a thread until its own time-out ends it.
MOST_LEFT = 4


class Patience:
    """Runs calls beside their caller. One that does not end in time goes on by itself, and nobody listens to it any more."""

    def __init__(self, most_left: int = MOST_LEFT) -> None:
        self._most_left = most_left
        self._left: dict[str, set[threading.Thread]] = defaultdict(set)
        self._lock = threading.Lock()

    def wait(self, name: str, call: Callable[[], None], seconds: float) -> None:
        """Returns when the call has ended.

        Raises:
            Retryable: it has not ended in time, or too many of this name have not before. Else what the call raised.
        """
        if (left := self.left(name)) >= self._most_left:
            raise Retryable(f"not asked: {left} earlier questions are still without an answer")
        raised: list[BaseException] = []
        thread = threading.Thread(target=_run, args=(call, raised), name=f"enrich-{name}", daemon=True)
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            with self._lock:
                self._left[name].add(thread)
            raise Retryable(f"did not answer within {seconds:g} s")
        if raised:
            raise raised[0]

    def left(self, name: str) -> int:
        """How many calls that nobody waits for any more have not ended."""
        with self._lock:
            self._left[name] = {thread for thread in self._left[name] if thread.is_alive()}
            return len(self._left[name])


def _run(call: Callable[[], None], raised: list[BaseException]) -> None:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 raised again where somebody waits for it
        raised.append(error)
