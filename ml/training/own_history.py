"""From the warehouse's examples to what a training takes: every custom field typed by itself, leaks left out."""

from dataclasses import dataclass

import polars as pl

from data.errors import BadInput
from ml.features.date_text import days_of_temporal
from ml.features.inputs import Input, InputKind, typed_frame
from ml.preparation.base import AS_OF
from ml.tables.column_kinds import find_kinds
from ml.tables.column_notes import told
from ml.training.ladder import TypedTable
from ml.training.leakage import Findings, find_leaks
from ml.training.split import cut_of


@dataclass(frozen=True)
class HistoryTable:
    """Ready to train on. The groups of the rows are their entities; a row's name says of whom, and as of when."""

    typed: TypedTable
    findings: Findings
    notes: tuple[str, ...]
    moment: Input | None = None
    """What a row's own moment is called, where dates are durations up to it; serving says it then."""


def type_history(features: pl.DataFrame, examples: pl.DataFrame, *, keep: tuple[str, ...] = (), seed: int = 0) -> HistoryTable:
    """Features and labelled examples, row by row in the order of time -> a table to train on.

    Raises:
        BadInput: no column is left to learn from.
    """
    labels = examples["label"].cast(pl.Int64).to_numpy()
    times = days_of_temporal(examples["as_of"]).to_numpy()
    groups = examples["entity"].to_numpy()
    cut = cut_of(len(labels))
    found = find_kinds(features.head(cut), keep, identities=groups[:cut])
    inputs = tuple(one.input for one in found if one.input is not None)
    frame = typed_frame(inputs, features)
    findings = find_leaks(frame, inputs, labels, cut=cut, times=times, groups=groups, keep=keep, seed=seed)
    kept = tuple(column for column in inputs if column.name not in findings.left_out)
    if not kept:
        raise BadInput("the warehouse has no property that could teach: all are constant, identifiers or know the answer")
    typed = frame.select([column.name for column in kept])
    moment = None
    if any(column.kind is InputKind.DATE for column in kept):
        typed = typed.with_columns(pl.Series(AS_OF, times))
        moment = Input(name=AS_OF, kind=InputKind.DATE)
    ids = examples.select(pl.concat_str("entity", pl.col("as_of").dt.epoch("us"), separator=" ")).to_series()
    return HistoryTable(TypedTable(kept, typed, labels, times, groups, ids), findings, told(found), moment)
