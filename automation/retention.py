"""TABLE of what is kept for how long, in the order in which it goes: what refers to something goes before it.

What goes with what: an event stays for as long as a delivery, a prediction or a dead letter of it does, and for as long as
something that it told is still what is known. Nothing open goes, however old it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from automation.pipeline.context import Loop
from data.log import get_logger
from data.settings import Settings
from data.warehouse import prune as rows
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.facts import FactRow
from data.warehouse.predictions import PredictionRow

log = get_logger("retention")

LOCK = "retention"
# A transaction of so many rows takes some milliseconds: nobody waits for it.
BATCH_ROWS = 500


@dataclass(frozen=True)
class Step:
    """`days`: how long it is kept, 0 for ever; `which`: what may go, and its key; `go`: lets it go."""

    name: str
    days: Callable[[Settings], float]
    which: Callable[[datetime], tuple[Any, Any]]
    go: Callable[[Any, Sequence[Any]], None]


STEPS: tuple[Step, ...] = (
    Step("deliveries", lambda settings: settings.retain_deliveries_days, rows.deliveries, rows.remove(DeliveryRow)),
    Step("predictions", lambda settings: settings.retain_predictions_days, rows.predictions, rows.remove(PredictionRow)),
    Step("dead_letters", lambda settings: settings.retain_dead_letters_days, rows.dead_letters, rows.remove_dead_letters),
    Step("payloads", lambda settings: settings.retain_payloads_days, rows.payloads, rows.empty_payloads),
    Step("events", lambda settings: settings.retain_events_days, rows.events, rows.remove_events),
    Step("look_ups", lambda settings: settings.retain_events_days, rows.look_ups, rows.remove(FactRow)),
)


def may_be_gone(loop: Loop, received_at: datetime) -> bool:
    """Whether events that came at this moment may have been let go of since."""
    days = loop.settings.retain_events_days
    return days > 0 and received_at < loop.clock.now() - timedelta(days=days)


def prune(loop: Loop, *, dry_run: bool = False) -> dict[str, int]:
    """Lets go of what has been kept for long enough; how much of what.

    `dry_run`: only counts what may go as things are; what it lets go of with it is not counted.

    Raises:
        NotReady: another process does so.
    """
    now, gone = loop.clock.now(), {}
    with loop.database.exclusive(LOCK, timeout_seconds=0.0):
        for step in STEPS:
            if (days := step.days(loop.settings)) > 0:
                gone[step.name] = (_count if dry_run else _prune)(loop, step, now - timedelta(days=days))
    log.info("retention.prune.done", dry_run=dry_run, **gone)
    return gone


def _count(loop: Loop, step: Step, before: datetime) -> int:
    with loop.database.read() as session:
        return rows.count(session, step.which(before)[0])


def _prune(loop: Loop, step: Step, before: datetime) -> int:
    query, key = step.which(before)
    gone, last = 0, None
    while True:
        with loop.database.write() as session:
            ids = rows.next_ids(session, query, key, last, BATCH_ROWS)
            if not ids:
                return gone
            step.go(session, ids)
        gone, last = gone + len(ids), ids[-1]
