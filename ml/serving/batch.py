"""Scores whole tables: a file's columns in, score, label, grade and the strongest factors of each row out."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.clock import SystemClock
from data.domain.prediction import GRADES, Grade, Label
from ml.features.date_text import days_of_datetime
from ml.features.inputs import typed_frame
from ml.learners.base import log_odds, probability
from ml.preparation.base import AS_OF, Floats
from ml.serving.explain import FEWEST_POINTS, WHOLE_POINTS, points
from ml.version import Card, Version

SHOWN_FACTORS = 5
PART_ROWS = 50_000


def score_parts(version: Version, frame: pl.DataFrame, *, threshold: float, factors: int = SHOWN_FACTORS) -> Iterator[pl.DataFrame]:
    """`score_frame` of a large table part by part, in its order: on all cores, and the memory of a few parts only."""
    score = partial(score_frame, version, threshold=threshold, factors=factors)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # Trees are asked from several threads at once: the libraries allow it, and give back the interpreter meanwhile.
        yield from pool.map(score, frame.iter_slices(PART_ROWS))


def score_frame(version: Version, frame: pl.DataFrame, *, threshold: float, factors: int = SHOWN_FACTORS) -> pl.DataFrame:
    """A table's rows -> `score`, `label`, `grade`, `factor_1` ... in the same order.

    A column that is gone counts as missing. Without factors (0) only the margins are computed.
    """
    card = version.card
    typed = typed_table(card, frame)
    if factors:
        shares = version.scorer.contributions(typed)
        scores = probability(shares.sum(axis=1))
    else:
        scores = probability(version.scorer.margins(typed))
    told = _strongest(card, frame, shares, factors) if factors else []
    labels = pl.Series("label", np.where(scores > threshold, Label.HIGH.value, Label.LOW.value))
    return pl.DataFrame([pl.Series("score", scores), labels, pl.Series("grade", grades(scores, card.base_rate)), *told])


def typed_table(card: Card, frame: pl.DataFrame) -> pl.DataFrame:
    """A user's columns as the version takes them."""
    return with_moments(card, typed_frame(card.columns, frame))


def with_moments(card: Card, typed: pl.DataFrame) -> pl.DataFrame:
    """Names the rows' moments, up to which dates become durations; a row without one is of now."""
    if card.moment is None:
        return typed
    now = days_of_datetime(SystemClock().now())
    return typed.rename({card.moment.name: AS_OF}).with_columns(pl.col(AS_OF).fill_null(now))


def grades(scores: Floats, base_rate: float) -> NDArray[np.str_]:
    """The letters of many scores; the same table as one score's (data.domain.prediction)."""
    ratios = np.exp(log_odds(scores) - log_odds(base_rate))
    return np.select([ratios >= least for _, least in GRADES], [letter.value for letter, _ in GRADES], default=Grade.E.value)


def _strongest(card: Card, frame: pl.DataFrame, contributions: Floats, count: int) -> list[pl.Series]:
    """Columns `factor_1` ...: `name = value (+12 points)`, the strongest first; empty where a share is nothing."""
    names = card.input_names
    rows, moved = np.arange(len(frame)), points(contributions)
    order = np.argsort(-np.abs(contributions[:, :-1]), axis=1, kind="stable")[:, :count]
    cells = np.stack(
        [
            frame[name].cast(pl.String).fill_null("").to_numpy() if name in frame.columns else np.full(len(frame), "")
            for name in names
        ],
        axis=1,
    )
    told = []
    for place in range(min(count, len(names))):
        which = order[:, place]
        part = pl.DataFrame(
            {"name": np.array(names, dtype=object)[which], "value": cells[rows, which], "points": moved[rows, which]},
            schema={"name": pl.String, "value": pl.String, "points": pl.Float64},
        )
        shown = pl.when(pl.col("value") == "").then(pl.lit("(missing)")).otherwise(pl.col("value"))
        text = (
            pl.when(pl.col("points") == 0).then(pl.lit("")).otherwise(pl.format("{} = {} ({})", "name", shown, points_in_words()))
        )
        told.append(part.select(text.alias(f"factor_{place + 1}")).to_series())
    return told


def points_in_words() -> pl.Expr:
    """`explain.points_in_words` of a whole column `points`."""
    size = pl.col("points").abs()
    whole = size.round(0).cast(pl.Int64).cast(pl.String)
    shown = pl.when(size >= WHOLE_POINTS).then(whole).otherwise(size.round(1).cast(pl.String))
    sign = pl.when(pl.col("points") < 0).then(pl.lit("-")).otherwise(pl.lit("+"))
    plural = pl.when(shown == "1").then(pl.lit("")).otherwise(pl.lit("s"))
    told = pl.format("{}{} point{}", sign, shown, plural)
    return pl.when(size < FEWEST_POINTS).then(pl.lit("changes little")).otherwise(told)
