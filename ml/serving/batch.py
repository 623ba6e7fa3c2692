"""Scores whole tables: a file's columns in, score, label, grade and the strongest factors of each row out."""

import time

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.domain.prediction import GRADES, Grade, Label
from ml.features.inputs import typed_frame
from ml.learners.base import log_odds, probability
from ml.preparation.base import AS_OF, Floats
from ml.version import Card, Version

SHOWN_FACTORS = 5
SECONDS_PER_DAY = 86_400


def score_frame(version: Version, frame: pl.DataFrame, *, threshold: float, factors: int = SHOWN_FACTORS) -> pl.DataFrame:
    """A table's rows -> `score`, `label`, `grade`, `factor_1` ... in the same order.

    A column that is gone counts as missing. Without factors (0) only the margins are computed.
    """
    card = version.card
    columns = (*card.inputs, card.moment) if card.moment else card.inputs
    typed = with_moments(card, typed_frame(columns, frame))
    if factors:
        shares = version.scorer.contributions(typed)
        scores = probability(shares.sum(axis=1))
    else:
        scores = probability(version.scorer.margins(typed))
    told = _strongest(card, frame, shares[:, :-1], factors) if factors else []
    labels = pl.Series("label", np.where(scores > threshold, Label.HIGH.value, Label.LOW.value))
    return pl.DataFrame([pl.Series("score", scores), labels, pl.Series("grade", grades(scores, card.base_rate)), *told])


def with_moments(card: Card, typed: pl.DataFrame) -> pl.DataFrame:
    """Names the rows' moments, up to which dates become durations; a row without one is of now."""
    if card.moment is None:
        return typed
    now = time.time() / SECONDS_PER_DAY
    return typed.rename({card.moment.name: AS_OF}).with_columns(pl.col(AS_OF).fill_null(now))


def grades(scores: Floats, base_rate: float) -> NDArray[np.str_]:
    """The letters of many scores; the same table as one score's (data.domain.prediction)."""
    ratios = np.exp(log_odds(scores) - log_odds(base_rate))
    return np.select([ratios >= least for _, least in GRADES], [letter.value for letter, _ in GRADES], default=Grade.E.value)


def _strongest(card: Card, frame: pl.DataFrame, shares: NDArray[np.float64], count: int) -> list[pl.Series]:
    """Columns `factor_1` ...: `name = value (+0.52)`, the strongest first, in log-odds; empty where a share is nothing."""
    names = [column.name for column in card.inputs]
    rows = np.arange(len(frame))
    order = np.argsort(-np.abs(shares), axis=1, kind="stable")[:, :count]
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
            {"name": np.array(names, dtype=object)[which], "value": cells[rows, which], "share": shares[rows, which]},
            schema={"name": pl.String, "value": pl.String, "share": pl.Float64},
        )
        shown = pl.when(pl.col("value") == "").then(pl.lit("(missing)")).otherwise(pl.col("value"))
        sign = pl.when(pl.col("share") < 0).then(pl.lit("-")).otherwise(pl.lit("+"))
        size = pl.col("share").abs().round(2).cast(pl.String)
        text = pl.when(pl.col("share") == 0).then(pl.lit("")).otherwise(pl.format("{} = {} ({}{})", "name", shown, sign, size))
        told.append(part.select(text.alias(f"factor_{place + 1}")).to_series())
    return told


def _texts(frame: pl.DataFrame, name: str) -> NDArray[np.object_]:
    if name not in frame.columns:
        return np.full(len(frame), "", dtype=object)
    return frame[name].cast(pl.String).fill_null("").to_numpy().astype(object)
