"""How much happened around an entity: counts of events over windows, their trend, the first and the last."""

import numpy as np
import polars as pl

from ml.features.facts import DAY, Examples, Facts, column
from ml.features.spans import spans
from ml.features.timeline import Ints, Timeline

WINDOW_DAYS = (1, 7, 30, 90)
COUNTS = {f"events_{days}d": days for days in WINDOW_DAYS}
TRENDS = {f"events_trend_{days}d": days for days in WINDOW_DAYS}
SINCE_FIRST, SINCE_LAST = "days_since_first_event", "days_since_last_event"
COLUMNS = (*COUNTS, *TRENDS, SINCE_FIRST, SINCE_LAST)


def build(examples: Examples, facts: Facts) -> dict[str, pl.Series]:
    """Counts of the last 1, 7, 30, 90 days; each over the count of as many days before (one added to both); days since."""
    rows = np.flatnonzero(facts.begins_event)
    seen = spans(examples, facts, rows)
    made = {
        SINCE_FIRST: column((examples.at - seen.first) / DAY),
        SINCE_LAST: column((examples.at - seen.last) / DAY),
    }
    for days in WINDOW_DAYS:
        counted, trend = f"events_{days}d", f"events_trend_{days}d"
        if not examples.wants(counted) and not examples.wants(trend):
            continue
        lately = seen.count - _before(examples, facts, rows, days)
        made[counted] = column(lately.astype(np.float64))
        if examples.wants(trend):
            earlier = seen.count - _before(examples, facts, rows, 2 * days) - lately
            made[trend] = column((lately + 1) / (earlier + 1))
    return {name: made[name] for name in COLUMNS if examples.wants(name)}


def _before(examples: Examples, facts: Facts, rows: Ints, days: int) -> Ints:
    """How many of the visible events had happened `days` ago: those visible by now that are `days` old by now.

    Both hold from max(visible, occurred + days) on, so this is a count over sorted moments as well.
    """
    aged = np.maximum(facts.visible[rows], facts.occurred[rows] + days * DAY)
    return Timeline(facts.entity[rows], aged).count(examples.entity, examples.at)
