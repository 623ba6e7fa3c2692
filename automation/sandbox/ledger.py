"""What a player sent, and how it was answered: the truth that a checker holds against what a loop did with it."""

import json
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automation.sandbox.hubspot.text import stamp

# What a sender changes from one delivery of an event to the next.
DELIVERY = frozenset({"attemptNumber"})
DELIVERY_META = frozenset({"attempt"})


@dataclass(frozen=True)
class Sent:
    """One delivery of one event. `status` 0: nobody answered; None: it was never sent, and is lost."""

    at: datetime
    key: str
    event: Any
    attempt: int
    status: int | None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Ledger:
    """Every delivery in its order. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[Sent] = []
        self._taken: dict[str, Any] = {}
        self._untaken: dict[str, Any] = {}

    def clear(self) -> None:
        with self._lock:
            self._rows.clear()
            self._taken.clear()
            self._untaken.clear()

    def add(self, at: datetime, events: list[Any], attempt: int, status: int | None) -> None:
        """One POST with its events."""
        rows = [Sent(at, key_of(event), event, attempt, status) for event in events]
        with self._lock:
            self._rows += rows
            for row in rows:
                if row.taken:
                    self._taken.setdefault(row.key, row.event)
                    self._untaken.pop(row.key, None)
                elif row.key not in self._taken:
                    self._untaken.setdefault(row.key, row.event)

    def rows(self) -> list[Sent]:
        with self._lock:
            return list(self._rows)

    def taken(self) -> dict[str, Any]:
        """The distinct events that were answered 2xx at least once, by key."""
        with self._lock:
            return dict(self._taken)

    def untaken(self) -> dict[str, Any]:
        """Those that never were: refused, unanswered or lost."""
        with self._lock:
            return dict(self._untaken)

    def as_data(self) -> list[dict[str, Any]]:
        """Every delivery as plain data."""
        return [
            {"at": stamp(row.at), "key": row.key, "attempt": row.attempt, "status": row.status, "event": row.event}
            for row in self.rows()
        ]


def key_of(event: Any) -> str:
    """What stays the same of an event however often it is delivered.

    >>> key_of({"objectId": 1, "attemptNumber": 0}) == key_of({"attemptNumber": 3, "objectId": 1})
    True
    """
    if not isinstance(event, dict):
        return json.dumps(event)
    kept = {name: value for name, value in event.items() if name not in DELIVERY}
    if isinstance(kept.get("meta"), dict):
        kept["meta"] = {name: value for name, value in kept["meta"].items() if name not in DELIVERY_META}
    return json.dumps(kept, sort_keys=True)
