"""What a target column's words mean: which is the outcome to predict (1), which is not (0), which say nothing yet."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import BadInput
from ml.features.inputs import Input, InputKind, typed_series
from ml.features.words import FALSE_WORDS, TRUE_WORDS

WON_WORDS = TRUE_WORDS | {
    "won", "win", "closedwon", "closed won", "closed-won", "closed_won", "converted", "customer", "churned", "success", "gewonnen",
    "gagné", "ganado", "positive",
}  # fmt: skip
LOST_WORDS = FALSE_WORDS | {
    "lost", "loss", "closedlost", "closed lost", "closed-lost", "closed_lost", "not converted", "none", "retained", "failure",
    "verloren", "perdu", "perdido", "negative",
}  # fmt: skip
# A deal that is not decided yet teaches nothing.
OPEN_WORDS = frozenset({"open", "pending", "in progress", "ongoing", "offen", "ouvert", "abierto"})
NEGATIONS = ("not ", "no ", "non ", "not_", "no_", "non_", "not-", "no-", "non-", "un", "nicht ", "kein ", "keine ")
# Marks rather than words: `churn was 1` reads worse than `churn was yes`.
MARKS_FOR_YES = frozenset({"1", "1.0", "true", "t", "y", "yes", "x"})
WORDS_SHOWN, LONGEST_SHOWN = 5, 30


def read_labels(series: pl.Series) -> tuple[NDArray[np.bool_], NDArray[np.int64], str]:
    """Which rows have a label, the labels (0 or 1) of those rows, and what was taken for what, with the counts.

    Raises:
        BadInput: none, one or more than two classes, or two of which nothing says which is the one to predict.
    """
    cells = typed_series(Input(name=series.name, kind=InputKind.CATEGORY), series).str.to_lowercase()
    counts = dict(cells.drop_nulls().value_counts(sort=True).iter_rows())
    won, lost = _sides(series.name, counts)
    open_words = counts.keys() - won - lost
    labelled = cells.is_in(list(won | lost)).fill_null(value=False)
    labels = cells.filter(labelled).is_in(list(won)).cast(pl.Int64).to_numpy()
    meaning = f"{series.name}: predicts {_told(won)} ({labels.mean():.1%} of {len(labels):,} rows) against {_told(lost)}"
    if without := len(cells) - len(labels):
        reasons = ["nothing there"] * bool(cells.null_count()) + sorted(open_words)
        meaning += f"; {without:,} rows without a label ({', '.join(reasons)}) are left out"
    return labelled.to_numpy(), labels, meaning


def outcome_words(series: pl.Series, labels: NDArray[np.int64]) -> tuple[str, str]:
    """What the table itself calls the outcome and its opposite, as most often written; yes and no where it has 1 and 0.

    `series` and `labels` are of the labelled rows.
    """
    cells = series.cast(pl.String).str.strip_chars()
    won, lost = (str(cells.filter(pl.Series(labels == label)).mode().sort()[0]) for label in (1, 0))
    return ("yes", "no") if won.lower() in MARKS_FOR_YES else (won, lost)


def _sides(name: str, counts: Mapping[str, int]) -> tuple[set[str], set[str]]:
    """The words for 1 and the words for 0."""
    words = set(counts)
    won, lost = words & WON_WORDS, words & LOST_WORDS
    if won and lost:
        words -= OPEN_WORDS
    if len(words) == 2 and not (won and lost):
        for one, other in (sorted(words), sorted(words, reverse=True)):
            if other in {negation + one for negation in NEGATIONS}:
                return {one}, {other}
    if not words - won - lost and won and lost:
        return won, lost
    raise BadInput(_complaint(name, counts, words), field=name)


def _complaint(name: str, counts: Mapping[str, int], words: set[str]) -> str:
    shown = ", ".join(f"{_short(word)} ({counts[word]:,} row{'s' * (counts[word] > 1)})" for word in list(counts)[:WORDS_SHOWN])
    remedy = "write 1 and 0, yes and no, true and false, or won and lost"
    if not counts:
        return f"{name}: the target has no value in any row; --target must name the column that says how each row turned out"
    if len(words) == 1:
        return f"{name}: the target has one value only, {shown}: there is nothing to tell apart; add rows of the other outcome"
    if len(words) == 2:
        return f"{name}: cannot tell which is the outcome to predict: {shown}; {remedy}"
    more = f" and {len(counts) - WORDS_SHOWN:,} more" if len(counts) > WORDS_SHOWN else ""
    if sum(map(_is_number, counts)) > len(counts) / 2:
        remedy = "make two of them, as 1 above a limit and 0 below it"
    return f"{name}: the target must have two classes and has {len(words):,} different values: {shown}{more}; {remedy}"


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _short(word: str) -> str:
    return word if len(word) <= LONGEST_SHOWN else f"{word[: LONGEST_SHOWN - 1]}…"


def _told(words: set[str]) -> str:
    more = f" and {len(words) - WORDS_SHOWN:,} more" if len(words) > WORDS_SHOWN else ""
    return ", ".join(sorted(words)[:WORDS_SHOWN]) + more
