"""Runs every check in order, and says which columns to leave out.

What data can show, and what it cannot. A gap, a value or a stamp that belongs to one outcome is nearly proof. Power
alone never is: the length of a sales call predicts the sale in the same smooth way as a good honest trait would, and two
such columns can be identical number for number while only one of them is known in time. So power alone accuses only
where the table itself offers a measure (the other columns know something, and this one knows far more than all of them
together) or where it is beyond what is known of honest columns (`too_good.BEYOND_HONEST`). Below that the column stays,
and the user decides. It follows that an honest column far ahead of a well-informed rest is accused, that two unlike leaks
of middling power hide each other, and that in tables of a few dozen rows only plain copies, gaps and values are found.

Labels after `cut` teach the guard nothing (they only tell whether two rows are the same): a guard that learns from the
rows that will judge would be a leak itself. Of an identity with several rows one teaches it: three rows of a contact are no
three witnesses, and what names a contact would seem to know how the others end.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import BadInput
from ml.features.inputs import Input, InputKind
from ml.training.leakage import too_good
from ml.training.leakage.findings import Findings, Reason, RowFinding, Suspect
from ml.training.leakage.identity import duplicates, identifies, shared_groups
from ml.training.leakage.late import changed_late
from ml.training.leakage.names import sounds_like_outcome
from ml.training.leakage.one_sided import CODES, gap, values
from ml.training.leakage.power import Column, Floats, Ints

TEXT_KINDS = frozenset({InputKind.CATEGORY, InputKind.TEXT})
FEWEST_IDENTITIES = 200  # one row of each of fewer would show nothing: then all rows teach the guard
MOST_ROWS = 20_000  # for power; a random part of this size shows an AUC to within 0.01


def find_leaks(
    frame: pl.DataFrame,
    inputs: Sequence[Input],
    labels: Ints,
    *,
    cut: int | None = None,
    times: Floats | None = None,
    groups: NDArray[np.generic] | None = None,
    changed_at: Mapping[str, Floats] | None = None,
    closed_at: Floats | None = None,
    keep: Iterable[str] = (),
    outcomes: tuple[str, str] = CODES,
    seed: int = 0,
) -> Findings:
    """Columns that know the answer, and rows that were seen before. The same input and seed give the same findings.

    Args:
        frame: a typed frame, one column an input, oldest row first.
        inputs: the columns to look at.
        labels: 0 or 1, one a row.
        cut: the row at which the newest part begins; without it all rows teach, and no duplicates are sought.
        times: when each row's example was taken, in days since 1970-01-01 UTC.
        groups: an id a row for what must not stand on both sides of the cut, a customer for example. One row of each
            teaches the guard, unless there are fewer than FEWEST_IDENTITIES.
        changed_at: for a column, when each row's value was last changed (days; NaN: never or unknown).
        closed_at: when each row's outcome became known (days; NaN: unknown).
        outcomes: what the evidence calls 1 and 0.
        keep: columns that the user wants in any case: reported, and left in.

    Raises:
        BadInput: the labels, times or change times do not have one value a row.
    """
    cut = len(frame) if cut is None else cut
    _check_lengths(len(frame), {"labels": labels, "times": times, "groups": groups, "closed_at": closed_at, **(changed_at or {})})
    rows = _row_findings(frame, inputs, labels, groups, cut)
    places = _one_each(groups, cut)
    teaching, taught = frame[places], labels[places]
    if not inputs or len(np.unique(taught)) < 2:
        return Findings(rows=rows)
    known = None if times is None else times[places]
    found: dict[str, Suspect] = {}
    columns = {column.name: _numbers(column, teaching[column.name], known) for column in inputs}
    _collect(found, _named(inputs, lambda column: gap(columns[column.name], taught, len(inputs), outcomes)))
    by_value = partial(_by_value, columns=columns, teaching=teaching, labels=taught, seed=seed, outcomes=outcomes)
    _collect(found, _named(inputs, by_value))
    changes = list(_named(inputs, lambda column: _by_change(column, changed_at or {}, closed_at, places)))
    _collect(found, (suspect for suspect in changes if suspect.left_out))
    _collect(found, _named(inputs, lambda column: _by_identity(column, teaching[column.name], known)))
    _collect(found, _by_power(inputs, columns, taught, frozenset(found), seed))
    _collect(found, changes)  # mass edits, of columns that nothing else speaks against
    kept = frozenset(keep)
    suspects = (replace(suspect, left_out=suspect.left_out and suspect.column not in kept) for suspect in found.values())
    return Findings(tuple(sorted(suspects, key=lambda suspect: (-suspect.weight, suspect.column))), rows)


def _row_findings(
    frame: pl.DataFrame, inputs: Sequence[Input], labels: Ints, groups: NDArray[np.generic] | None, cut: int
) -> tuple[RowFinding, ...]:
    twice = duplicates(frame.select([column.name for column in inputs]), labels, cut)
    shared = None if groups is None else shared_groups(groups, cut)
    return tuple(finding for finding in (twice, shared) if finding)


def _one_each(groups: NDArray[np.generic] | None, cut: int) -> Ints:
    """The places of the rows that teach the guard: of each identity the newest."""
    if groups is None:
        return np.arange(cut)
    newest = np.unique(groups[:cut][::-1].astype(str), return_index=True)[1]
    return np.sort(cut - 1 - newest) if len(newest) >= FEWEST_IDENTITIES else np.arange(cut)


def _named(inputs: Sequence[Input], check: Callable[[Input], Suspect | None]) -> Iterator[Suspect]:
    return (suspect for suspect in map(check, inputs) if suspect)


def _collect(found: dict[str, Suspect], suspects: Iterable[Suspect]) -> None:
    for suspect in suspects:
        found.setdefault(suspect.column, suspect)


def _by_value(
    column: Input, columns: Mapping[str, Column], teaching: pl.DataFrame, labels: Ints, seed: int, outcomes: tuple[str, str]
) -> Suspect | None:
    texts = teaching[column.name] if column.kind in TEXT_KINDS else None
    return values(columns[column.name], labels, texts, len(columns), seed, outcomes)


def _by_change(column: Input, changed_at: Mapping[str, Floats], closed_at: Floats | None, places: Ints) -> Suspect | None:
    moments = changed_at.get(column.name)
    if moments is None or closed_at is None:
        return None
    late = changed_late(moments[places], closed_at[places])
    if late is None:
        return None
    return Suspect(column.name, Reason.CHANGED_LATE, late.evidence, left_out=not late.is_mass_edit, weight=late.share)


def _by_identity(column: Input, series: pl.Series, times: Floats | None) -> Suspect | None:
    found = identifies(column, series, times)
    return None if found is None else Suspect(column.name, *found, left_out=True, weight=0.0)


def _by_power(
    inputs: Sequence[Input], columns: Mapping[str, Column], labels: Ints, found: frozenset[str], seed: int
) -> list[Suspect]:
    rest = [column for column in inputs if column.name not in found]
    rows = np.arange(len(labels))
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))
    sampled = [replace(columns[column.name], values=columns[column.name].values[rows]) for column in rest]
    numbers = frozenset(column.name for column in rest if column.kind in {InputKind.NUMBER, InputKind.DATE})
    named = frozenset(column.name for column in rest if sounds_like_outcome(column.name))
    return too_good.find(sampled, labels[rows], numbers=numbers, named=named, seed=seed)


def _numbers(column: Input, series: pl.Series, times: Floats | None) -> Column:
    """Categories and texts as the place of each level among the sorted levels; dates as learners see them, as days before the
    row's moment where that is known.
    """
    if column.kind is InputKind.DATE and times is not None:
        return Column(column.name, times - series.fill_null(np.nan).to_numpy(), is_category=False, unit=" days before")
    is_category = column.kind in TEXT_KINDS
    numbers = series.rank("dense") - 1 if is_category else series
    return Column(column.name, numbers.cast(pl.Float64).fill_null(np.nan).to_numpy(), is_category)


def _check_lengths(rows: int, given: Mapping[str, NDArray[np.generic] | None]) -> None:
    for name, values_ in given.items():
        if values_ is not None and len(values_) != rows:
            raise BadInput(f"{name}: {len(values_):,} values for {rows:,} rows; give one a row", field=name)
