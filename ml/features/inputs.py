"""What a version expects in each column, and how a value from anywhere becomes the value that a learner sees.

The same rules serve training (the text of a CSV, the types of a Parquet file), serving (JSON) and the CRM (which keeps
numbers as text), so the same fact always becomes the same value: one at a time (`typed_value`), for a few rows of a
request (`typed_rows`) and for a whole table (`typed_frame`).

A typed frame has one column per input: NUMBER, BOOLEAN (0 or 1) and DATE (days since 1970-01-01 UTC, with a fraction) as
Float64, CATEGORY and TEXT as trimmed String. Null is missing; there is never a NaN.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from data.errors import BadInput
from ml.features.date_text import (
    DateForm,
    days_of_datetime,
    days_of_number,
    days_of_temporal,
    parse_date,
    read_dates,
)
from ml.features.number_text import parse_number, read_numbers
from ml.features.words import FALSE_WORDS, LONGEST_WORD, MISSING_QUANTITIES, MISSING_TRUTHS, MISSING_WORDS, SPACES, TRUE_WORDS

# XGBoost computes in 32-bit floats and refuses infinities; nothing a CRM counts comes near this.
LARGEST_NUMBER = 1e15


class InputKind(StrEnum):
    NUMBER = "number"
    BOOLEAN = "boolean"
    CATEGORY = "category"
    DATE = "date"
    TEXT = "text"


class Input(BaseModel):
    """One column of a version's input schema, and how its values are written.

    `decimal`, `thousands` and `unit` are the marks of a NUMBER, `date_form` the form of a DATE.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: InputKind
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    unit: str = ""
    date_form: DateForm = DateForm.ISO


# 1.0 and 7.00, as programs write whole numbers that shared a column with missing ones.
WHOLE_NUMBER = re.compile("(-?[0-9]+)[.]0+")
MISSING_IN = {
    InputKind.NUMBER: MISSING_QUANTITIES,
    InputKind.DATE: MISSING_QUANTITIES,
    InputKind.BOOLEAN: MISSING_TRUTHS,
    InputKind.CATEGORY: MISSING_WORDS,
    InputKind.TEXT: MISSING_WORDS,
}
TYPES: dict[InputKind, type[pl.DataType]] = {
    kind: pl.String if kind in {InputKind.CATEGORY, InputKind.TEXT} else pl.Float64 for kind in InputKind
}
WANTED = {
    InputKind.NUMBER: "a number",
    InputKind.BOOLEAN: "true or false",
    InputKind.CATEGORY: "a category",
    InputKind.DATE: "a date, as 2026-01-31T12:00:00Z",
    InputKind.TEXT: "a text",
}


def typed_value(column: Input, value: Any, *, strictly: bool) -> float | str | None:
    """One value from anywhere, typed as the column: None where it is missing, and where it is not of the column's kind.

    Raises:
        BadInput: strictly only; the value is not of the column's kind, or a number too large to mean anything.
    """
    if isinstance(value, str):
        text = value.strip(SPACES)
        if is_missing(text, column.kind):
            return None
        found = _of_text(column, text)
    elif value is None:
        return None
    else:
        found = _of_object(column, value)
    if found is None and strictly:
        raise _wrong(column, value)
    return found


def unread(inputs: Sequence[Input], row: Mapping[str, Any]) -> list[str]:
    """The inputs that are told something that is not of their kind, and so counts as missing."""
    return [column.name for column in inputs if _is_told(column, value := row.get(column.name)) and _is_not_read(column, value)]


def _is_told(column: Input, value: Any) -> bool:
    return not is_missing(value.strip(SPACES), column.kind) if isinstance(value, str) else value is not None


def _is_not_read(column: Input, value: Any) -> bool:
    return typed_value(column, value, strictly=False) is None


def typed_rows(inputs: Sequence[Input], rows: Sequence[Mapping[str, Any]], *, strictly: bool = False) -> pl.DataFrame:
    """A typed frame of a few rows, as requests bring them: len(rows) x len(inputs).

    Raises:
        BadInput: strictly only; names the field.
    """
    table = [tuple([typed_value(column, row.get(column.name), strictly=strictly) for column in inputs]) for row in rows]
    return pl.DataFrame(table, schema={column.name: TYPES[column.kind] for column in inputs}, orient="row")


def typed_frame(inputs: Sequence[Input], frame: pl.DataFrame) -> pl.DataFrame:
    """A typed frame of a whole table, from columns of text or of any other type. A column that is not there is null."""
    there = set(frame.columns)
    return pl.DataFrame(
        [
            typed_series(column, frame[column.name]) if column.name in there else _nothing(column, len(frame)).alias(column.name)
            for column in inputs
        ]
    )


def typed_series(column: Input, series: pl.Series) -> pl.Series:
    """`typed_value` of every cell; what Polars cannot do alone goes through `typed_value` once per different value."""
    if isinstance(series.dtype, pl.Categorical | pl.Enum):
        series = series.cast(pl.String)
    if series.dtype == pl.String:
        series = series.str.strip_chars(SPACES)
    quick = _quick(column, series)
    if quick is None:
        return _by_distinct(column, series).alias(column.name)
    if series.dtype == pl.String and column.kind is not InputKind.TEXT:
        rest = series.set(quick.is_not_null(), None)
        if rest.null_count() < len(rest):
            quick = quick.zip_with(quick.is_not_null(), _by_distinct(column, rest))
    return quick.alias(column.name)


def is_missing(text: str, kind: InputKind) -> bool:
    """Whether a trimmed text means that there is no value."""
    return len(text) <= LONGEST_WORD and text.lower() in MISSING_IN[kind]


def _of_text(column: Input, text: str) -> float | str | None:
    """The value of a trimmed text that is not missing."""
    match column.kind:
        case InputKind.NUMBER:
            return _within(parse_number(text, column.decimal, column.thousands, column.unit))
        case InputKind.BOOLEAN:
            word = text.lower()
            return 1.0 if word in TRUE_WORDS else 0.0 if word in FALSE_WORDS else None
        case InputKind.DATE:
            return parse_date(text, column.date_form)
        case InputKind.CATEGORY:
            return _category(text)
        case InputKind.TEXT:
            return text if _is_unicode(text) else None


def _of_object(column: Input, value: Any) -> float | str | None:
    """The value of what is no text: a number, a truth or a date from JSON, Parquet or Python."""
    written = column.kind in {InputKind.CATEGORY, InputKind.TEXT}
    if isinstance(value, date):
        return value.isoformat() if written else days_of_datetime(value) if column.kind is InputKind.DATE else None
    if isinstance(value, bool) and (written or column.kind is InputKind.DATE):
        return str(value).lower() if written else None
    number = None if isinstance(value, bytes | bytearray) else _within(_as_float(value))
    if number is None:
        return None
    if written:
        return _category(str(value + 0.0 if isinstance(value, float) else value))  # -0.0 is 0
    if column.kind is InputKind.DATE:
        return days_of_number(number, column.date_form)
    return number if column.kind is InputKind.NUMBER or number in {0.0, 1.0} else None


def _as_float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _within(number: float | None) -> float | None:
    return number if number is not None and abs(number) <= LARGEST_NUMBER else None  # also None for NaN


def _category(text: str) -> str | None:
    """One spelling for what JSON, CSV and a CRM write differently: 1, 1.0 and "1"; true and "True"."""
    if found := WHOLE_NUMBER.fullmatch(text):
        return found[1]
    if len(text) in {4, 5} and text.lower() in {"true", "false"}:
        return text.lower()
    return text if _is_unicode(text) else None


def _is_unicode(text: str) -> bool:
    """Half of a surrogate pair, as JSON may carry, is no character: neither a database nor Polars keeps it."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _quick(column: Input, series: pl.Series) -> pl.Series | None:
    """The column as far as Polars types it alone; None where each different value has to be looked at."""
    kind, dtype = column.kind, series.dtype
    if dtype.is_nested() or dtype in {pl.Null, pl.Binary, pl.Object}:
        return _nothing(column, len(series))
    if kind is InputKind.TEXT and dtype == pl.String:
        return series.set(series.str.to_lowercase().is_in(list(MISSING_WORDS)), None)
    if kind is InputKind.DATE and dtype in (pl.Date, pl.Datetime):
        return days_of_temporal(series)
    if kind is InputKind.DATE and dtype == pl.String:
        return read_dates(series, column.date_form)
    if kind is InputKind.NUMBER and dtype == pl.String:
        return _limited(read_numbers(series, column.decimal, column.thousands, column.unit))
    if kind in {InputKind.NUMBER, InputKind.BOOLEAN} and (dtype.is_numeric() or dtype == pl.Boolean):
        numbers = _limited(series.cast(pl.Float64))
        return numbers if kind is InputKind.NUMBER else numbers.set(~numbers.is_in([0.0, 1.0]), None)
    return None


def _limited(numbers: pl.Series) -> pl.Series:
    return numbers.set(~(numbers.abs() <= LARGEST_NUMBER), None)  # NaN is above everything in Polars


def _by_distinct(column: Input, series: pl.Series) -> pl.Series:
    values = series.unique().drop_nulls()
    if values.is_empty():
        return _nothing(column, len(series))
    typed = pl.Series([typed_value(column, value, strictly=False) for value in values.to_list()], dtype=TYPES[column.kind])
    return series.replace_strict(values, typed, default=None, return_dtype=TYPES[column.kind])


def _nothing(column: Input, length: int) -> pl.Series:
    return pl.Series([None], dtype=TYPES[column.kind]).new_from_index(0, length)


def _wrong(column: Input, value: Any) -> BadInput:
    wanted = WANTED[column.kind]
    if isinstance(value, dict | list | tuple):
        wanted = "a single value"
    elif column.kind is InputKind.NUMBER and isinstance(value, int | float):
        wanted = f"a number between -{LARGEST_NUMBER:g} and {LARGEST_NUMBER:g}"
    huge = isinstance(value, int) and abs(value) > LARGEST_NUMBER
    shown = f"an integer of {value.bit_length()} bits" if huge else str(value)[:40]
    return BadInput(f"{column.name}: must be {wanted}, not {shown!r}", field=column.name)
