"""Segments: the levels of the inputs that have levels. A new version may be better on the whole and useless for one of them.

A segment has collapsed if its log-loss is worse for certain (one-sided, at LEVEL over all segments together: Bonferroni)
and by an amount that matters (MATERIAL of the champion's log-loss there).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.stats import t

from ml.preparation.base import Floats, Ints
from ml.training.bootstrap import LEVEL, Groups
from ml.training.calibrate import row_losses

# A mean of so many differences is close enough to normal, and a segment of fewer rows is no market of its own.
FEWEST_ROWS = 100
FEWEST_OF_EACH = 5
MOST_LEVELS = 20  # of one input, the most frequent: a name of which each row has its own is no segment
# Below a twentieth a worse log-loss in one segment is no collapse; the check of all rows sees it where it is many segments.
MATERIAL = 0.05
NOTHING = "(missing)"


class Segment(BaseModel):
    """One level of one input: both log-losses, and their difference with an interval that holds for all segments together."""

    model_config = ConfigDict(frozen=True)

    input: str
    level: str
    rows: int
    champion: float
    candidate: float
    difference: float
    low: float
    high: float
    collapsed: bool

    @property
    def said(self) -> str:
        shown = f"{self.difference:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"
        return f"log-loss where {self.input} is {self.level} ({self.rows:,} rows) {shown}: worse there by more than a twentieth"


def compare(
    labels: Ints, champion: Floats, candidate: Floats, levels: Mapping[str, NDArray[Any]], *, groups: Groups | None = None
) -> list[Segment]:
    """Every segment with enough rows, the worst first. `champion`, `candidate`: log-odds of the same rows."""
    found = [(name, level, rows) for name, values in levels.items() for level, rows in _segments(values, labels)]
    one, other = row_losses(champion, labels), row_losses(candidate, labels)
    tail = (1 - LEVEL) / max(len(found), 1)
    parts = [
        _segment(name, level, one[rows], other[rows], None if groups is None else groups[rows], tail) for name, level, rows in found
    ]
    return sorted(parts, key=lambda part: -part.difference)


def _segments(values: NDArray[Any], labels: Ints) -> list[tuple[str, Ints]]:
    texts, places = np.unique(np.array([NOTHING if value is None else str(value) for value in values]), return_inverse=True)
    order = np.argsort(-np.bincount(places), kind="stable")[:MOST_LEVELS]
    found = [(str(texts[number]), np.flatnonzero(places == number)) for number in order]
    return [(level, rows) for level, rows in found if len(rows) >= FEWEST_ROWS and _both(labels[rows])]


def _both(labels: Ints) -> bool:
    won = int(labels.sum())
    return min(won, len(labels) - won) >= FEWEST_OF_EACH


def _segment(name: str, level: str, champion: Floats, candidate: Floats, groups: Groups | None, tail: float) -> Segment:
    more = candidate - champion
    mean = float(more.mean())
    error, units = _error(more, groups)
    reach = float(t.ppf(1 - tail, max(units - 1, 1))) * error
    collapsed = mean - reach > 0 and mean > MATERIAL * float(champion.mean())
    return Segment(
        input=name, level=level, rows=len(more), champion=float(champion.mean()), candidate=float(candidate.mean()),
        difference=mean, low=mean - reach, high=mean + reach, collapsed=collapsed,
    )  # fmt: skip


def _error(more: Floats, groups: Groups | None) -> tuple[float, int]:
    """The standard error of the mean, and how many independent witnesses it has: rows, or groups (clustered)."""
    residuals = more - more.mean()
    if groups is not None:
        places = np.unique(groups, return_inverse=True)[1]
        residuals = np.bincount(places, weights=residuals)
    units = len(residuals)
    return float(np.sqrt((residuals**2).sum() * units / max(units - 1, 1)) / len(more)), units
