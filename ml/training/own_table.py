"""From a user's file to what a training takes: read, typed, and without the columns that know the answer."""

import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from data.errors import BadInput
from ml.features.inputs import Input, InputKind, typed_frame
from ml.preparation.base import AS_OF, Floats
from ml.tables.cell_notes import future_dates
from ml.tables.column_kinds import find_kinds
from ml.tables.table import Choice, Table, infer_inputs, read_labelled
from ml.training.ladder import TypedTable
from ml.training.leakage import Findings, find_leaks
from ml.training.split import cut_of


@dataclass(frozen=True)
class OwnTable:
    """Ready to train on, and all that was found out on the way, in words."""

    typed: TypedTable
    raw: Table
    findings: Findings
    notes: tuple[str, ...]
    moment: Input | None

    @property
    def cut(self) -> int:
        return cut_of(len(self.raw.labels))


def read_own_table(path: Path, choice: Choice, *, seed: int = 0, now: datetime | None = None) -> OwnTable:
    """Reads a file and leaves out what must not teach. With `now`, dates after it are told.

    Raises:
        BadInput: names the file, the column or the line, and what to do.
    """
    raw = read_labelled(path, choice)
    cut = cut_of(len(raw.labels))
    inputs, told = infer_inputs(raw, cut)
    frame = typed_frame(inputs, raw.rows)
    findings = find_leaks(
        frame, inputs, raw.labels, cut=cut, times=raw.times, groups=raw.ids, changed_at=_dates(frame, inputs), closed_at=raw.closed,
        keep=choice.keep, outcomes=raw.outcomes, seed=seed,
    )  # fmt: skip
    kept = tuple(column for column in inputs if column.name not in findings.left_out)
    if not kept:
        shown = "; ".join(f"{suspect.column}: {suspect.evidence.rstrip('.')}" for suspect in findings.suspects[:3])
        raise BadInput(f"every column seems to know the answer ({shown}); add columns known before it, or keep some: --keep A,B")
    moment = _moment(raw, choice)
    noted = (*raw.notes, *_order(choice, kept), *told, *(() if now is None else _future(frame, inputs, raw, moment, now)))
    taught = _with_moments(frame.select([column.name for column in kept]), kept, raw)
    ids = None if raw.ids is None else pl.Series([str(one) for one in raw.ids])
    typed = TypedTable(kept, taught, raw.labels, raw.times, raw.ids, ids, raw.order)
    return OwnTable(typed, raw, findings, noted, moment)


def _dates(frame: pl.DataFrame, inputs: tuple[Input, ...]) -> dict[str, Floats]:
    """A date says itself when it was written, at the earliest but for plans: one after the outcome was not known before it."""
    return {column.name: frame[column.name].fill_null(np.nan).to_numpy() for column in inputs if column.kind is InputKind.DATE}


def _order(choice: Choice, inputs: tuple[Input, ...]) -> tuple[str, ...]:
    """That the order of the rows matters, where nobody said what it is."""
    if choice.time is not None:
        return ()
    dates = [column.name for column in inputs if column.kind is InputKind.DATE]
    instead = f"; if it is not, name the column that says when, as --time {shlex.quote(dates[0])}" if dates else ""
    return (f"the first row is taken as the oldest, the last as the newest{instead}",)


def _future(frame: pl.DataFrame, inputs: tuple[Input, ...], raw: Table, moment: Input | None, now: datetime) -> list[str]:
    if moment is None:
        return future_dates(inputs, frame, now)
    return future_dates((*inputs, moment), frame.with_columns(pl.Series(moment.name, raw.times)), now)


def _moment(raw: Table, choice: Choice) -> Input | None:
    if choice.time is None or raw.times is None:
        return None
    return find_kinds(raw.rows.select(choice.time), keep=(choice.time,))[0].input


def _with_moments(frame: pl.DataFrame, inputs: tuple[Input, ...], raw: Table) -> pl.DataFrame:
    """Adds each row's own moment where dates are to become durations up to it."""
    if raw.times is None or not any(column.kind is InputKind.DATE for column in inputs):
        return frame
    return frame.with_columns(pl.Series(AS_OF, raw.times))
