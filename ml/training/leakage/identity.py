"""Columns that name the row instead of describing it, and rows that are there twice."""

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from ml.features.inputs import Input, InputKind
from ml.training.leakage.findings import Reason, RowFinding, RowReason
from ml.training.leakage.names import sounds_like_identifier
from ml.training.leakage.power import Floats

FEWEST_ROWS = 20  # fewer different values are no wonder
NEARLY_UNIQUE = 0.95
# Three words and more are a sentence that a text feature may read; names, keys and addresses have fewer.
SENTENCE_WORDS = 3.0
# Whole numbers that never repeat, although as many drawn at random from their range would give this many equal pairs:
# the probability is exp(-12), one in 160,000 columns.
EXPECTED_PAIRS = 12.0
# Large keys (a CRM's record ids) are too far apart to repeat by chance. With a name that says so, this many digits, or
# that they rise with every row, will do.
KEY_DIGITS = 6
KINDLY = "if they are the same record twice, the newest rows judge too kindly: remove the later ones and train again"
EXPLAINED = 3.0  # chance is reckoned as if the columns were independent, and makes up to so many times more twins
IN_STEP = 0.999  # the rank correlation with time of a number that is the time


def identifies(column: Input, series: pl.Series, times: Floats | None) -> tuple[Reason, str] | None:
    """Why the column is an identifier or a clock, or nothing. `series` has one value a row, `times` days."""
    filled = series.drop_nulls()
    if len(filled) < FEWEST_ROWS:
        return None
    different = filled.n_unique()
    if different < NEARLY_UNIQUE * len(filled):
        return None
    if column.kind in {InputKind.TEXT, InputKind.CATEGORY}:
        return _names_rows(filled, different)
    if column.kind is InputKind.NUMBER:
        return _is_clock(series, times) or _numbers_rows(column.name, filled, different)
    return None


def duplicates(frame: pl.DataFrame, labels: NDArray[np.int64], cut: int) -> RowFinding | None:
    """Newest rows (from `cut` on) that the older part has too: same in every column, and in the outcome."""
    if not frame.width or not 0 < cut < len(frame):
        return None
    keyed = frame.with_columns(pl.Series("__outcome", labels))
    older, newest = keyed[:cut].unique(maintain_order=True), keyed[cut:]
    rows = len(newest.join(older, on=keyed.columns, how="semi", nulls_equal=True))
    if not rows:
        return None
    chance = _chance_twins(keyed, cut)
    meaning = "few rows can differ in this table" if chance * EXPLAINED >= rows else KINDLY
    copies = f"{rows:,} of the {len(newest):,} newest rows are an exact copy of an older row"
    evidence = f"{copies}, where chance makes about {chance:,.0f}: {meaning}."
    return RowFinding(RowReason.DUPLICATES, rows, evidence)


def shared_groups(groups: NDArray[np.generic], cut: int) -> RowFinding | None:
    """Newest rows whose group (a customer, say) the older part has too. `groups` has one id a row."""
    seen = np.isin(groups[cut:], groups[:cut])
    rows = int(seen.sum())
    if not rows or cut <= 0:
        return None
    shared = len(np.unique(groups[cut:][seen]))
    evidence = f"{rows:,} of the {len(seen):,} newest rows belong to {shared:,} identities that also have older rows"
    evidence += ": they do not judge, unless too few others are left."
    return RowFinding(RowReason.SHARED_GROUPS, rows, evidence)


def _names_rows(filled: pl.Series, different: int) -> tuple[Reason, str] | None:
    words = filled.cast(pl.String).str.strip_chars().str.split(" ").list.len().mean()
    if isinstance(words, float) and words >= SENTENCE_WORDS:
        return None
    return (
        Reason.IDENTIFIER,
        f"{different:,} different texts in {len(filled):,} filled rows: it names the row and cannot come again.",
    )


def _is_clock(series: pl.Series, times: Floats | None) -> tuple[Reason, str] | None:
    if times is None:
        return None
    values = series.fill_null(math.nan).to_numpy()
    both = ~np.isnan(values) & ~np.isnan(times)
    if both.sum() < FEWEST_ROWS or len(np.unique(times[both])) == 1:
        return None
    step = float(np.corrcoef(rankdata(values[both]), rankdata(times[both]))[0, 1])
    if abs(step) < IN_STEP:
        return None
    return (
        Reason.CLOCK,
        f"it moves in step with the row's time (rank correlation {step:.4f}): the time in disguise, never seen again.",
    )


def _numbers_rows(name: str, filled: pl.Series, different: int) -> tuple[Reason, str] | None:
    values = filled.to_numpy()
    if different < len(values) or not (values == np.round(values)).all():
        return None
    low, high = float(values.min()), float(values.max())
    pairs = len(values) ** 2 / (2 * (high - low + 1))
    found = f"{len(values):,} whole numbers between {low:,.0f} and {high:,.0f}, never the same twice"
    if pairs >= EXPECTED_PAIRS:
        return Reason.IDENTIFIER, f"{found}, where chance gives about {pairs:,.0f} equal pairs: a running number."
    is_key = min(abs(low), abs(high)) >= 10 ** (KEY_DIGITS - 1) or bool((np.diff(values) > 0).all())
    if is_key and sounds_like_identifier(name):
        return Reason.IDENTIFIER, f"{found}, and its name says that it is a key."
    return None


def _chance_twins(frame: pl.DataFrame, cut: int) -> float:
    """How many newest rows would meet a twin, were the columns independent: rather too low, columns are related."""
    match, pairs = 1.0, len(frame) * (len(frame) - 1)
    for name in frame.columns:
        rows = frame[name].value_counts()["count"].cast(pl.Float64)
        match *= float((rows * (rows - 1)).sum()) / pairs
    return (len(frame) - cut) * -math.expm1(-cut * match)
