"""A user's table, ready to train on: rows in time order, labels, and what was found out about it, in words."""

import difflib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.domain.event import OUR_PREFIX
from data.errors import BadInput
from ml.features.inputs import Input, InputKind, typed_series
from ml.features.words import MISSING_WORDS
from ml.tables.column_kinds import find_kinds
from ml.tables.column_notes import told
from ml.tables.label_words import outcome_words, read_labels
from ml.tables.table_file import read_frame, shown_names

ROWS_AT_A_TIME = 50_000
NAMES_IN_ERROR = 5
NOBODY = "\x1e"  # before a number; no cell has this character


@dataclass(frozen=True)
class Choice:
    """What the user says of a table: the columns' roles, and how some are to be taken.

    `target` says how a row turned out, `time` when it was, `id` whose it is, `closed` when the outcome was known. `keep` stay
    although they look like leaks or identifiers; `category` are numbers that are codes.
    """

    target: str
    time: str | None = None
    id: str | None = None
    closed: str | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    category: tuple[str, ...] = ()

    @property
    def roles(self) -> dict[str, str]:
        """Column -> what it is for."""
        chosen = {"target": self.target, "time": self.time, "id": self.id, "closed": self.closed}
        return {name: role for role, name in chosen.items() if name}


@dataclass(frozen=True)
class Table:
    """A user's rows in time order, with their labels (0 or 1), and what was found out about them.

    `rows` has all columns of the file, as text or in Parquet's types; `columns` names those that may become inputs.
    `order` is what the rows were sorted by, `times` the same as days since 1970-01-01 UTC where these are dates; `closed` the
    days at which the outcomes were known (NaN: it is not said); `ids` the column that names the rows, never an input.
    `outcomes` are the table's own words for 1 and 0.
    """

    rows: pl.DataFrame
    labels: NDArray[np.int64]
    choice: Choice
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    data_hash: str
    times: NDArray[np.float64] | None = None
    order: NDArray[np.float64] | None = None
    closed: NDArray[np.float64] | None = None
    ids: NDArray[np.object_] | None = None
    outcomes: tuple[str, str] = ("yes", "no")

    def cut(self, share: float) -> int:
        """The row at which the newest part begins."""
        return int(len(self.rows) * share)


def read_labelled(path: Path, choice: Choice) -> Table:
    """Reads a table to train on, oldest row first. Without `choice.time` the order of the rows is the time.

    Rows without a label are left out.

    Raises:
        BadInput: names the file, the column or the line, and what to do.
    """
    frame, read = read_frame(path)
    for name in (*choice.roles, *choice.drop, *choice.keep, *choice.category):
        _check_there(path, frame, name)
    labelled, labels, meaning = read_labels(frame[choice.target])
    frame = frame.filter(labelled)
    notes = [*read, meaning]
    outcomes = outcome_words(frame[choice.target], labels)
    times = order = None
    if choice.time:
        frame, labels, order, are_dates, note = _in_time_order(frame, labels, choice.time)
        times = order if are_dates else None
        notes.append(note)
    ids, unnamed = (None, []) if choice.id is None else _identities(frame[choice.id])
    columns, why = _columns(frame, choice)
    return Table(
        rows=frame,
        labels=labels,
        choice=choice,
        columns=columns,
        notes=(*notes, *unnamed, *why),
        data_hash=_hash(frame),
        times=times,
        order=order,
        closed=None if choice.closed is None else _closing_days(frame[choice.closed]),
        ids=ids,
        outcomes=outcomes,
    )


def infer_inputs(table: Table, upto: int) -> tuple[tuple[Input, ...], tuple[str, ...]]:
    """The input schema from the first `upto` rows, and notes: what there is, and why a column is left out.

    Only the training part is looked at: a category that first shows up later is unseen then, as it would have been.

    Raises:
        BadInput: no column is left to learn from.
    """
    identities = None if table.ids is None else table.ids[:upto]
    rows, choice = table.rows.select(table.columns).head(upto), table.choice
    found = find_kinds(rows, choice.keep, categories=choice.category, identities=identities)
    inputs = tuple(one.input for one in found if one.input is not None)
    if not inputs:
        if not found:
            raise BadInput(
                f"no column is left to learn from: besides {choice.target} the table needs columns known before the outcome"
            )
        why = [f"{one.name} left out: {one.reason}" for one in found]
        more = f" and {len(why) - NAMES_IN_ERROR:,} more" if len(why) > NAMES_IN_ERROR else ""
        raise BadInput(f"no column is left to learn from: {'; '.join(why[:NAMES_IN_ERROR])}{more}")
    return inputs, told(found)


def as_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dicts()


def _check_there(path: Path, frame: pl.DataFrame, name: str) -> None:
    if name in frame.columns:
        return
    folded = {column.lower(): column for column in reversed(frame.columns)}
    close = difflib.get_close_matches(name.lower(), folded, n=1)
    meant = f"did you mean {folded[close[0]]!r}? " if close else ""
    raise BadInput(f"{path}: no column {name!r}; {meant}the columns are {shown_names(frame.columns)}", field=name)


def _columns(frame: pl.DataFrame, choice: Choice) -> tuple[tuple[str, ...], list[str]]:
    """What there is to learn from, and notes on what is not: columns that have a role of their own, and predictions."""
    notes, roles = [], choice.roles
    if others := [f"{name} ({role})" for name, role in roles.items() if role != "target"]:
        notes.append(f"not learnt from: {', '.join(others)}")
    ours = [name for name in frame.columns if _is_a_prediction(name) and name not in {*roles, *choice.drop, *choice.keep}]
    if ours:
        notes.append(f"left out, since a model must not learn from predictions: {shown_names(ours)} (--keep takes them in)")
    return tuple(name for name in frame.columns if name not in {*roles, *choice.drop, *ours}), notes


def _identities(series: pl.Series) -> tuple[NDArray[Any], list[str]]:
    """Whose each row is, and a note. A row that does not say so is somebody of its own: the first, the second, ... such one."""
    texts = series.cast(pl.String).str.strip_chars()
    blank = texts.is_null() | texts.str.to_lowercase().is_in(list(MISSING_WORDS))
    numbers = pl.DataFrame({"blank": blank}).select(NOBODY + pl.col("blank").cum_sum().cast(pl.String)).to_series()
    note = [f"{series.name}: {blank.sum():,} rows name nobody, and each counts as somebody of its own"] if blank.any() else []
    return pl.select(pl.when(blank).then(numbers).otherwise(texts)).to_series().to_numpy(), note


def _closing_days(series: pl.Series) -> NDArray[np.float64]:
    """Days of a column of dates, NaN where a cell is blank.

    Raises:
        BadInput: it has no dates.
    """
    column = find_kinds(series.to_frame(), keep=[series.name])[0].input
    if column is None or column.kind is not InputKind.DATE:
        raise BadInput(f"{series.name}: no dates; write them as 2026-01-31 or 2026-01-31T12:00:00", field=series.name)
    return typed_series(column, series).fill_null(np.nan).to_numpy()


def _is_a_prediction(name: str) -> bool:
    """An export of the CRM has what we wrote to it, under the property's name or its label."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).startswith(OUR_PREFIX)


def _in_time_order(
    frame: pl.DataFrame, labels: NDArray[np.int64], time: str
) -> tuple[pl.DataFrame, NDArray[np.int64], NDArray[np.float64], bool, str]:
    """The rows and their labels oldest first, their moments, whether these are dates (as days), and a note."""
    moments, are_dates, note = _moments(frame[time])
    order = np.argsort(moments, kind="stable")
    return frame[order], labels[order], moments[order], are_dates, f"in the order of {time}{note}"


def _moments(series: pl.Series) -> tuple[NDArray[np.float64], bool, str]:
    """Dates as days, or numbers as they are; whether they are dates; and a note on how they are written.

    Raises:
        BadInput: some cells are neither; an order of texts would let the future into the past.
    """
    found = find_kinds(series.to_frame(), keep=[series.name])[0]
    column, note = found.input, found.note
    if column is None or column.kind not in {InputKind.DATE, InputKind.NUMBER}:
        column, note = Input(name=series.name, kind=InputKind.NUMBER), ""
    moments = typed_series(column, series)
    if moments.null_count() > len(series) // 2:
        raise BadInput(
            f"{series.name}: neither numbers nor dates that can be told apart; write them as 2026-01-31 or 2026-01-31T12:00:00",
            field=series.name,
        )
    if unread := moments.null_count():
        shown = str(series.filter(moments.is_null())[0])[:40]
        raise BadInput(
            f"{series.name}: {unread:,} of {len(series):,} cells say no time (the first: {shown!r});"
            " without it a row has no place in the order: fill them or remove these rows",
            field=series.name,
        )
    are_dates = column.kind is InputKind.DATE
    note = note or ("" if are_dates else "numbers, not dates")
    return moments.to_numpy(), are_dates, f" ({note})" if note else ""


def _hash(frame: pl.DataFrame) -> str:
    """The same for the same cells in the same order, whatever the file's separator, encoding and packing."""
    digest = hashlib.sha256()
    for place, part in enumerate(frame.iter_slices(ROWS_AT_A_TIME)):
        digest.update(part.write_csv(include_header=place == 0).encode())
    return digest.hexdigest()
