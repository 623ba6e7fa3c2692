"""Gaps and values that belong to one outcome."""

import numpy as np
import polars as pl

from ml.training.leakage.findings import Reason, Suspect
from ml.training.leakage.names import says_outcome, sounds_like_outcome
from ml.training.leakage.power import Column, Floats, Ints, folds
from ml.training.leakage.separation import GAPS, VALUES, Split, gives_away, level_groups, split

FEW_LEVELS = 20  # a number with no more different values is a code or a mark, and read as a category as well
SPIKE_SHARE = 0.05  # a value of a number that so many rows share stands for something of its own, mostly "nothing yet"


def gap(column: Column, labels: Ints, columns: int) -> Suspect | None:
    """Whether the column is filled, or empty, for one outcome only."""
    found = split(~np.isnan(column.values), labels)
    if not gives_away(found, GAPS, columns=columns, named=sounds_like_outcome(column.name)):
        return None
    return _suspect(column, Reason.FILLED_FOR_ONE, "filled", found)


def values(column: Column, labels: Ints, texts: pl.Series | None, columns: int, seed: int) -> Suspect | None:
    """Whether a value, or a set of values, belongs to one outcome. `texts` are a category's values, in row order."""
    codes, different = _levels(column.values)
    if different < 2:
        return None
    named = sounds_like_outcome(column.name)
    spike = None if column.is_category else _spike(column.values)
    if spike is not None:
        found = split(column.values == spike, labels)
        if gives_away(found, VALUES, columns=columns, named=named):
            return _suspect(column, _reason(found), f"{spike:g}", found)
    if not column.is_category and different > FEW_LEVELS:
        return None
    groups = level_groups(codes, labels, folds(labels, 2, seed))
    said = named or (texts is not None and different <= FEW_LEVELS and says_outcome(texts.drop_nulls().unique().to_list()))
    # A number's pure values may be the end of an honest scale; only the cut through its middle counts.
    judged = groups if column.is_category else groups[:1]
    convincing = [found for found in judged if gives_away(found, VALUES, columns=columns, named=said)]
    if not convincing:
        return None
    best = max(convincing, key=lambda found: found.share)
    return _suspect(column, _reason(best), "one of a set of values" if different > 2 else "the same value", best)


def _levels(numbers: Floats) -> tuple[Ints, int]:
    """A code for each different value, missing first, and how many different values there are (missing not counted)."""
    filled = ~np.isnan(numbers)
    different, places = np.unique(numbers[filled], return_inverse=True)
    codes = np.zeros(len(numbers), dtype=np.int64)
    codes[filled] = places + (not filled.all())
    return codes, len(different)


def _spike(numbers: Floats) -> float | None:
    different, rows = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    place = int(rows.argmax())
    return float(different[place]) if rows[place] >= SPIKE_SHARE * len(numbers) else None


def _reason(found: Split) -> Reason:
    return Reason.TARGET_COPY if found.is_copy else Reason.PURE_VALUES


def _suspect(column: Column, reason: Reason, what: str, found: Split) -> Suspect:
    ones, zeros = found.in_1 + found.out_1, found.in_0 + found.out_0
    evidence = (
        f"it is {what} in {found.in_1:,} of {ones:,} rows with outcome 1 and in {found.in_0:,} of {zeros:,} with outcome 0 "
        f"(odds ratio {found.odds_ratio:,.0f}, at least {found.odds_ratio_at_least:,.0f} with 95 % confidence)."
    )
    return Suspect(column.name, reason, evidence, left_out=True, weight=found.share)
