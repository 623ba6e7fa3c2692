"""What the properties of an event were before it, where its sender does not say so. HubSpot's webhooks never do.

Only for events that ask a model, whose facts are at hand when they are scored: to read them at the door would cost every batch
more than storing it. Of all other events the facts tell the same.
"""

from collections.abc import Iterable
from itertools import pairwise

import polars as pl

from automation.pipeline.context import Case
from data.domain.event_type import Verb, parts_of

# One property of one entity: which event told which value (None: a look-up), the oldest first.
Story = list[tuple[int | None, str | None]]


def fill_in(cases: Iterable[Case], told: pl.DataFrame) -> None:
    """Fills in `case.previous` from the facts of the cases' entities, under their senders' names: the newest before the event."""
    asked = [(case, name) for case in cases for name in _unsaid(case)]
    if not asked:
        return
    stories = _stories(told, {case.event.entity_id for case, _ in asked}, {name for _, name in asked})
    for case, name in asked:
        story = stories.get((case.event.entity_id, name), [])
        for (_, before), (event, _) in pairwise(story):
            if event == case.event_id:
                case.previous[name] = before


def _unsaid(case: Case) -> set[str]:
    changed = parts_of(case.event.type)[1] is Verb.CHANGED
    return case.event.properties.keys() - case.event.previous.keys() if changed else set()


def _stories(told: pl.DataFrame, entities: set[int], names: set[str]) -> dict[tuple[int, str], Story]:
    wanted = told.filter(pl.col("entity").is_in(entities) & pl.col("name").is_in(names)).sort("occurred_at", "known_at", "id")
    stories: dict[tuple[int, str], Story] = {}
    for entity, name, event, value in wanted.select("entity", "name", "event", "value").iter_rows():
        stories.setdefault((entity, name), []).append((event, value))
    return stories
