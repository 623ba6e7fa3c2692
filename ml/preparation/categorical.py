"""Steps for categories: codes, one-hot columns, and out-of-fold target encoding where there are many levels."""

import zlib
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ml.preparation.base import Column, Floats, Ints, Matrix, codes

# A level seen more seldom than this is "other": a tree would give it a leaf of its own, a line a weight of its own.
RAREST_LEVEL = 10
# Above this a level's own rate says more than a code (which a tree must split many times).
MANY_LEVELS = 24
# A level that first comes later (December, where training ended in November) goes down whichever branch a tree has for what it
# never saw, and cost 14 % of log-loss on such a table. This share of the rows, drawn by chance and as many of each level, stands
# for those to come: a new level is as likely to be like a rare one as like a frequent one.
LATER_LEVELS_SHARE = 0.005
MOST_OF_A_LEVEL = 0.2
ENCODING_FOLDS = 5
# A level's rate is drawn towards the base rate as if so many more rows had it: one row's outcome is no rate. (A shrinkage
# by each level's own variance would take a level with one row at its word.)
DRAWING_ROWS = 10.0


class Codes(BaseModel):
    """For trees that split categories themselves: the level's code; other levels the last code; missing NaN."""

    model_config = ConfigDict(frozen=True)

    step: Literal["codes"] = "codes"
    input: str
    source: str
    levels: tuple[str, ...]
    other: bool  # whether "other" was seen in training; a level unseen then is missing where it was not

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(name=self.source, input=self.input, levels=len(self.levels) + 1),)

    def apply(self, values: pl.Series) -> Matrix:
        found = codes(values, self.levels).astype(np.float64)
        gone = (found < 0) if self.other else (found < 0) | (found == len(self.levels))
        return np.where(gone, np.nan, found)[:, None]


class BinnedCodes(Codes):
    """For naive Bayes: other and missing are codes too."""

    step: Literal["binned_codes"] = "binned_codes"  # type: ignore[assignment]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(name=self.source, input=self.input, levels=len(self.levels) + 2),)

    def apply(self, values: pl.Series) -> Matrix:
        found = codes(values, self.levels)
        return np.where(found < 0, len(self.levels) + 1, found).astype(np.float64)[:, None]


class OneHot(BaseModel):
    """For straight lines: one column for each level, for other and for missing where seen, less its share in training."""

    model_config = ConfigDict(frozen=True)

    step: Literal["one_hot"] = "one_hot"
    input: str
    source: str
    levels: tuple[str, ...]
    shares: tuple[float, ...]  # of each level, then of other, then of missing

    @property
    def columns(self) -> tuple[Column, ...]:
        named = [*self.levels, "(other)", "(missing)"]
        return tuple(
            Column(name=f"{self.source} = {level}", input=self.input)
            for level, share in zip(named, self.shares, strict=True)
            if share
        )

    def apply(self, values: pl.Series) -> Matrix:
        found = codes(values, self.levels)
        found = np.where(found < 0, len(self.levels) + 1, found)
        kept = np.flatnonzero(self.shares)
        hot: Floats = (found[:, None] == kept[None, :]) - np.array(self.shares)[kept][None, :]
        return hot


class TargetCode(BaseModel):
    """The level's own rate in training, drawn towards the base rate where it was seen seldom; in training out of fold.

    Micci-Barreca 2001, "A preprocessing scheme for high-cardinality categorical attributes".
    """

    model_config = ConfigDict(frozen=True)

    step: Literal["target_code"] = "target_code"
    input: str
    source: str
    levels: tuple[str, ...]
    rates: tuple[float, ...]
    base_rate: float
    missing_rate: float
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(name=f"rate of {self.source}", input=self.input),)

    def apply(self, values: pl.Series) -> Matrix:
        table = np.array([*self.rates, self.base_rate, self.missing_rate])
        rates: Floats = table[codes(values, self.levels)]  # -1, missing, is the last
        return ((rates - self.mean) / self.deviation)[:, None]


def common_levels(values: pl.Series) -> tuple[str, ...]:
    """The levels that are seen often enough, in the order of their names."""
    counts = values.drop_nulls().value_counts()
    least = min(RAREST_LEVEL, max(2, len(values) // 100))
    return tuple(sorted(counts.filter(pl.col("count") >= least)[values.name].to_list()))


def has_many_levels(values: pl.Series) -> bool:
    """Whether there are more common levels than a code is good for, or as many that are all so rare that few rows have another."""
    common = common_levels(values)
    if len(common) > MANY_LEVELS or values.n_unique() <= MANY_LEVELS:
        return len(common) > MANY_LEVELS
    return values.is_in(list(common)).sum() < (len(values) - values.null_count()) / 2


def fit_codes(name: str, source: str, values: pl.Series, *, seed: int) -> tuple[Codes, Matrix]:
    """The step, and what the training rows themselves see: a few of them "other", so that trees learn what to make of it."""
    levels = common_levels(values)
    found = codes(values, levels)
    if levels and not (found == len(levels)).any():
        rows = np.bincount(found[found >= 0], minlength=len(levels) + 1)
        chances = np.minimum(LATER_LEVELS_SHARE * len(found) / len(levels) / np.maximum(rows, 1), MOST_OF_A_LEVEL)
        drawn = np.random.default_rng([seed, zlib.crc32(source.encode())]).random(len(found)) < chances[found]
        found = np.where(drawn & (found >= 0), len(levels), found)
    step = Codes(input=name, source=source, levels=levels, other=bool((found == len(levels)).any()))
    return step, np.where(found < 0, np.nan, found)[:, None].astype(np.float64)


def fit_binned_codes(name: str, source: str, values: pl.Series) -> BinnedCodes:
    levels = common_levels(values)
    return BinnedCodes(input=name, source=source, levels=levels, other=bool((codes(values, levels) == len(levels)).any()))


def fit_one_hot(name: str, source: str, values: pl.Series) -> OneHot:
    levels = common_levels(values)
    found = codes(values, levels)
    places = np.where(found < 0, len(levels) + 1, found)
    shares = np.bincount(places, minlength=len(levels) + 2) / max(len(places), 1)
    return OneHot(input=name, source=source, levels=levels, shares=tuple(shares.tolist()))


def fit_target_code(
    name: str, source: str, values: pl.Series, labels: Ints, *, seed: int, scaled: bool, groups: NDArray[Any] | None = None
) -> tuple[TargetCode, Matrix]:
    """The step, and what the training rows themselves see: each row's rate without the labels of its own fold, in which are
    all rows of its group (identity). Levels of one group only have no rate of their own: they name somebody."""
    owners = np.arange(len(labels)) if groups is None else np.unique(groups.astype(str), return_inverse=True)[1]
    levels = _shared_levels(values, owners)
    found = codes(values, levels)
    places = np.where(found < 0, len(levels) + 1, found)  # after the levels the other ones, then missing
    base_rate = float(labels.mean())
    out_of_fold = np.empty(len(labels))
    folds = _folds(labels, owners, seed)
    for fold in range(ENCODING_FOLDS):
        told = folds == fold
        out_of_fold[told] = _drawn_rates(places[~told], labels[~told], len(levels) + 2, base_rate)[places[told]]
    out_of_fold[places == len(levels)] = base_rate
    *rates, _, missing_rate = _drawn_rates(places, labels, len(levels) + 2, base_rate).tolist()
    step = TargetCode(
        input=name,
        source=source,
        levels=levels,
        rates=tuple(rates),
        base_rate=base_rate,
        missing_rate=missing_rate,
        mean=float(out_of_fold.mean()) if scaled else 0.0,
        deviation=(float(out_of_fold.std()) or 1.0) if scaled else 1.0,
    )
    return step, ((out_of_fold - step.mean) / step.deviation)[:, None]


def _drawn_rates(places: Ints, labels: Ints, levels: int, base_rate: float) -> Floats:
    rows, wins = np.bincount(places, minlength=levels), np.bincount(places, weights=labels, minlength=levels)
    return np.asarray((wins + DRAWING_ROWS * base_rate) / (rows + DRAWING_ROWS), dtype=np.float64)


def _shared_levels(values: pl.Series, owners: Ints) -> tuple[str, ...]:
    """The levels that more than one group has, in the order of their names."""
    frame = pl.DataFrame({"level": values, "owner": owners}).drop_nulls().group_by("level").agg(pl.col("owner").n_unique())
    return tuple(sorted(frame.filter(pl.col("owner") > 1)["level"].to_list()))


def _folds(labels: Ints, owners: Ints, seed: int) -> Ints:
    """A fold for each row: groups dealt out one by one, those with a win and those without, so that each fold has both."""
    has_won = np.zeros(int(owners.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(has_won, owners, labels)
    shuffled = np.lexsort((np.random.default_rng(seed).random(len(has_won)), has_won))
    folds = np.empty(len(has_won), dtype=np.int64)
    folds[shuffled] = np.arange(len(has_won)) % ENCODING_FOLDS
    return np.asarray(folds[owners], dtype=np.int64)
