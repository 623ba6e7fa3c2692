"""TABLE of timed jobs: name -> how often, and what."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from automation import alarms, endings, tokens
from automation.destinations.registry import DESTINATIONS
from automation.jobs import champions, deal_stages, enrichments, names, notices, privacy, reconcile, watch, worker
from automation.pipeline.context import Loop
from data.settings import Settings

# A service that has just started has a backlog to see to first.
FIRST_RECONCILE_SECONDS = 60.0
# Side by side, each with events of its own: while one waits for a vendor that is slow to answer, the others go on.
INBOX_SWEEPS = 3
ENDINGS_SECONDS = 5.0  # people read them; a look without one is a single small query
TOKEN_USE_SECONDS = 30.0  # a use is told to the minute


@dataclass(frozen=True)
class Job:
    name: str
    every_seconds: float
    run: Callable[[Loop], None]
    first_after_seconds: float = 0.0
    once: bool = False
    """Each turn of it happens in one of all processes."""
    stop: Callable[[], None] = lambda: None
    """Called when the scheduler ends, for a job that has started a process."""


def jobs(settings: Settings) -> tuple[Job, ...]:
    """All jobs. One outbox sweep per destination, so that a slow one holds up none of the others."""
    sweep_seconds = settings.sweep_seconds
    watcher = watch.Watcher()
    return (
        Job("payloads.sweep", sweep_seconds, worker.sweep_payloads),
        *(Job(name, sweep_seconds, worker.sweep_inbox) for name in _names("inbox.sweep", INBOX_SWEEPS)),
        *(
            Job(name, sweep_seconds, partial(worker.sweep_outbox, destination=destination))
            for destination in DESTINATIONS.values()
            for name in _names(f"outbox.{destination.name}.sweep", destination.sweeps)
        ),
        Job("champions.pull", settings.champion_poll_seconds, champions.pull),
        Job("champions.refresh", champions.LOOK_SECONDS, champions.refresh),
        Job("deal_stages.sweep", deal_stages.EVERY_SECONDS, deal_stages.sweep),
        Job("endings.sweep", ENDINGS_SECONDS, endings.sweep),
        Job("enrichments.sweep", enrichments.EVERY_SECONDS, enrichments.sweep),
        Job("tokens.note_use", TOKEN_USE_SECONDS, tokens.note_use, TOKEN_USE_SECONDS),
        Job("notices.sweep", notices.EVERY_SECONDS, notices.sweep),
        Job("alarms.look", alarms.EVERY_SECONDS, alarms.look, alarms.FIRST_AFTER_SECONDS, once=True),
        Job("privacy.sweep", privacy.EVERY_SECONDS, privacy.sweep),
        Job("retention.prune", privacy.PRUNE_SECONDS, privacy.prune, privacy.PRUNE_FIRST_AFTER_SECONDS, once=True),
        Job("names.refresh", names.EVERY_SECONDS, names.sweep),
        Job("crm.reconcile", 60 * settings.reconcile_minutes, reconcile.sweep, FIRST_RECONCILE_SECONDS, once=True),
        Job("models.watch", watch.TICK_SECONDS, watcher, watch.FIRST_AFTER_SECONDS, stop=watcher.stop),
    )


def _names(name: str, count: int) -> list[str]:
    """A job's name, with a number from the second one on."""
    return [name, *(f"{name}.{number}" for number in range(2, count + 1))]
