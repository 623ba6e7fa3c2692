"""Which rows teach and which judge: the newest hold-out, and the folds inside the training part."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from ml.preparation.base import Floats, Ints

HOLDOUT_SHARE = 0.2
# With fewer rows a hold-out of a fifth judges nothing: all rows teach, and the folds judge.
FEWEST_FOR_HOLDOUT = 500
# Fewer rows of identities that did not teach judge less surely than all rows judge too kindly.
FEWEST_JUDGES = 50
FOLDS = 5
# Validations are repeated with other folds until about so many rows were predicted: few rows, many repeats.
PREDICTED_ROWS = 1_200
MOST_REPEATS = 10
# Below this a part of the time line has too few rows to train on, and time takes second place.
FEWEST_FOR_TIME = 1_000
# Ordered by time, the first model learns from this share; each later one from all that came before its rows.
FIRST_SHARE = 0.4
# Above this three folds say as much as five, in little more than half the time.
MANY_ROWS = 50_000


@dataclass(frozen=True)
class Fold:
    """Row numbers that teach and row numbers that judge, and which repeat of the validation it belongs to."""

    train: Ints
    judge: Ints
    repeat: int = 0


@dataclass(frozen=True)
class Plan:
    """The folds, and in words how they were made."""

    folds: tuple[Fold, ...]
    how: str
    in_time: bool = False

    @property
    def repeats(self) -> int:
        return max((fold.repeat for fold in self.folds), default=-1) + 1


def cut_of(rows: int) -> int:
    """The row at which the newest part begins; the number of rows where they are too few for one."""
    return int(rows * (1 - HOLDOUT_SHARE)) if rows >= FEWEST_FOR_HOLDOUT else rows


def plan(
    labels: Ints,
    *,
    times: Floats | None = None,
    groups: NDArray[Any] | None = None,
    twins: NDArray[Any] | None = None,
    seed: int = 0,
) -> Plan:
    """Folds for rows in time order. Few rows: stratified and repeated; groups are kept together; else along the time.

    `twins` stand in for groups where nothing else says who is who, but not along the time: what comes again later is how
    the future is. A plan may be empty: with fewer than two rows of a class, or of one identity only, nothing is validated.
    """
    rows, rarer = len(labels), int(np.bincount(labels, minlength=2).min())
    if rarer < 2:
        return Plan((), "no validation: fewer than two rows of one of the outcomes")
    named = None if groups is None else _shared(np.unique(groups.astype(str), return_inverse=True)[1])
    if times is not None and rows >= FEWEST_FOR_TIME and np.unique(times).size > FOLDS:
        folds = _along_time(labels, times, named)
        if len(folds) > 1:
            return Plan(folds, f"{len(folds)} parts in time order, each judged by a model of all before it", in_time=True)
    groups = twins if groups is None else named
    count = min(3 if rows > MANY_ROWS else FOLDS, rarer, rows if groups is None else np.unique(groups).size)
    if count < 2:
        return Plan((), "no validation: all rows are of one identity")
    repeats = max(1, min(MOST_REPEATS, PREDICTED_ROWS // rows))
    folds = tuple(fold for repeat in range(repeats) for fold in _stratified(labels, groups, count, repeat, seed))
    if not folds:
        return Plan((), "no validation: one identity has all rows of an outcome")
    kept = "" if groups is None else ", rows of one identity together" if named is not None else ", rows that are the same together"
    return Plan(folds, f"{count} folds" + (f", {repeats} times" if repeats > 1 else "") + kept)


def judges(labels: Ints, groups: NDArray[Any] | None, cut: int) -> Ints:
    """The newest rows (from `cut` on), but those of an identity that also taught: it would be known again.

    Where too few others are left, or of one outcome only, all of the newest rows.
    """
    newest = np.arange(cut, len(labels))
    if groups is None:
        return newest
    strangers = newest[~np.isin(groups[newest], groups[:cut])]
    return strangers if len(strangers) >= FEWEST_JUDGES and np.unique(labels[strangers]).size == 2 else newest


def twins(frame: pl.DataFrame) -> NDArray[Any] | None:
    """A number for each row, the same for rows that are the same in every column; None where no two are."""
    return _shared(frame.hash_rows().to_numpy())


def _shared(groups: NDArray[Any]) -> NDArray[Any] | None:
    """The groups; None where each row is one of its own."""
    return groups if np.unique(groups).size < len(groups) else None


def _along_time(labels: Ints, times: Floats, groups: NDArray[Any] | None) -> tuple[Fold, ...]:
    edges = np.quantile(times, np.linspace(FIRST_SHARE, 1, FOLDS))
    folds = []
    for place, (start, end) in enumerate(pairwise(edges)):
        last = place == len(edges) - 2
        train = np.flatnonzero(times < start)
        judge = np.flatnonzero((times >= start) & ((times <= end) if last else (times < end)))
        if groups is not None:
            judge = judge[~np.isin(groups[judge], groups[train])]
        if len(judge) and np.unique(labels[train]).size == 2:
            folds.append(Fold(train, judge))
    return tuple(folds)


def _stratified(labels: Ints, groups: NDArray[Any] | None, count: int, repeat: int, seed: int) -> list[Fold]:
    nothing = np.zeros((len(labels), 1))
    if groups is not None:
        splits = StratifiedGroupKFold(count, shuffle=True, random_state=seed + repeat).split(nothing, labels, groups)
    else:
        splits = StratifiedKFold(count, shuffle=True, random_state=seed + repeat).split(nothing, labels)
    return [Fold(train, judge, repeat) for train, judge in splits if len(judge) and np.unique(labels[train]).size == 2]
