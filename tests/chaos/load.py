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

from scripts.play import LARGEST_BATCH, MALFORMED
from scripts.stand import Stand
from tests.chaos.steps import COUNTED, OWN_FIELDS, hubspot_events, pipedrive_messages
from tests.chaos.story import Step, Story

HANDS = 4  # of each CRM
SHARES = {"hubspot": 0.7, "pipedrive": 0.3}
MALFORMED_SHARE = 0.01
PEOPLE_APART = 100_000  # between the first ids of two hands
FIRST_ID = 1_000_001


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
    people: dict[str, set[str]] = field(default_factory=lambda: {source: set() for source in SHARES})
    """All who ever were there."""
    stories: dict[str, list[Story]] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _started: float = 0.0

    def __post_init__(self) -> None:
        numbers = itertools.count()
        self.stories = {source: [self._story(source, next(numbers)) for _ in range(HANDS)] for source in SHARES}

    @contextmanager
    def playing(self) -> Iterator[Callable[[], bool]]:
        """Plays in the background; the block is given a function that says whether all of it has been sent."""
        self._started = time.monotonic()
        with ThreadPoolExecutor(2 * HANDS) as pool:
            plays = {"hubspot": self._play_hubspot, "pipedrive": self._play_pipedrive}
            jobs: list[Future[None]] = [
                pool.submit(plays[source], hand, round(self.events * share / HANDS))
                for source, share in SHARES.items()
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

    def now(self, source: str, number: str) -> str:
        """Who a person is by now, who may have become one with others."""
        for story in self.stories[source]:
            number = story.now(number)
        return number

    @property
    def ended(self) -> int:
        """Deals that have ever been won or lost."""
        return sum(len(story.ended) for stories in self.stories.values() for story in stories)

    def whose_deals_ended(self) -> set[str]:
        """All whom a deal has ever named that has ever ended, as `source number` and as who they are by now."""
        return {
            f"{source} {self.now(source, person)}"
            for source, stories in self.stories.items()
            for story in stories
            for number in story.ended
            for person in story.named[number]
        }

    def _story(self, source: str, number: int) -> Story:
        return Story(source, self.seed * 2 * HANDS + number, number, FIRST_ID + number * PEOPLE_APART, self.events)

    def _play_hubspot(self, hand: int, events: int) -> None:
        player = self.parts.player
        generator = np.random.default_rng([self.seed, hand, 1])
        broken = itertools.cycle(MALFORMED)
        batch: list[dict[str, Any]] = []
        extra: list[Any] = []
        size, done = int(generator.integers(1, LARGEST_BATCH + 1)), 0
        for step in self.stories["hubspot"][hand].steps():
            batch += hubspot_events(player, step, most=events - done - len(batch))
            self._met("hubspot", step)
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
        done = 0
        for step in self.stories["pipedrive"][hand].steps():
            messages = pipedrive_messages(player, step)
            self._met("pipedrive", step)
            for message in messages:
                player.deliver(message)
            done += len(messages)
            self._count(len(messages), 0)
            if done >= events:
                return

    def _met(self, source: str, step: Step) -> None:
        if step.what.is_of_people:
            with self._lock:
                self.people[source].update(number for number in (step.number, step.new) if number is not None)

    def _count(self, events: int, malformed: int) -> None:
        with self._lock:
            self.sent += events
            self.malformed += malformed
            ahead = 0.0 if self.per_second is None else self.sent / self.per_second - (time.monotonic() - self._started)
        if ahead > 0:
            time.sleep(ahead)
