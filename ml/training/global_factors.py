"""What moves the scores of a version in general: the mean strength of each of the user's columns, and its direction in words."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import rankdata

from ml.features.inputs import Input, InputKind
from ml.preparation.base import Floats, numbers
from ml.scorer import Scorer
from ml.serving.explain import points, shown

MOST_ROWS = 2_000  # a mean over so many moves by 2 % or so from sample to sample
MOST_ROWS_OF_DEEP_TREES = 200  # whose exact factors take some 20 ms a row
STEADY = 0.5  # rank correlation from which a direction may be claimed
FEWEST_ROWS = 10  # of a level, before anything is said of it
FEWEST_POINTS = 0.1  # less moves nobody's score to be seen
NONE_CLEAR = "in no single direction"


@dataclass(frozen=True)
class GlobalFactor:
    """`points`: by how many percentage points the column moves a score on average, up or down; `share` of all columns'."""

    name: str
    points: float
    share: float
    direction: str


def global_factors(scorer: Scorer, frame: pl.DataFrame, *, seed: int = 0) -> list[GlobalFactor]:
    """The columns that move the scores of these rows (a typed frame), the strongest first."""
    rows = np.arange(len(frame))
    most = MOST_ROWS_OF_DEEP_TREES if any(member.learner == "forest" for member in scorer.members) else MOST_ROWS
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    asked = frame[rows]
    shares = scorer.contributions(asked)
    strengths = np.abs(points(shares)).mean(axis=0)
    total = float(strengths.sum()) or 1.0
    found = [
        GlobalFactor(column.name, float(strength), float(strength) / total, _direction(column, asked[column.name], share))
        for column, strength, share in zip(scorer.inputs, strengths, shares.T[:-1], strict=True)
        if strength >= FEWEST_POINTS
    ]
    return sorted(found, key=lambda factor: -factor.points)


def _direction(column: Input, values: pl.Series, shares: Floats) -> str:
    """In which values the column raises a score, and in which it lowers it."""
    there = ~values.is_null().to_numpy()
    if column.kind is InputKind.CATEGORY:
        said = _of_levels(values.to_list(), shares)
    elif column.kind is InputKind.TEXT:
        said = "by its words"
    elif column.kind is InputKind.BOOLEAN:
        said = _of_levels([None if value is None else bool(value) for value in values], shares)
    else:
        higher = ("later dates", "earlier dates") if column.kind is InputKind.DATE else ("higher values", "lower values")
        said = _of_numbers(numbers(values)[there], shares[there], *higher)
    gone = shares[~there]
    if len(gone) < FEWEST_ROWS or abs(gone.mean()) < np.abs(shares).mean() / 2:
        return said
    return f"{said}; missing {'raises' if gone.mean() > 0 else 'lowers'} it"


def _of_numbers(values: Floats, shares: Floats, higher: str, lower: str) -> str:
    if len(values) < FEWEST_ROWS or not values.std() or not shares.std():
        return NONE_CLEAR
    steady = float(np.corrcoef(rankdata(values), rankdata(shares))[0, 1])
    if abs(steady) < STEADY:
        return NONE_CLEAR
    return f"{higher if steady > 0 else lower} raise it"


def _of_levels(values: list[str | bool | None], shares: Floats) -> str:
    """The level that raises a score most, and the one that lowers it most."""
    by_level: dict[str, list[float]] = {}
    for value, share in zip(values, shares.tolist(), strict=True):
        if value is not None:
            by_level.setdefault(shown(value), []).append(share)
    means = {level: sum(found) / len(found) for level, found in by_level.items() if len(found) >= FEWEST_ROWS}
    best, worst = max(means, key=means.__getitem__, default=None), min(means, key=means.__getitem__, default=None)
    said = []
    if best is not None and means[best] > 0:
        said.append(f"“{best}” raises it")
    if worst is not None and means[worst] < 0:
        said.append(f"“{worst}” lowers it")
    return ", ".join(said) or NONE_CLEAR
