"""What the stand-in Slack remembers: channels, and their messages as they stand now."""

import itertools
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Message = dict[str, Any]


@dataclass
class Channel:
    """`messages` are in the order in which they were posted; `moments` are their times, beside them."""

    id: str
    name: str
    messages: list[Message] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    private: bool = False
    places: dict[str, Message] = field(default_factory=dict)


class Messages:
    """All channels of one workspace. Safe to use from several threads."""

    def __init__(self, names: tuple[str, ...], lock: threading.RLock, now: Callable[[], datetime]) -> None:
        self.channels = {name: Channel(f"C{number:09d}X", name) for number, name in enumerate(names, 1)}
        self.arrivals: dict[str, datetime] = {}
        """When each message came in, finer than its `ts` says."""
        self._lock, self._now = lock, now
        self._ticks = itertools.count(1)
        self._last_second = 0

    def clear(self) -> None:
        with self._lock:
            for channel in self.channels.values():
                channel.messages.clear()
                channel.moments.clear()
                channel.places.clear()
            self.arrivals.clear()

    def find(self, wanted: str, *, by_name: bool) -> Channel | None:
        """A channel by its id, or by its name where the method takes names."""
        for channel in self.channels.values():
            if wanted == channel.id or (by_name and wanted.removeprefix("#") == channel.name):
                return channel
        return None

    def everything(self) -> list[Message]:
        """Every message, in the order in which they were posted."""
        with self._lock:
            found = [message for channel in self.channels.values() for message in channel.messages]
            return sorted(found, key=lambda message: float(message["ts"]))

    def post(self, channel: Channel, message: Message) -> str:
        """Adds a message under a `ts` of its own."""
        with self._lock:
            self._last_second = max(self._last_second, int(self._now().timestamp()))
            ts = f"{self._last_second}.{next(self._ticks):06d}"
            stored = {"type": "message", "ts": ts, **message}
            channel.messages.append(stored)
            channel.moments.append(float(ts))
            channel.places[ts] = stored
            self.arrivals[ts] = self._now()
            return ts

    def edit(self, channel: Channel, ts: str, changes: Message, by: str) -> Message | None:
        """Changes a message where it stands. None where there is none."""
        with self._lock:
            if (message := channel.places.get(ts)) is None:
                return None
            message.update(changes)
            message["edited"] = {"user": by, "ts": f"{int(self._now().timestamp())}.000000"}
            return dict(message)

    def delete(self, channel: Channel, ts: str) -> bool:
        with self._lock:
            if (message := channel.places.pop(ts, None)) is None:
                return False
            place = channel.messages.index(message)
            del channel.messages[place], channel.moments[place]
            return True

    def newest_first(
        self, channel: Channel, *, after: float, before: float, start: int, size: int, inclusive: bool = False
    ) -> tuple[list[Message], bool]:
        """One page of a channel's history between two moments, with those moments where it is `inclusive`; whether more follows."""
        first, end = (bisect_left, bisect_right) if inclusive else (bisect_right, bisect_left)
        with self._lock:
            low, high = first(channel.moments, after), end(channel.moments, before)
            stop = max(high - start, low)
            begin = max(stop - size, low)
            return [dict(message) for message in reversed(channel.messages[begin:stop])], begin > low
