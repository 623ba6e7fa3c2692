"""Finds what each column of a table holds: number, truth, date, category, free text, or nothing to learn from.

Rules in their order: all missing or one value only; truths; numbers (with codes, epochs and identifiers among them);
dates; free text; identifiers; and what is left is a category. Whatever is not plain is said in a note.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.features.date_text import DateForm
from ml.features.inputs import Input, InputKind, typed_series, typed_value
from ml.features.words import FALSE_WORDS, MISSING_QUANTITIES, MISSING_TRUTHS, MISSING_WORDS, SPACES, TRUE_WORDS
from ml.tables.column_names import is_code_name, is_id_name, is_moment_name
from ml.tables.column_notes import Found
from ml.tables.written_forms import Marks, doubt, find_date_form, find_marks, proven_decimal

# Of the cells that are not empty, to be a column of numbers (or dates) with a few words in it; and of a sample, which may
# by chance hold more words than the column.
NUMERIC_SHARE = 0.95
SAMPLE_SHARE = 0.8
SAMPLE = 300
# Of a column of words: from here on the numbers in it are worth a note.
MIXED_SHARE = 0.2
# A value seen this seldom teaches nothing; nor does the absence of one.
RAREST = 10
MOST_CATEGORIES = 200
# Fewer rows than this do not tell an identifier from a column that happens to have no value twice.
FEWEST_TO_TELL = 10
UNIQUE_SHARE = 0.9
E_MAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
E_MAIL_UNIQUE_SHARE = 0.5
# A running number: nearly all steps go the same way, and few numbers are left out.
STEPS_SHARE = 0.95
GAPS_FACTOR = 1.1
# Text is many words and hardly ever the same ones; a list to pick from has long entries too, but repeats them.
TEXT_WORDS = 4
TEXT_DISTINCT_SHARE = 0.2
# Epochs from the year 2000 to 2100, in seconds.
FIRST_EPOCH, LAST_EPOCH = 946_684_800, 4_102_444_800
# A whole number that begins with a zero is a code: 00123, a postal code, a telephone number.
LEADING_ZERO = re.compile("0[0-9 ]+")
CODE_SHARE = 0.02

EMPTY = "no values at all"
CONSTANT = "one value only"
UNREAD = "neither text nor numbers nor dates"
RUNNING = "an identifier: a running number"
NUMBERED = "an identifier: a number by that name, different in nearly every row"
NAMED = "an identifier or a name: different in nearly every row"
MAILED = "an identifier: e-mail addresses"


@dataclass(frozen=True)
class Column:
    """One column of the training part. `values` are its different values that are not missing, `counts` how often each.

    `held`: how many cells are not missing, where a value counts once for an identity, however many rows that has.
    """

    name: str
    rows: int
    values: pl.Series
    counts: pl.Series
    held: int

    @cached_property
    def present(self) -> int:
        return int(self.counts.sum())

    @property
    def distinct_share(self) -> float:
        return len(self.values) / max(self.held, 1)

    @property
    def rarest(self) -> int:
        return min(RAREST, max(2, self.rows // 100))

    @cached_property
    def sample(self) -> dict[str, int]:
        """Some of the values, from all over the column, with their counts: enough to tell how they are written."""
        step = max(1, len(self.values) // SAMPLE)
        return dict(zip(self.values.gather_every(step), self.counts.gather_every(step), strict=True))

    def share(self, which: pl.Series) -> float:
        """Of the cells that are not missing, those whose value is `which`."""
        return float(self.counts.filter(which).sum()) / max(self.present, 1)

    def sample_share(self, holds: Callable[[str], object]) -> float:
        """The same for the sample, and any question that Python can answer."""
        return sum(count for value, count in self.sample.items() if holds(value)) / max(sum(self.sample.values()), 1)


def find_kinds(
    frame: pl.DataFrame,
    keep: Collection[str] = (),
    *,
    categories: Collection[str] = (),
    identities: NDArray[Any] | None = None,
) -> list[Found]:
    """What every column of the frame holds, in the frame's order. Identifiers in `keep` are taken as what they look like, and
    columns in `categories` as words, whatever they look like.

    `identities`: whose each row is, where one may have several: an e-mail address in three rows of one person is a name still.
    """
    owners = None if identities is None else pl.Series("owner", np.unique(identities.astype(str), return_inverse=True)[1])
    columns = [_column(series, owners) for series in frame]
    decimal = proven_decimal(_proof(column) for column in columns if column.values.dtype == pl.String)
    return [
        _category(column) if column.name in categories else _found(column, decimal, kept=column.name in keep) for column in columns
    ]


def _column(series: pl.Series, owners: pl.Series | None) -> Column:
    if isinstance(series.dtype, pl.Categorical | pl.Enum):
        series = series.cast(pl.String)
    value, there = pl.col("value"), pl.col("value").is_not_null()
    cells = value
    if series.dtype == pl.String:
        cells = value.str.strip_chars(SPACES)
        there &= ~value.str.to_lowercase().is_in(list(MISSING_WORDS))
    elif series.dtype.is_float():
        there &= value.is_not_nan()
    frame = series.alias("value").to_frame().lazy()
    counted = frame.group_by(cells, maintain_order=True).len("count").filter(there).collect()
    held = int(counted["count"].sum())
    if owners is not None:
        held = frame.with_columns(owners).filter(there).select(pl.struct("owner", cells).n_unique()).collect().item()
    return Column(series.name, len(series), counted["value"], counted["count"], held)


def _is_word(texts: pl.Series, words: Collection[str]) -> pl.Series:
    return texts.str.to_lowercase().is_in(list(words)).fill_null(value=False)


def _proof(column: Column) -> str | None:
    """The decimal mark that a column of numbers proves for its file; None where it proves none."""
    if not _may_be_quantities(column):
        return None
    marks, proof = find_marks(list(column.sample), None)
    return proof if proof and _reads(column, Input(name=column.name, kind=InputKind.NUMBER, **vars(marks))) else None


def _category(column: Column) -> Found:
    reason = _teaches_nothing(column)
    return Found(column.name, reason=reason) if reason else _of_kind(column, InputKind.CATEGORY, "codes, as you say")


def _teaches_nothing(column: Column) -> str:
    if column.values.is_empty():
        return EMPTY
    return CONSTANT if len(column.values) == 1 and min(column.rows - column.present, column.present) < column.rarest else ""


def _found(column: Column, decimal: str | None, *, kept: bool) -> Found:
    if reason := _teaches_nothing(column):
        return Found(column.name, reason=reason)
    dtype = column.values.dtype
    if dtype == pl.Boolean:
        return _of_kind(column, InputKind.BOOLEAN)
    if dtype.is_numeric():
        return _number(column, Marks(), typed_series(Input(name=column.name, kind=InputKind.NUMBER), column.values), kept=kept)
    if dtype in (pl.Date, pl.Datetime):
        return _of_kind(column, InputKind.DATE)
    if dtype != pl.String:
        return Found(column.name, reason=UNREAD)
    if _is_boolean(column):
        return _of_kind(column, InputKind.BOOLEAN)
    found = _quantity(column, decimal, kept=kept) if _may_be_quantities(column) else None
    return found or _with_mixture(column, decimal, _words(column, kept=kept))


def _is_boolean(column: Column) -> bool:
    """Words for true and false; 0 and 1 alone stay numbers, since a count may have nothing else yet."""
    if len(column.values) > MOST_CATEGORIES:
        return False
    words = {value.lower() for value in column.sample} - MISSING_TRUTHS
    return bool(words) and words <= TRUE_WORDS | FALSE_WORDS and not words <= {"0", "1", "0.0", "1.0"}


def _may_be_quantities(column: Column) -> bool:
    """A quick look that spares most columns of words the rest; codes with leading zeros are words."""
    digits = column.sample_share(lambda value: any(map(str.isdigit, value)) or value.lower() in MISSING_QUANTITIES)
    return digits >= SAMPLE_SHARE and column.sample_share(LEADING_ZERO.fullmatch) < CODE_SHARE


def _reads(column: Column, wanted: Input) -> bool:
    """Whether most of the sample is of the kind, as far as it is not missing."""
    typed = column.sample_share(lambda value: typed_value(wanted, value, strictly=False) is not None)
    missing = column.sample_share(lambda value: value.lower() in MISSING_QUANTITIES)
    return typed > 0 and typed >= SAMPLE_SHARE * (1 - missing)


def _quantity(column: Column, decimal: str | None, *, kept: bool) -> Found | None:
    """A column of texts as numbers or as dates; None where it is neither."""
    marks, _ = find_marks(list(column.sample), decimal)
    form, note = find_date_form(list(column.sample))
    number = Input(name=column.name, kind=InputKind.NUMBER, **vars(marks))
    date = Input(name=column.name, kind=InputKind.DATE, date_form=form)
    for wanted in (number, date):
        if not _reads(column, wanted):
            continue
        known = _without(column, MISSING_QUANTITIES)
        typed = typed_series(wanted, known.values)
        if known.share(typed.is_not_null()) < NUMERIC_SHARE:
            continue
        if wanted is number:
            return _doubted(_number(known, marks, typed, kept=kept), doubt(list(column.sample), marks, decimal))
        return Found(column.name, date, note=_joined(note, _strays(known, typed, "dates")))
    return None


def _doubted(found: Found, note: str) -> Found:
    return replace(found, note=_joined(found.note, note)) if found.input is not None and note else found


def _number(column: Column, marks: Marks, numbers: pl.Series, *, kept: bool) -> Found:
    """A column of numbers: amounts, or what is written with digits only. `numbers` are its values as numbers."""
    known = numbers.drop_nulls()
    if known.is_empty():
        return Found(column.name, reason=EMPTY)
    whole = bool((known == known.floor()).all())
    note = _joined(marks.words, _strays(column, numbers, "numbers"))
    if marks == Marks() and (form := _moments(column.name, known, whole=whole)):
        return Found(
            column.name, Input(name=column.name, kind=InputKind.DATE, date_form=form), note=_joined("dates as numbers", note)
        )
    if whole and not kept and (reason := _identifies(column, known.to_numpy())):
        return Found(column.name, reason=reason)
    if whole and is_code_name(column.name) and len(numbers) > 2:
        return _of_kind(column, InputKind.CATEGORY, "codes, not amounts")
    return Found(column.name, Input(name=column.name, kind=InputKind.NUMBER, **vars(marks)), note=note)


def _moments(name: str, numbers: pl.Series, *, whole: bool) -> DateForm | None:
    """The form of numbers that are moments: milliseconds are in a range of their own, seconds need the name too."""
    low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    if low >= FIRST_EPOCH * 1000 and high < LAST_EPOCH * 1000 and not is_id_name(name):
        return DateForm.EPOCH_MS
    if low >= FIRST_EPOCH and high < LAST_EPOCH and is_moment_name(name):
        return DateForm.EPOCH_S
    if whole and low >= 1900_01_01 and high <= 2100_12_31:
        days = typed_series(Input(name=name, kind=InputKind.DATE), numbers)
        return DateForm.ISO if days.null_count() == 0 else None
    return None


def _identifies(column: Column, numbers: NDArray[np.float64]) -> str:
    """Why whole numbers are an identifier; '' where they are not. Amounts may well be different in every row."""
    if column.present < FEWEST_TO_TELL or column.distinct_share < UNIQUE_SHARE:
        return ""
    if is_id_name(column.name):
        return NUMBERED
    steps = np.sign(np.diff(numbers))
    one_way = abs(steps.sum()) >= (2 * STEPS_SHARE - 1) * len(steps)
    return RUNNING if one_way and np.ptp(numbers) + 1 <= GAPS_FACTOR * len(numbers) else ""


def _words(column: Column, *, kept: bool) -> Found:
    """Texts that are neither truths nor numbers nor dates."""
    spaces = column.values.str.count_matches(r"\s+")
    words = float((spaces * column.counts).sum()) / column.present + 1
    if words >= TEXT_WORDS and column.distinct_share >= TEXT_DISTINCT_SHARE:
        return _of_kind(column, InputKind.TEXT)
    if column.present >= FEWEST_TO_TELL and not kept:
        mails = column.share(column.values.str.contains(E_MAIL))
        if mails >= NUMERIC_SHARE and column.distinct_share >= E_MAIL_UNIQUE_SHARE:
            return Found(column.name, reason=MAILED)
        if column.distinct_share >= UNIQUE_SHARE:
            return Found(column.name, reason=NAMED)
    return _of_kind(column, InputKind.CATEGORY)


def _with_mixture(column: Column, decimal: str | None, found: Found) -> Found:
    """Says of a column of words that many of them are numbers: more often a mistake in the file than not."""
    if not column.sample_share(lambda value: any(map(str.isdigit, value))) or column.sample_share(LEADING_ZERO.fullmatch):
        return found
    marks, _ = find_marks(list(column.sample), decimal)
    number = Input(name=column.name, kind=InputKind.NUMBER, **vars(marks))
    share = column.sample_share(lambda value: typed_value(number, value, strictly=False) is not None)
    if not MIXED_SHARE <= share < 1:
        return found
    other = next(value for value in column.sample if typed_value(number, value, strictly=False) is None)
    note = f"a mixture: {share:.0%} of the values are numbers, others are not, as {other[:30]!r}, so all are read as words"
    return replace(found, reason=f"{found.reason}; {note}") if found.reason else replace(found, note=_joined(found.note, note))


def _of_kind(column: Column, kind: InputKind, note: str = "") -> Found:
    return Found(column.name, Input(name=column.name, kind=kind), note=note)


def _without(column: Column, words: Collection[str]) -> Column:
    there = ~_is_word(column.values, words)
    return Column(column.name, column.rows, column.values.filter(there), column.counts.filter(there), column.held)


def _strays(column: Column, typed: pl.Series, what: str) -> str:
    """The note on cells that are not what the column holds; '' if there are none."""
    strays = column.values.filter(typed.is_null())
    if strays.is_empty():
        return ""
    count = int(column.counts.filter(typed.is_null()).sum())
    return f"{count:,} of {column.present:,} values are no {what} and count as missing, as {str(strays[0])[:30]!r}"


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))
