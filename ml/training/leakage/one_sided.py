"""Gaps and values that belong to one outcome."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ml.training.leakage.findings import Reason, Suspect
from ml.training.leakage.names import says_outcome, sounds_like_outcome
from ml.training.leakage.power import Column, Floats, Ints, folds
from ml.training.leakage.separation import GAPS, VALUES, Mask, Split, gives_away, level_groups, split

FEW_LEVELS = 20  # a number with no more different values is a code or a mark, and read as a category as well
SHOWN = 3
CODES = ("1", "0")
SPIKE_SHARE = 0.05  # a value of a number that so many rows share stands for something of its own, mostly "nothing yet"


def gap(column: Column, labels: Ints, columns: int, outcomes: tuple[str, str] = CODES) -> Suspect | None:
    """Whether the column is filled, or empty, for one outcome only. `outcomes` are people's words for 1 and 0."""
    found = split(~np.isnan(column.values), labels)
    if not gives_away(found, GAPS, columns=columns, named=found.is_pure and sounds_like_outcome(column.name)):
        return None
    return _suspect(column, Reason.FILLED_FOR_ONE, "filled", found, outcomes)


def values(
    column: Column, labels: Ints, texts: pl.Series | None, columns: int, seed: int, outcomes: tuple[str, str] = CODES
) -> Suspect | None:
    """Whether a value, or a set of values, belongs to one outcome. `texts` are a category's values, in row order."""
    codes, numbers = _levels(column.values)
    if len(numbers) < 2:
        return None
    named = sounds_like_outcome(column.name)
    spike = None if column.is_category else _spike(column.values)
    if spike is not None:
        found = split(column.values == spike, labels)
        if gives_away(found, VALUES, columns=columns, named=named and found.is_copy):
            return _suspect(column, _reason(found), f"{spike:g}{column.unit}", found, outcomes)
    if not column.is_category and len(numbers) > FEW_LEVELS:
        return None
    words = [f"{number:g}{column.unit}" for number in numbers] if texts is None else texts.drop_nulls().unique().sort().to_list()
    said = named or (texts is not None and len(words) <= FEW_LEVELS and says_outcome(words))
    groups = level_groups(codes, labels, folds(labels, 2, seed))
    # A number's pure values may be the end of an honest scale; only the cut through its middle counts.
    judged = groups if column.is_category else groups[:1]
    # The outcome of an earlier campaign has the same name and words, and a few rows of success may all be won: words
    # support a copy only.
    convincing = [group for group in judged if gives_away(group[0], VALUES, columns=columns, named=said and group[0].is_copy)]
    if not convincing:
        return None
    best, levels = max(convincing, key=lambda group: group[0].share)
    return _suspect(column, _reason(best), _shown(levels, codes, words), best, outcomes)


def _levels(numbers: Floats) -> tuple[Ints, Floats]:
    """A code for each different value (a missing one has the first, where there is any), and the different values."""
    filled = ~np.isnan(numbers)
    different, places = np.unique(numbers[filled], return_inverse=True)
    codes = np.zeros(len(numbers), dtype=np.int64)
    codes[filled] = places + (not filled.all())
    return codes, different


def _shown(levels: Mask, codes: Ints, words: Sequence[str]) -> str:
    """The most frequent values of a group, in words."""
    rows = np.bincount(codes, minlength=len(levels))
    names = [f"'{word}'" for word in words]
    if len(names) < len(levels):
        names.insert(0, "missing")
    group = sorted(np.flatnonzero(levels).tolist(), key=lambda level: (-rows[level], level))
    more = f" or one of {len(group) - SHOWN:,} others" if len(group) > SHOWN else ""
    return " or ".join(names[level] for level in group[:SHOWN]) + more


def _spike(numbers: Floats) -> float | None:
    different, rows = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    place = int(rows.argmax())
    return float(different[place]) if rows[place] >= SPIKE_SHARE * len(numbers) else None


def _reason(found: Split) -> Reason:
    return Reason.TARGET_COPY if found.is_copy else Reason.PURE_VALUES


def _suspect(column: Column, reason: Reason, what: str, found: Split, outcomes: tuple[str, str]) -> Suspect:
    won, lost = outcomes
    ones, zeros = found.in_1 + found.out_1, found.in_0 + found.out_0
    evidence = (
        f"it is {what} in {found.in_1:,} of {ones:,} rows with outcome {won} and in {found.in_0:,} of {zeros:,} with outcome "
        f"{lost} (odds ratio at least {found.odds_ratio_at_least:,.0f}, 95% sure)."
    )
    return Suspect(column.name, reason, evidence, left_out=True, weight=found.share)
