"""TABLE of timed jobs: name -> how often, and what."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from automation.destinations.registry import DESTINATIONS
from automation.jobs import champions, enrichments, names, notices, watch, worker
from automation.pipeline.context import Loop
from data.settings import Settings


@dataclass(frozen=True)
class Job:
    name: str
    every_seconds: float
    run: Callable[[Loop], None]
    first_after_seconds: float = 0.0
    stop: Callable[[], None] = lambda: None
    """Called when the scheduler ends, for a job that has started a process."""


def jobs(settings: Settings) -> tuple[Job, ...]:
    """All jobs. One outbox sweep per destination, so that a slow one holds up none of the others."""
    sweep_seconds = settings.sweep_seconds
    watcher = watch.Watcher()
    return (
        Job("payloads.sweep", 10 * sweep_seconds, worker.sweep_payloads),
        Job("inbox.sweep", sweep_seconds, worker.sweep_inbox),
        *(
            Job(f"outbox.{name}.sweep", sweep_seconds, partial(worker.sweep_outbox, destination=destination))
            for name, destination in DESTINATIONS.items()
        ),
        Job("champions.pull", settings.champion_poll_seconds, champions.pull),
        Job("champions.refresh", champions.LOOK_SECONDS, champions.refresh),
        Job("enrichments.sweep", enrichments.EVERY_SECONDS, enrichments.sweep),
        Job("notices.sweep", notices.EVERY_SECONDS, notices.sweep),
        Job("names.refresh", names.EVERY_SECONDS, names.refresh),
        Job("models.watch", watch.TICK_SECONDS, watcher, watch.FIRST_AFTER_SECONDS, watcher.stop),
    )
