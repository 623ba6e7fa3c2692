"""What a person should know of the cells of a typed frame: dates that are still to come, and cells that could not be read."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import polars as pl

from ml.features.date_text import datetime_of_days, days_of_datetime
from ml.features.inputs import MISSING_IN, Input, InputKind
from ml.features.words import SPACES

LONGEST_SHOWN = 30
KINDS = {InputKind.NUMBER: "numbers", InputKind.BOOLEAN: "words for true or false", InputKind.DATE: "dates"}


def future_dates(inputs: Iterable[Input], typed: pl.DataFrame, now: datetime) -> list[str]:
    """A note for each column with dates after `now`: right for a date that is planned, else a slip of the pen."""
    today = days_of_datetime(now)
    notes = []
    for column in inputs:
        if column.kind is not InputKind.DATE or column.name not in typed.columns:
            continue
        later = typed[column.name].filter(typed[column.name] > today)
        if len(later):
            last = datetime_of_days(float(later.max()))  # type: ignore[arg-type]
            notes.append(
                f"{column.name}: {len(later):,} of {typed[column.name].count():,} dates lie in the future (the last: "
                f"{last:%Y-%m-%d}); right for a date that is planned, else mend them"
            )
    return notes


def unread_cells(inputs: Sequence[Input], raw: pl.DataFrame, typed: pl.DataFrame) -> list[str]:
    """A note for each column with cells that are not of its kind, and so count as missing."""
    notes = []
    for column in inputs:
        if column.name not in raw.columns or column.kind not in KINDS:
            continue
        cells = raw[column.name]
        strays = cells.filter(_is_filled(cells, column.kind) & typed[column.name].is_null())
        if len(strays):
            notes.append(
                f"{column.name}: {len(strays):,} of {len(cells):,} cells are no {KINDS[column.kind]}, as it was in training, and "
                f"count as missing, as {str(strays[0])[:LONGEST_SHOWN]!r}"
            )
    return notes


def _is_filled(cells: pl.Series, kind: InputKind) -> pl.Series:
    if cells.dtype != pl.String:
        return cells.is_not_null()
    words = cells.str.strip_chars(SPACES)
    missing = words.str.to_lowercase().is_in(list(MISSING_IN[kind])) | (words == "")
    return ~missing.fill_null(value=True)
