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
    rows = np.flatnonzero(facts.begins_event & facts.of_kind(examples.kind))
    seen, ages = spans(examples, facts, rows), _Ages(examples, facts, rows)
    made = {
        SINCE_FIRST: column((examples.at - seen.first) / DAY),
        SINCE_LAST: column((examples.at - seen.last) / DAY),
    }
    for days in WINDOW_DAYS:
        counted, trend = f"events_{days}d", f"events_trend_{days}d"
        if not examples.wants(counted) and not examples.wants(trend):
            continue
        lately = seen.count - ages.before(days)
        made[counted] = column(lately.astype(np.float64))
        if examples.wants(trend):
            earlier = seen.count - ages.before(2 * days) - lately
            made[trend] = column((lately + 1) / (earlier + 1))
    return {name: made[name] for name in COLUMNS if examples.wants(name)}


class _Ages:
    """Counts visible events by their age.

    Of those visible by now, the ones that had happened `days` ago are those that are visible and `days` old by now: both
    hold from max(visible, occurred + days) on. Where an event was heard of within a day, that is occurred + days for every
    window; then one order serves them all.
    """

    def __init__(self, examples: Examples, facts: Facts, rows: Ints) -> None:
        self._examples = examples
        prompt = facts.visible[rows] - facts.occurred[rows] <= min(WINDOW_DAYS) * DAY
        self._prompt = Timeline(facts.entity[rows[prompt]], facts.occurred[rows[prompt]])
        late = rows[~prompt]
        self._late = facts.entity[late], facts.occurred[late], facts.visible[late]

    def before(self, days: int) -> Ints:
        """How many of an example's visible events lie `days` or more before it."""
        asked, age = self._examples, days * DAY
        entity, occurred, visible = self._late
        late = Timeline(entity, np.maximum(visible, occurred + age))
        return self._prompt.count(asked.entity, asked.at - age) + late.count(asked.entity, asked.at)
