"""What a preparation is made of: forms, columns, and steps that are plain data.

A typed frame has one column per input: numbers, booleans (0/1) and dates (days since 1970) as Float64, categories and
texts as String, null where missing. A step turns one of its columns into one or more columns of the matrix.
"""

from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Matrix = NDArray[Any]  # rows x columns, float32 or float64
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AS_OF = "__as_of"  # the moment of each row, days since 1970: dates become durations up to it
# Up to so many rows a dictionary is faster than a column operation.
FEW_ROWS = 64


class Form(StrEnum):
    """What a family of learners wants to see."""

    NATIVE = "native"  # trees: numbers as they are, NaN where missing, categories as codes
    SCALED = "scaled"  # linear learners: clipped, standardised, one-hot, missing flagged
    BINNED = "binned"  # naive Bayes: every column a small code, missing its own


class Column(BaseModel):
    """One column of the matrix, and the user's column that it comes from. `levels` > 0: codes 0 .. levels - 1."""

    model_config = ConfigDict(frozen=True)

    name: str
    input: str
    levels: int = 0


class Step(Protocol):
    """Plain data (a frozen pydantic model) that can be applied to any rows, one or a million."""

    @property
    def columns(self) -> tuple[Column, ...]: ...

    def apply(self, values: pl.Series) -> Matrix:
        """One input's (or derived number's) values -> rows x len(columns)."""


def numbers(values: pl.Series) -> Floats:
    """A Float64 series as an array, NaN where null."""
    return values.to_numpy() if not values.null_count() else values.fill_null(float("nan")).to_numpy()


def codes(values: pl.Series, levels: tuple[str, ...]) -> Ints:
    """The place of each text in `levels`; len(levels) for any other text, -1 where missing."""
    places = {level: place for place, level in enumerate(levels)}
    if len(values) <= FEW_ROWS:
        return np.array([-1 if text is None else places.get(text, len(levels)) for text in values], dtype=np.int64)
    if not levels:
        return np.where(values.is_null().to_numpy(), -1, 0).astype(np.int64)
    found = values.replace_strict(places, default=len(levels), return_dtype=pl.Int64).to_numpy()
    return np.where(values.is_null().to_numpy(), -1, found) if values.null_count() else found
