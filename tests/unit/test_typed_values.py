"""One value and a whole column of them become the same, whatever they are written like."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import BadInput
from ml.features.date_text import DateForm
from ml.features.inputs import TYPES, Input, InputKind, typed_frame, typed_rows, typed_value
from ml.features.words import FALSE_WORDS, MISSING_QUANTITIES, SPACES, TRUE_WORDS

NUMBER, BOOLEAN, CATEGORY, DATE, TEXT = (Input(name="x", kind=kind) for kind in InputKind)
DATES = tuple(Input(name="x", kind=InputKind.DATE, date_form=form) for form in DateForm)
NUMBERS = tuple(
    Input(name="x", kind=InputKind.NUMBER, decimal=decimal, thousands=thousands, unit=unit)
    for decimal in (".", ",")
    for thousands in ("", ".", ",", " ", "'")
    for unit in ("", "€", "$", "EUR", "%")
    if decimal != thousands
)
ANY_COLUMN = (*NUMBERS, *DATES, BOOLEAN, CATEGORY, TEXT)
HALF_A_PAIR = "\ud83d"

PIECES = st.text("0123456789", min_size=1, max_size=6) | st.sampled_from(
    [*"+-\u2212.,eE'\u2019 \xa0\u202f\t%€$:/TZ", "EUR", "1e5", "000", "12", "31", "2026", "01", "NaN", "inf", "Jan", "true", "n/a",
     "\ufeff", "\u0663", "\uff11", "\x1c", "am", " PM", "+01:00", "UTC", "0.0"]
)  # fmt: skip
TEXTS = (
    st.lists(PIECES, max_size=10).map("".join)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.floats().map(str)
    | st.integers().map(str)
    | st.datetimes().map(str)
    | st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
    | st.dates().map(lambda day: day.strftime("%d/%m/%Y"))
    | st.datetimes().map(lambda moment: moment.strftime("%m/%d/%Y %H:%M"))
    | st.sampled_from(sorted(MISSING_QUANTITIES | TRUE_WORDS | FALSE_WORDS)).map(str.title)
)
MOMENTS = st.none() | st.datetimes()
COLUMNS = st.one_of(
    st.lists(st.none() | st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1)).map(pl.Series),
    st.lists(st.none() | st.integers(10**12, 2 * 10**12) | st.integers(19000101, 20301231)).map(pl.Series),
    st.lists(st.none() | st.floats() | st.sampled_from([0.0, -0.0, 1.0, 1e15])).map(
        lambda cells: pl.Series(cells, dtype=pl.Float64)
    ),
    st.lists(st.none() | st.booleans()).map(lambda cells: pl.Series(cells, dtype=pl.Boolean)),
    st.lists(st.none() | st.dates()).map(lambda cells: pl.Series(cells, dtype=pl.Date)),
    st.lists(MOMENTS).map(lambda cells: pl.Series(cells, dtype=pl.Datetime("us"))),
    st.lists(MOMENTS).map(lambda cells: pl.Series(cells, dtype=pl.Datetime("us", "UTC"))),
    st.lists(st.sampled_from(["a", "1.0", "yes", None])).map(lambda cells: pl.Series(cells, dtype=pl.Categorical)),
    st.lists(st.lists(st.integers(0, 3))).map(lambda cells: pl.Series(cells, dtype=pl.List(pl.Int64))),
)


def one(column: Input, value: Any) -> float | str | None:
    return typed_value(column, value, strictly=False)


def whole(column: Input, cells: list[Any] | pl.Series) -> list[Any]:
    frame = typed_frame([column], pl.DataFrame({"x": cells if isinstance(cells, pl.Series) else pl.Series(cells)}))
    assert frame.schema == {"x": TYPES[column.kind]}
    return frame["x"].to_list()


@settings(max_examples=300)
@given(st.sampled_from(ANY_COLUMN), st.lists(TEXTS, min_size=1, max_size=30))
def test_a_text_means_the_same_alone_and_in_a_table(column: Input, texts: list[str]) -> None:
    assert whole(column, texts) == [one(column, text) for text in texts]


@settings(max_examples=200)
@given(st.sampled_from((*NUMBERS[:2], *DATES, BOOLEAN, CATEGORY, TEXT)), COLUMNS)
def test_a_typed_cell_means_the_same_alone_and_in_a_table(column: Input, cells: pl.Series) -> None:
    assert whole(column, cells) == [one(column, value) for value in cells.to_list()]


@given(TEXTS)
def test_spaces_around_a_text_mean_nothing(text: str) -> None:
    for column in ANY_COLUMN:
        assert one(column, f"{SPACES}{text}\xa0\ufeff") == one(column, text)


@given(st.one_of(TEXTS, st.integers(), st.floats(), st.booleans(), st.none(), st.dates(), st.lists(st.integers())))
def test_strictness_only_adds_errors(value: Any) -> None:
    for column in (NUMBER, BOOLEAN, CATEGORY, DATE, TEXT):
        try:
            assert typed_value(column, value, strictly=True) == one(column, value)
        except BadInput as error:
            assert one(column, value) is None
            assert error.field == "x"  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "unit", "number"),
    [
        ("12", ".", "", "", 12), (" 12 ", ".", "", "", 12), ("+1.5", ".", "", "", 1.5), (".5", ".", "", "", 0.5),
        ("1.", ".", "", "", 1), ("1e5", ".", "", "", 1e5), ("-2E-3", ".", "", "", -0.002), ("\u22125", ".", "", "", -5),
        ("1,5", ",", "", "", 1.5), ("1.234,5", ",", ".", "", 1234.5), ("1.234", ",", ".", "", 1234), ("1.23", ",", ".", "", 1.23),
        ("1234.5", ",", ".", "", 1234.5), ("1,234,567.89", ".", ",", "", 1234567.89), ("12,34", ".", ",", "", None),
        ("1 234,5", ",", " ", "", 1234.5), ("1\u202f234,5", ",", " ", "", 1234.5), ("1’234.50", ".", "'", "", 1234.5),
        ("€ 5", ".", "", "€", 5), ("5 €", ".", "", "€", 5), ("-$5.50", ".", "", "$", -5.5), ("$-5.50", ".", "", "$", -5.5),
        ("12 %", ".", "", "%", 12), ("12", ".", "", "%", 12), ("5 €", ".", "", "", None), ("5 $", ".", "", "€", None),
        ("1,5", ".", "", "", None), ("--5", ".", "", "€", None), ("1_000", ".", "", "", None), ("\u0663", ".", "", "", None),
        ("0x10", ".", "", "", None), ("inf", ".", "", "", None), ("1e999", ".", "", "", None), ("1e16", ".", "", "", None),
        ("five", ".", "", "", None),
    ],
)  # fmt: skip
def test_numbers_as_they_are_written(text: str, decimal: Any, thousands: Any, unit: str, number: float | None) -> None:
    column = Input(name="x", kind=InputKind.NUMBER, decimal=decimal, thousands=thousands, unit=unit)
    assert one(column, text) == number
    assert whole(column, [text]) == [number]


MOMENT = datetime(2026, 1, 2, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "form", "moment"),
    [
        ("2026-01-02", DateForm.ISO, datetime(2026, 1, 2)), ("2026/1/2", DateForm.ISO, datetime(2026, 1, 2)),
        ("20260102", DateForm.ISO, datetime(2026, 1, 2)), ("2026-01", DateForm.ISO, datetime(2026, 1, 1)),
        ("2026-01-02T15:30:00Z", DateForm.ISO, MOMENT), ("2026-01-02 15:30", DateForm.ISO, MOMENT),
        ("2026-01-02T15:30:00.000+0000", DateForm.ISO, MOMENT), ("2026-01-02T17:30:00+02:00", DateForm.ISO, MOMENT),
        ("2026-01-02 10:00:00.0-0530", DateForm.ISO, MOMENT), ("2026-01-02 15:30:00 UTC", DateForm.ISO, MOMENT),
        ("2.1.2026", DateForm.DAY_FIRST, datetime(2026, 1, 2)), ("02/01/26", DateForm.DAY_FIRST, datetime(2026, 1, 2)),
        ("02.01.2026, 15:30", DateForm.DAY_FIRST, MOMENT), ("02-01-2026 15:30:00", DateForm.DAY_FIRST, MOMENT),
        ("1/2/2026 3:30 PM", DateForm.MONTH_FIRST, MOMENT), ("01/02/2026 15:30", DateForm.MONTH_FIRST, MOMENT),
        ("2 Jan 2026", DateForm.ISO, datetime(2026, 1, 2)), ("02-JAN-26", DateForm.ISO, datetime(2026, 1, 2)),
        ("January 2, 2026", DateForm.DAY_FIRST, datetime(2026, 1, 2)), ("2. January 2026", DateForm.ISO, datetime(2026, 1, 2)),
        (str(int(MOMENT.timestamp())), DateForm.EPOCH_S, MOMENT),
        (str(int(MOMENT.timestamp() * 1000)), DateForm.EPOCH_MS, MOMENT),
        (str(int(MOMENT.timestamp() * 1000)), DateForm.DAY_FIRST, MOMENT), ("2026-01-02 15:30", DateForm.EPOCH_MS, MOMENT),
        ("31/12/1969", DateForm.DAY_FIRST, datetime(1969, 12, 31)), ("1/1/69", DateForm.DAY_FIRST, datetime(1969, 1, 1)),
        ("1/2/2026", DateForm.ISO, None), ("13/2/2026", DateForm.MONTH_FIRST, None), ("2026-02-30", DateForm.ISO, None),
        ("2026-01-02 24:00:00", DateForm.ISO, None), ("2026-01-02T10:61", DateForm.ISO, None), ("0000-00-00", DateForm.ISO, None),
        ("12", DateForm.ISO, None), ("soon", DateForm.ISO, None), ("13:00 PM", DateForm.ISO, None),
        ("1/2-2026", DateForm.DAY_FIRST, None), ("20261302", DateForm.ISO, None), ("2026-01-02 13:30 PM", DateForm.ISO, None),
    ],
)  # fmt: skip
def test_dates_as_they_are_written(text: str, form: DateForm, moment: datetime | None) -> None:
    column = Input(name="x", kind=InputKind.DATE, date_form=form)
    days = None if moment is None else moment.replace(tzinfo=UTC).timestamp() / 86_400
    assert one(column, text) == days
    assert whole(column, [text]) == [days]


@pytest.mark.parametrize(
    ("value", "days"),
    [
        (date(1970, 1, 3), 2.0),
        (datetime(1970, 1, 1, 12), 0.5),
        (datetime(1970, 1, 2, 1, tzinfo=timezone(timedelta(hours=1))), 1.0),
        (86_400_000 * 20_000, 20_000.0),
        (20_240_229, 19_782.0),
        (20_230_229, None),
        (12, None),
        (True, None),
        (math.nan, None),
        (10**18, None),
    ],
)
def test_a_date_of_any_type(value: Any, days: float | None) -> None:
    assert one(DATE, value) == days


@pytest.mark.parametrize("value", [1, 1.0, "1", "1.0", " 1 ", "1.00", Decimal("1.0"), np.int64(1), np.float64(1)])
def test_a_number_means_one_category_however_it_is_given(value: Any) -> None:
    assert one(CATEGORY, value) == "1"


@pytest.mark.parametrize(
    ("value", "category"),
    [
        (True, "true"), ("TRUE", "true"), ("False", "false"), (1.5, "1.5"), ("Yes", "Yes"), (0.0, "0"), (-0.0, "0"), ("007", "007"),
        ("1.10", "1.10"), (date(2026, 1, 2), "2026-01-02"),
    ],
)  # fmt: skip
def test_categories_of_any_type(value: Any, category: str) -> None:
    assert one(CATEGORY, value) == category


@pytest.mark.parametrize("value", [[1], {"a": 1}, (1,), math.nan, math.inf, 10**400, b"1", timedelta(1), HALF_A_PAIR])
@pytest.mark.parametrize("column", [NUMBER, BOOLEAN, CATEGORY, DATE, TEXT], ids=lambda column: column.kind)
def test_what_is_no_value_is_refused_strictly_and_missing_otherwise(column: Input, value: Any) -> None:
    assert one(column, value) is None
    with pytest.raises(BadInput, match=r"^x: must be "):
        typed_value(column, value, strictly=True)


@pytest.mark.parametrize("word", ["NA", "None", "unknown"])
def test_a_word_that_may_be_an_answer_is_missing_among_numbers_only(word: str) -> None:
    assert one(CATEGORY, word) == word
    assert typed_value(NUMBER, word, strictly=True) is None
    assert typed_value(DATE, word, strictly=True) is None


@pytest.mark.parametrize("word", ["", "N/A", "#N/A", "NaN", "null", "<NA>", "\\N", "-", "?", "NaT"])
def test_a_word_for_an_empty_cell_is_missing_everywhere(word: str) -> None:
    for column in ANY_COLUMN:
        assert typed_value(column, word, strictly=True) is None
        assert whole(column, [word, "x"])[0] is None


def test_few_rows_become_a_typed_frame_in_the_order_of_the_inputs() -> None:
    inputs = tuple(Input(name=kind, kind=kind) for kind in InputKind)
    rows = [{"text": " hi ", "number": "3", "other": 1}, {"category": 7, "boolean": "yes", "date": "1970-01-02"}]
    frame = typed_rows(inputs, rows)
    assert frame.schema == {kind: TYPES[kind] for kind in InputKind}
    assert frame.rows() == [(3.0, None, None, None, "hi"), (None, 1.0, "7", 1.0, None)]
    assert frame.equals(
        typed_frame(
            inputs,
            pl.DataFrame(
                [{"text": " hi ", "number": "3"}, {"boolean": "yes", "date": "1970-01-02", "category": 7}], infer_schema_length=None
            ),
        )
    )


def test_no_rows_become_an_empty_typed_frame() -> None:
    assert typed_rows([NUMBER, DATE.model_copy(update={"name": "y"})], []).schema == {"x": pl.Float64, "y": pl.Float64}


def test_a_wrong_value_in_a_row_is_an_error_only_strictly() -> None:
    assert typed_rows([NUMBER], [{"x": "many"}])["x"].to_list() == [None]
    with pytest.raises(BadInput, match="x: must be a number, not 'many'"):
        typed_rows([NUMBER], [{"x": "many"}], strictly=True)


def test_a_column_that_is_not_there_is_null_and_others_are_passed_over() -> None:
    frame = typed_frame([NUMBER, CATEGORY.model_copy(update={"name": "gone"})], pl.DataFrame({"x": [1, 2], "new": ["a", "b"]}))
    assert frame.to_dict(as_series=False) == {"x": [1.0, 2.0], "gone": [None, None]}
    assert frame.schema["gone"] == pl.String


def test_moments_beyond_the_calendar_are_missing() -> None:
    far = pl.Series([10**18, 0]).cast(pl.Datetime("us"))
    assert whole(DATE, far) == [None, 0.0]


def test_nanoseconds_and_zones_are_the_same_moment() -> None:
    utc = pl.Series([MOMENT])
    assert whole(DATE, utc.dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ns")) == whole(DATE, utc) == [one(DATE, MOMENT)]
