"""How a sender gets its events wrong: out of order, twice, with another's id, many at once. Drawn from one generator, by habits."""

import random
from collections.abc import Sequence
from typing import Any

from automation.sandbox.habits import Habits

BURST = 100  # as many as HubSpot puts into one POST
HELD_BACK = 200  # no more wait for a later POST


class Tricks:
    """One sender's. Whatever is handed in comes out sooner or later: `rest` gives what still waits.

    Not safe by itself: the player holds its lock.
    """

    def __init__(self, sender: str, habits: Habits) -> None:
        self._sender, self._habits = sender, habits
        self._random = random.Random(f"{habits.seed}/{sender}/sends")
        self._late: list[Any] = []
        self._burst: list[Any] | None = None
        self._last_id: int | None = None

    def under(self, habits: Habits) -> "Tricks":
        """The same sender's under other habits, with what waits."""
        if habits is self._habits:
            return self
        others = Tricks(self._sender, habits)
        others._late = [event for post in self.rest() for event in post]
        return others

    def posts(self, events: Sequence[Any]) -> list[list[Any]]:
        """The POSTs in which events go out, with what was held back before. Without habits: one, as they are."""
        habits = self._habits
        if not (habits.reorder or habits.duplicate_within or habits.duplicate_across or habits.burst or self._late):
            return [list(events)]
        going = self._due()
        for event in events:
            if self._hits(habits.reorder) and len(self._late) < HELD_BACK:
                self._late.append(event)
                continue
            going.append(event)
            if self._hits(habits.duplicate_within):
                going.append(event)
            if self._hits(habits.duplicate_across) and len(self._late) < HELD_BACK:
                self._late.append(event)
        return self._gathered(going)

    def rest(self) -> list[list[Any]]:
        """What still waits, in POSTs."""
        going = [*(self._burst or []), *self._late]
        self._burst, self._late = None, []
        return [going[start : start + BURST] for start in range(0, len(going), BURST)]

    def redelivers(self) -> bool:
        """Whether what was taken is sent once more."""
        return self._hits(self._habits.redeliver)

    def event_id(self, fresh: int) -> int:
        """The id of a new event: its own, or that of the one before it."""
        if self._last_id is not None and self._hits(self._habits.shared_event_id):
            return self._last_id
        self._last_id = fresh
        return fresh

    def _due(self) -> list[Any]:
        """What was held back and comes now, in another order: each with the same chance."""
        self._random.shuffle(self._late)
        count = self._random.randint(0, len(self._late)) if self._late else 0
        due, self._late = self._late[:count], self._late[count:]
        return due

    def _gathered(self, going: list[Any]) -> list[list[Any]]:
        """One POST, or none until a hundred have come together."""
        if self._burst is None and self._hits(self._habits.burst):
            self._burst = []
        if self._burst is None:
            return [going] if going else []
        self._burst += going
        if len(self._burst) < BURST:
            return []
        full, self._burst = self._burst, None
        return [full[start : start + BURST] for start in range(0, len(full), BURST)]

    def _hits(self, rate: float) -> bool:
        return bool(rate) and self._random.random() < rate
