"""What happens in the two CRMs during a run: drawn from a seed, played by several hands at once, each with people of its own."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data.samples import world
from scripts.play import LARGEST_BATCH, MALFORMED
from scripts.stand import Stand

HANDS = 4  # of each CRM
HUBSPOT_SHARE = 0.7
MALFORMED_SHARE = 0.01
PEOPLE_APART = 100_000  # between the first ids of two hands
FIRST_ID = 1_000_001
OWN_FIELDS = ("engaged_sessions", "is_first_visit", "job_title", "team_size", "newsletter")
COUNTED = ("sessions", "page_views", "channel", "engaged_sessions", "is_first_visit")
# A CRM's clock counts milliseconds: two changes of one person never share one, or nobody could say which is newer.
APART_SECONDS = 0.002


@dataclass
class Load:
    """Plays until `events` distinct good events have happened. `sent` counts them as it goes."""

    parts: Stand
    events: int
    seed: int
    attempts: int
    per_second: float | None = None
    """No more than so many; None: as fast as they are taken."""
    sent: int = 0
    malformed: int = 0
    people: dict[str, set[str]] = field(default_factory=lambda: {"hubspot": set(), "pipedrive": set()})
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _started: float = 0.0

    @contextmanager
    def playing(self) -> Iterator[Callable[[], bool]]:
        """Plays in the background; the block is given a function that says whether all of it has been sent."""
        self._started = time.monotonic()
        with ThreadPoolExecutor(2 * HANDS) as pool:
            shares = {"hubspot": HUBSPOT_SHARE, "pipedrive": 1 - HUBSPOT_SHARE}
            plays = {"hubspot": self._play_hubspot, "pipedrive": self._play_pipedrive}
            jobs: list[Future[None]] = [
                pool.submit(plays[source], hand, round(self.events * share / HANDS))
                for source, share in shares.items()
                for hand in range(HANDS)
            ]
            yield lambda: all(job.done() for job in jobs)
            for job in jobs:
                job.result()

    def define_fields(self) -> None:
        """The account's own fields, before anything happens."""
        self.parts.player.define(set(OWN_FIELDS))
        for name in COUNTED:
            self.parts.sandbox.define_pipedrive_field("persons", name)

    def flush(self) -> None:
        """Sends what bad habits have held back."""
        self.parts.player.flush(attempts=self.attempts)
        self.parts.pipedrive.flush()

    def _play_hubspot(self, hand: int, events: int) -> None:
        player = self.parts.player
        generator = np.random.default_rng([self.seed, hand, 1])
        broken = itertools.cycle(MALFORMED)
        batch: list[dict[str, Any]] = []
        extra: list[Any] = []
        size, done = int(generator.integers(1, LARGEST_BATCH + 1)), 0
        for change in self._changes(hand):
            number = str(change.contact.id)
            changed = dict(list(change.changed.items())[: events - done - len(batch)])
            batch += player.created(number, change.current) if change.verb == "created" else player.changed(number, changed)
            time.sleep(APART_SECONDS)
            self._met("hubspot", number)
            if generator.random() < MALFORMED_SHARE:
                extra.append(next(broken))
            if len(batch) < size and done + len(batch) < events:
                continue
            player.deliver(batch, extra, attempts=self.attempts)
            done += len(batch)
            self._count(len(batch), len(extra))
            batch, extra, size = [], [], int(generator.integers(1, LARGEST_BATCH + 1))
            if done >= events:
                return

    def _play_pipedrive(self, hand: int, events: int) -> None:
        player = self.parts.pipedrive
        for change in itertools.islice(self._changes(HANDS + hand), events):
            number = str(change.contact.id)
            values = {name: value for name, value in change.changed.items() if name in COUNTED}
            if change.verb == "created":
                person = change.contact.properties
                values |= {"name": f"{person['firstname']} {person['lastname']}", "email": person["email"]}
                message = player.created(number, values)
            else:
                message = player.changed(number, values)
            time.sleep(APART_SECONDS)
            self._met("pipedrive", number)
            player.deliver(message)
            self._count(1, 0)

    def _changes(self, hand: int) -> Iterator[world.Change]:
        return world.live(self.seed * 2 * HANDS + hand, first_id=FIRST_ID + hand * PEOPLE_APART, contacts=self.events, warm=True)

    def _met(self, source: str, number: str) -> None:
        with self._lock:
            self.people[source].add(number)

    def _count(self, events: int, malformed: int) -> None:
        with self._lock:
            self.sent += events
            self.malformed += malformed
            ahead = 0.0 if self.per_second is None else self.sent / self.per_second - (time.monotonic() - self._started)
        if ahead > 0:
            time.sleep(ahead)
