"""Which rows teach and which judge. Everything here is a function of the labels and a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from tests.bench.models.tables import Table

Ints = NDArray[np.int64]

FOLDS = 5
NEWEST_SHARE = 0.2
FEWEST_OF_A_CLASS = 2  # a draw with fewer cannot be validated at all
MOST_TEST_ROWS = 5_000


class Split(StrEnum):
    RANDOM = "random"  # five stratified folds
    NEWEST = "newest"  # the newest fifth judges


@dataclass(frozen=True)
class Part:
    """Row numbers, ascending: the rows keep their order in time."""

    train: Ints
    test: Ints


def parts_of(table: Table, split: Split, seed: int = 0) -> list[Part]:
    """The parts of a split; none where the table has no time and the split needs it."""
    if split is Split.RANDOM:
        return list(random_folds(table.labels, table.twins() if table.no_twins_across else None, seed=seed))
    return [newest(len(table.frame))] if table.is_timed else []


def random_folds(labels: Ints, groups: Ints | None, *, seed: int) -> Iterator[Part]:
    """Five stratified folds; rows of one group stay together."""
    if groups is None:
        pairs = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels)
    else:
        pairs = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels, groups)
    for train, test in pairs:
        yield Part(np.sort(train).astype(np.int64), np.sort(test).astype(np.int64))


def newest(rows: int, share: float = NEWEST_SHARE) -> Part:
    """The last `share` of the rows judges."""
    cut = rows - round(rows * share)
    return Part(np.arange(cut), np.arange(cut, rows))


def draws(labels: Ints, rows: int, count: int, *, seed: int, groups: Ints | None = None) -> Iterator[Part]:
    """`count` draws of `rows` rows, each by chance but with two of each class, judged on up to 5,000 of the rest.

    A row whose twin (same group) was drawn is no fair test, and is left out of it.
    """
    generator = np.random.default_rng([seed, rows])
    for _ in range(count):
        drawn = _draw(generator, labels, rows)
        rest = np.setdiff1d(np.arange(len(labels)), drawn)
        if groups is not None:
            rest = rest[~np.isin(groups[rest], groups[drawn])]
        test = generator.choice(rest, min(len(rest), MOST_TEST_ROWS), replace=False)
        yield Part(drawn, np.sort(test))


def _draw(generator: np.random.Generator, labels: Ints, rows: int) -> Ints:
    if min(np.bincount(labels, minlength=2)) < FEWEST_OF_A_CLASS or rows < 2 * FEWEST_OF_A_CLASS:
        raise ValueError(f"{rows} rows can't hold {FEWEST_OF_A_CLASS} of each class of these labels")
    while True:
        drawn = np.sort(generator.choice(len(labels), rows, replace=False))
        if min(np.bincount(labels[drawn], minlength=2)) >= FEWEST_OF_A_CLASS:
            return drawn
