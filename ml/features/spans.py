"""How many things of one kind happened to each example's entity, the first and the last of them."""

from dataclasses import dataclass

import numpy as np

from ml.features.facts import Examples, Facts
from ml.features.timeline import Floats, Ints, Timeline, running_max, starts


@dataclass(frozen=True)
class Spans:
    """One row per example; the moments in microseconds since 1970, NaN where there is none."""

    count: Ints
    first: Floats
    last: Floats


def spans(examples: Examples, facts: Facts, rows: Ints) -> Spans:
    """Of these rows of the facts, those that each example's entity shows at its moment."""
    line = Timeline(facts.entity[rows], facts.visible[rows])
    last, first = line.find(examples.entity, examples.at)
    count = last - first + 1
    if not len(rows):
        return Spans(count, np.full(len(examples), np.nan), np.full(len(examples), np.nan))
    occurred = facts.occurred[rows][line.order]
    none = count == 0
    return Spans(
        count=count,
        first=np.where(none, np.nan, -running_max(line.groups, -occurred)[last]),
        last=np.where(none, np.nan, running_max(line.groups, occurred)[last]),
    )


def first_of_moment(facts: Facts, rows: Ints) -> Ints:
    """Of the rows that say what happened to one entity at one moment, the one that was visible first."""
    entity, occurred = facts.entity[rows], facts.occurred[rows]
    order = np.lexsort((occurred, entity))
    news = starts(entity[order]) | starts(occurred[order])
    return np.sort(rows[order[news]])
