"""What a version has learned from, in short: for each input and for the score, how many rows fell into which bin.

Stored with the version as `reference.json`, so that what comes in later can be held against it without the rows themselves.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ml.features.inputs import Input, InputKind
from ml.preparation.base import AS_OF, Floats, Ints

REFERENCE = "reference.json"
BINS = 10  # the field's convention for the population stability index: tenths
# A level of a smaller share counts as "other": among the fewest rows that are judged it would be expected too few times for
# a chi-square (see drift).
SMALLEST_SHARE = 0.05
SCORE = "score"


class Summary(BaseModel):
    """How the values of one column were spread.

    Numbers: `edges` are the inner borders of the bins, each bin reaching up to its border and including it. Words:
    `levels` are the frequent ones, and one bin more takes all others. `counts` has a count for each bin, the missing last.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    edges: tuple[float, ...] | None = None
    levels: tuple[str, ...] | None = None
    counts: tuple[int, ...]

    @property
    def bins(self) -> tuple[str, ...]:
        """What people read in place of the bins' numbers."""
        if self.levels is not None:
            return (*self.levels, "other", "missing")
        edges = self.edges or ()
        if not edges:
            return ("there", "missing")
        between = (f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges))
        return (f"up to {edges[0]:.4g}", *between, f"above {edges[-1]:.4g}", "missing")


class Reference(BaseModel):
    """`inputs`: of the rows that taught; `score`: of rows that were unseen when they were scored.

    `witnesses`: how many of the rows are independent of each other: the identities, where one has several rows.
    """

    model_config = ConfigDict(frozen=True)

    witnesses: int
    inputs: tuple[Summary, ...]
    score_witnesses: int
    score: Summary


def refer(
    inputs: Sequence[Input], taught: pl.DataFrame, scores: Floats, *, groups: NDArray[Any] | None, score_groups: NDArray[Any] | None
) -> Reference:
    """Sums up the rows that taught (a typed frame) and the scores of unseen rows. `groups`: the identity of each row."""
    return Reference(
        witnesses=_independent(len(taught), groups),
        inputs=tuple(summarise(column, taught) for column in inputs),
        score_witnesses=_independent(len(scores), score_groups),
        score=of_numbers(SCORE, pl.Series(scores)),
    )


def of_quantiles(quantiles: Sequence[float], rows: int) -> tuple[Summary, int]:
    """The score's summary of a version that was stored without one, from the quantiles of its unseen rows; and its witnesses."""
    return of_numbers(SCORE, pl.Series(quantiles, dtype=pl.Float64)), rows


def summarise(column: Input, frame: pl.DataFrame) -> Summary:
    """One column of a typed frame."""
    values = _values(column, frame)
    return _of_words(column.name, values) if values.dtype == pl.String else of_numbers(column.name, values)


def of_numbers(name: str, values: pl.Series) -> Summary:
    edges = _edges(values.drop_nulls().to_numpy())
    empty = Summary(name=name, edges=edges, counts=(0,) * (len(edges) + 2))
    return empty.model_copy(update={"counts": tuple(_count_numbers(empty, values).tolist())})


def count(summary: Summary, column: Input, frame: pl.DataFrame) -> Ints:
    """How many rows of a typed frame fall into each of the summary's bins."""
    values = _values(column, frame)
    return _count_words(summary, values) if summary.levels is not None else _count_numbers(summary, values)


def count_scores(summary: Summary, scores: Floats) -> Ints:
    return _count_numbers(summary, pl.Series(scores, dtype=pl.Float64))


def read_reference(folder: Path) -> Reference | None:
    """What is stored with a version; None for one that was stored without.

    Raises:
        OSError, ValueError: it is there and cannot be read.
    """
    path = folder / REFERENCE
    return Reference.model_validate_json(path.read_text("utf-8")) if path.is_file() else None


def _independent(rows: int, groups: NDArray[Any] | None) -> int:
    return rows if groups is None else int(np.unique(groups.astype(str)).size)


def _values(column: Input, frame: pl.DataFrame) -> pl.Series:
    """What is summed up of a column: a date's days up to the row's moment, a text's words; the others as they are.

    A date itself always moves on, so that without a moment only its being there is looked at.
    """
    values = frame[column.name]
    if column.kind is InputKind.DATE:
        return frame[AS_OF] - values if AS_OF in frame.columns else values * 0.0
    if column.kind is InputKind.TEXT:
        return values.str.count_matches(r"\S+").cast(pl.Float64)
    return values


def _of_words(name: str, values: pl.Series) -> Summary:
    counted = values.drop_nulls().value_counts(sort=True, name="rows")
    frequent = counted.filter(pl.col("rows") >= SMALLEST_SHARE * max(len(values), 1)).sort(["rows", name], descending=[True, False])
    empty = Summary(name=name, levels=tuple(frequent[name].to_list()), counts=())
    return empty.model_copy(update={"counts": tuple(_count_words(empty, values).tolist())})


def _edges(values: Floats) -> tuple[float, ...]:
    """The tenths, each border once. A value that many rows have is a border, so that its share shows."""
    if not len(values):
        return ()
    found = np.unique(np.quantile(values, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    below = values[values < values.max()]
    if not len(below):
        return ()
    # What is beyond the largest value of all would be an empty bin: the border below it keeps its own share apart.
    return tuple(np.unique(np.minimum(found, below.max())).tolist())


def _count_numbers(summary: Summary, values: pl.Series) -> Ints:
    there = values.drop_nulls().to_numpy()
    places = np.searchsorted(np.array(summary.edges or (), dtype=np.float64), there, side="left")
    counts = np.bincount(places, minlength=len(summary.edges or ()) + 1)
    return np.append(counts, len(values) - len(there)).astype(np.int64)


def _count_words(summary: Summary, values: pl.Series) -> Ints:
    levels = summary.levels or ()
    there = values.drop_nulls()
    each = [int((there == level).sum()) for level in levels]
    return np.array([*each, len(there) - sum(each), len(values) - len(there)], dtype=np.int64)
