"""How well one column alone tells the outcomes apart, and how well all the others do together. Both on unseen rows."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS = 5
MOST_BINS = 32
ROWS_PER_BIN = 50
PRIOR_ROWS = 5  # the average outcome counts as this many rows in each bin, so that a bin of one row says little
# The joint model only has to show roughly what the rest of the table knows: few rounds, small trees.
JOINT_FOLDS = 3
JOINT_ROUNDS = 60
JOINT_COLUMNS = 100
JOINT_LEVELS = 50  # the most frequent levels of a category; the others are one level
THREADS = 1  # with more, small fits on a busy machine wait for each other


@dataclass(frozen=True)
class Column:
    """One column, made of numbers: a category as its level's code; NaN where missing. `unit`: how people read a value."""

    name: str
    values: Floats
    is_category: bool
    unit: str = ""


@dataclass(frozen=True)
class Power:
    """`auc` and `share` (of the outcome's entropy explained, may be below 0) out of fold; `scores` one a row."""

    auc: float
    share: float
    scores: Floats


def folds(labels: Ints, count: int, seed: int) -> Ints:
    """A fold for each row, both outcomes spread evenly."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = np.arange(len(labels)) % count
    return fold


def single_power(column: Column, labels: Ints, fold: Ints) -> Power:
    """The outcome's rate in each bin (or level), learnt on the other folds.

    For numbers the plain rank order counts too, where it is better: bins lose a little of a smooth relation.
    """
    codes = column_codes(column)
    rates = _rates_elsewhere(codes, labels, fold)
    auc = area(labels, rates)
    if not column.is_category and not np.isnan(column.values).any():
        plain = area(labels, column.values)
        auc = max(auc, plain, 1 - plain)
    return Power(auc, explained(labels, rates), rates)


def column_codes(column: Column) -> Ints:
    """0 where missing; a category's levels from 1; numbers in bins of equally many rows, equal numbers together."""
    codes = np.zeros(len(column.values), dtype=np.int64)
    filled = ~np.isnan(column.values)
    values = column.values[filled]
    if column.is_category or not len(values):
        codes[filled] = values.astype(np.int64) + 1
        return codes
    bins = int(np.clip(len(values) // ROWS_PER_BIN, 4, MOST_BINS))
    codes[filled] = 1 + np.minimum((rankdata(values) - 0.5) / len(values) * bins, bins - 1).astype(np.int64)
    return codes


def joint_power(columns: list[Column], labels: Ints, seed: int) -> Power:
    """All columns together, with LightGBM, out of fold.

    Of many columns only the strongest teach, picked anew in each fold on the rows that teach: picked on all rows, a
    hundred out of two thousand columns of noise would seem to know something.
    """
    scores = np.zeros(len(labels))
    if not columns:
        return Power(0.5, 0.0, scores)
    fold = folds(labels, JOINT_FOLDS, seed)
    matrix = np.column_stack([_few_levels(column) for column in columns])
    categories = np.array([column.is_category for column in columns])
    for judged in range(JOINT_FOLDS):
        teaches = fold != judged
        chosen = _strongest(columns, labels, teaches)
        scores[~teaches] = _boosted(
            matrix[np.ix_(teaches, chosen)], labels[teaches], matrix[np.ix_(~teaches, chosen)], categories[chosen], seed
        )
    return Power(area(labels, scores), explained(labels, scores), scores)


def area(labels: Ints, scores: Floats) -> float:
    """The area under the ROC curve: how often a row with outcome 1 ranks above one with 0; ties count half."""
    wins = int(labels.sum())
    losses = len(labels) - wins
    ranks = rankdata(scores)
    return float((ranks[labels == 1].sum() - wins * (wins + 1) / 2) / (wins * losses))


def area_error(auc: float, wins: int, losses: int) -> float:
    """The standard error of an AUC (Hanley and McNeil 1982)."""
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return math.sqrt((auc * (1 - auc) + (wins - 1) * (one - auc**2) + (losses - 1) * (two - auc**2)) / (wins * losses))


def explained(labels: Ints, rates: Floats) -> float:
    """The share of the outcome's entropy that the probabilities `rates` explain: 1 all, 0 none, below 0 misled."""
    rates = np.clip(rates, 1e-4, 1 - 1e-4)
    base = labels.mean()
    before = -(xlogy(base, base) + xlogy(1 - base, 1 - base))
    after = -(labels * np.log(rates) + (1 - labels) * np.log(1 - rates)).mean()
    return float(1 - after / before)


def _rates_elsewhere(codes: Ints, labels: Ints, fold: Ints) -> Floats:
    width = int(codes.max()) + 1
    cells = fold * width + codes
    shape = (FOLDS, width)
    rows = np.bincount(cells, minlength=FOLDS * width).reshape(shape)
    wins = np.bincount(cells, weights=labels, minlength=FOLDS * width).reshape(shape)
    base = labels.mean()
    rates = (wins.sum(axis=0) - wins + PRIOR_ROWS * base) / (rows.sum(axis=0) - rows + PRIOR_ROWS)
    return np.asarray(rates[fold, codes], dtype=np.float64)


def _few_levels(column: Column) -> Floats:
    if not column.is_category:
        return column.values
    codes = column_codes(column)
    by_size = np.argsort(-np.bincount(codes), kind="stable")
    place = np.empty(len(by_size))
    place[by_size] = np.arange(len(by_size))
    return np.minimum(place[codes], JOINT_LEVELS)


def _strongest(columns: list[Column], labels: Ints, teaches: NDArray[np.bool_]) -> list[int]:
    if len(columns) <= JOINT_COLUMNS:
        return list(range(len(columns)))
    fold = folds(labels[teaches], FOLDS, 0)
    parts = (Column(column.name, column.values[teaches], column.is_category) for column in columns)
    shares = [single_power(part, labels[teaches], fold).share for part in parts]
    return sorted(np.argsort(shares)[-JOINT_COLUMNS:].tolist())


def _boosted(taught: Floats, labels: Ints, judged: Floats, categories: NDArray[np.bool_], seed: int) -> Floats:
    import lightgbm

    settings: dict[str, Any] = {
        "objective": "binary", "num_leaves": 8, "learning_rate": 0.1, "min_data_in_leaf": 20, "lambda_l2": 5.0,
        "feature_fraction": 0.5, "max_bin": 63, "seed": seed, "num_threads": THREADS, "deterministic": True,
        "force_row_wise": True, "verbose": -1,
    }  # fmt: skip
    named = [int(place) for place in np.flatnonzero(categories)]
    data = lightgbm.Dataset(taught, labels, categorical_feature=named, params={"verbose": -1, "max_bin": 63})
    booster = lightgbm.train(settings, data, num_boost_round=JOINT_ROUNDS)
    return np.asarray(expit(booster.predict(judged, raw_score=True)), dtype=np.float64)
