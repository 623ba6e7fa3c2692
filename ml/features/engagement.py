"""What a lead did on the web site, so far and lately."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ml.features.facts import DAY, Examples, Facts, column, numbers
from ml.features.inputs import Input, InputKind, typed_value
from ml.features.spans import first_of_moment, spans

COUNTERS = ("sessions", "engaged_sessions", "page_views")
GROWTH_DAYS = (7, 30)
TOLD = ("sessions", "engaged_sessions", "page_views", "channel", "is_first_visit")
GROWTHS = {f"{name}_growth_{days}d": (name, days) for days in GROWTH_DAYS for name in COUNTERS}
RECENCY, CADENCE = "engagement_recency_days", "engagement_cadence_days"
COLUMNS = (*TOLD, *GROWTHS, RECENCY, CADENCE)

SESSIONS = Input(name="sessions", kind=InputKind.NUMBER)

Properties = Mapping[str, Any]


def build(examples: Examples, facts: Facts) -> dict[str, pl.Series]:
    """The five columns as they were told; how much each counter grew; days since and between changes of counters."""
    histories = {name: facts.history(name) for name in TOLD}
    made = {name: facts.text(history.at(examples.entity, examples.at)) for name, history in histories.items()}
    made["is_first_visit"] = _first_visit(made["is_first_visit"], made["sessions"])
    made["channel"] = made["channel"].str.strip_chars().str.to_lowercase()
    for name, (counter, days) in GROWTHS.items():
        if examples.wants(name):
            then = facts.text(histories[counter].at(examples.entity, examples.at - days * DAY))  # as it was known then
            made[name] = column(numbers(made[counter]) - numbers(then))
    if examples.wants(RECENCY) or examples.wants(CADENCE):
        made |= _rhythm(examples, facts)
    return {name: series for name, series in made.items() if examples.wants(name)}


def from_properties(lead: Properties) -> dict[str, Any]:
    """The five columns from a flat set of properties, without their history."""
    return {feature.__name__: feature(lead) for feature in (sessions, engaged_sessions, page_views, channel, is_first_visit)}


def sessions(lead: Properties) -> Any:
    """Number of web sessions so far."""
    return lead.get("sessions")


def engaged_sessions(lead: Properties) -> Any:
    """Sessions that lasted, converted or saw two pages or more (Google Analytics 4's definition)."""
    return lead.get("engaged_sessions")


def page_views(lead: Properties) -> Any:
    """Pages seen over all sessions."""
    return lead.get("page_views")


def channel(lead: Properties) -> Any:
    """Where the first session came from, in lower case: `organic_search`, `paid_social`, ..."""
    value = lead.get("channel")
    return value.strip().lower() if isinstance(value, str) else value


def is_first_visit(lead: Properties) -> Any:
    """Whether the lead was here once only. Told by the source, or by the number of sessions."""
    if (told := lead.get("is_first_visit")) not in (None, ""):
        return told
    count = typed_value(SESSIONS, lead.get("sessions"), strictly=False)
    return count <= 1 if isinstance(count, float) else None


def _first_visit(told: pl.Series, visits: pl.Series) -> pl.Series:
    derived = (column(numbers(visits)) <= 1).cast(pl.String)
    return told.zip_with(told.is_not_null(), derived)


def _rhythm(examples: Examples, facts: Facts) -> dict[str, pl.Series]:
    """Days since a counter changed, and the mean days between such moments, missing while there is one only."""
    rows = facts.rows(COUNTERS)
    changes = spans(examples, facts, first_of_moment(facts, rows[facts.has_value[rows]]))
    gaps = np.where(changes.count > 1, changes.count - 1, np.nan)
    return {
        RECENCY: column((examples.at - changes.last) / DAY),
        CADENCE: column((changes.last - changes.first) / DAY / gaps),
    }
