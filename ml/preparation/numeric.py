"""Steps for numbers, and for what becomes a number: booleans, dates as durations, texts as vectors."""

from typing import Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from ml.preparation.base import Column, Floats, Matrix, numbers

# The outermost half per cent on each side: far values keep their side, but lose their leverage on a straight line.
CLIPPED_SHARE = 0.005
# Above this skewness a logarithm brings a column (money, counts) nearer to a straight line.
SKEWED = 2.0
MOST_BINS = 8
FEWEST_IN_A_BIN = 10
FEWEST_MISSING = 3  # fewer missing values cannot show what missing means


class AsIs(BaseModel):
    """For trees: the number itself, NaN where missing."""

    model_config = ConfigDict(frozen=True)

    step: Literal["as_is"] = "as_is"
    input: str
    source: str

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(name=self.source, input=self.input),)

    def apply(self, values: pl.Series) -> Matrix:
        return numbers(values)[:, None]


class Scaled(BaseModel):
    """For straight lines: clipped to the usual range, logarithm where skewed, mean 0 and deviation 1; missing is 0 and flagged."""

    model_config = ConfigDict(frozen=True)

    step: Literal["scaled"] = "scaled"
    input: str
    source: str
    low: float
    high: float
    log: bool
    mean: float
    deviation: float
    missing_share: float  # 0: no flag

    @property
    def columns(self) -> tuple[Column, ...]:
        value = Column(name=self.source, input=self.input)
        return (value, Column(name=f"{self.source} is missing", input=self.input)) if self.missing_share else (value,)

    def apply(self, values: pl.Series) -> Matrix:
        found = numbers(values)
        gone = np.isnan(found)
        scaled = np.where(gone, 0.0, (_bent(np.clip(found, self.low, self.high), log=self.log) - self.mean) / self.deviation)
        if not self.missing_share:
            return scaled[:, None]
        return np.column_stack([scaled, gone - self.missing_share])


class Binned(BaseModel):
    """For naive Bayes: which part of the range, missing as the last code."""

    model_config = ConfigDict(frozen=True)

    step: Literal["binned"] = "binned"
    input: str
    source: str
    edges: tuple[float, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(name=self.source, input=self.input, levels=len(self.edges) + 2),)

    def apply(self, values: pl.Series) -> Matrix:
        found = numbers(values)
        places = np.searchsorted(np.array(self.edges), found, side="right")
        return np.where(np.isnan(found), len(self.edges) + 1, places).astype(np.float64)[:, None]


def fit_scaled(name: str, source: str, values: pl.Series) -> Scaled:
    found = numbers(values)
    there = found[~np.isnan(found)]
    missing = len(found) - len(there)
    if not len(there):
        there = np.zeros(1)
    low, high = np.quantile(there, [CLIPPED_SHARE, 1 - CLIPPED_SHARE])
    if low == high:  # nearly all rows share one value: what the others have is the column's whole news
        low, high = there.min(), there.max()
    usual = np.clip(there, low, high)
    log = _skewness(usual) > SKEWED
    bent = _bent(usual, log=log)
    return Scaled(
        input=name,
        source=source,
        low=float(low),
        high=float(high),
        log=log,
        mean=float(bent.mean()),
        deviation=float(bent.std()) or 1.0,
        missing_share=missing / len(found) if missing >= FEWEST_MISSING else 0.0,
    )


def fit_binned(name: str, source: str, values: pl.Series) -> Binned:
    found = numbers(values)
    there = found[~np.isnan(found)]
    bins = int(min(MOST_BINS, max(2, len(there) // FEWEST_IN_A_BIN)))
    edges = np.unique(np.quantile(there, np.linspace(0, 1, bins + 1)[1:-1])) if len(there) else np.zeros(0)
    # An edge at the smallest value would leave an empty bin below it.
    edges = edges[edges > there.min()] if len(there) else edges
    if not len(edges) and len(there) and there.min() < there.max():
        edges = np.array([np.nextafter(there.min(), np.inf)])  # most rows share the smallest value: it against the rest
    return Binned(input=name, source=source, edges=tuple(edges.tolist()))


def _bent(values: Floats, *, log: bool) -> Floats:
    return np.sign(values) * np.log1p(np.abs(values)) if log else values


def _skewness(values: Floats) -> float:
    deviation = values.std()
    return float((((values - values.mean()) / deviation) ** 3).mean()) if deviation > 0 else 0.0
