"""What a column holds is found as a person would say it, and said."""

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.features.date_text import DateForm
from ml.features.inputs import InputKind, typed_series
from ml.tables.column_kinds import find_kinds
from ml.tables.column_notes import Found, told

ROWS = 200
RANDOM = random.Random(7)
AMOUNTS = [round(RANDOM.lognormvariate(8, 1), 2) for _ in range(ROWS)]
WHOLE_AMOUNTS = [RANDOM.randrange(10**6) for _ in range(ROWS)]
DAYS = [
    datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=RANDOM.randrange(500), minutes=RANDOM.randrange(1440)) for _ in range(ROWS)
]
NOTE = "spoke with {} for {} minutes, wants a second offer"


def found(name: str = "column", /, cells: Any = (), *, keep: bool = False, others: dict[str, Any] | None = None) -> Found:
    frame = pl.DataFrame({name: cells if isinstance(cells, pl.Series) else pl.Series(list(cells)), **(others or {})})
    return find_kinds(frame, keep=[name] if keep else [])[0]


def kind(name: str = "column", /, cells: Any = (), **options: Any) -> InputKind | str:
    one = found(name, cells, **options)
    return one.input.kind if one.input is not None else one.reason


def cycle(*cells: Any) -> list[Any]:
    return [cells[n % len(cells)] for n in range(ROWS)]


def text(cells: Any, pattern: str = "{}") -> list[str]:
    return [pattern.format(cell) for cell in cells]


@pytest.mark.parametrize(
    ("name", "cells", "wanted"),
    [
        ("amount", text(AMOUNTS), "number"),
        ("amount", text(WHOLE_AMOUNTS), "number"),
        ("visits", cycle("0", "1", "2"), "number"),
        ("SeniorCitizen", cycle("0", "1"), "number"),
        ("tier", cycle("1", "2", "3"), "number"),
        ("rate", cycle("5 %", "7 %"), "number"),
        ("visits", cycle("3", "unknown", "5"), "number"),
        ("visits", cycle("3", "NA", "", "5"), "number"),
        ("member", cycle("yes", "no"), "boolean"),
        ("member", cycle("Ja", "Nein", ""), "boolean"),
        ("member", cycle("TRUE", "false", "n/a"), "boolean"),
        ("member", cycle("oui", "non"), "boolean"),
        ("member", cycle("sí", "no"), "boolean"),
        ("newsletter", cycle("true", ""), "boolean"),
        ("default", cycle("yes", "no", "unknown"), "category"),
        ("channel", cycle("email", "direct", ""), "category"),
        ("gender", cycle("f", "m"), "category"),
        ("month", cycle("Jan", "Feb", "Mar"), "category"),
        ("plan", cycle("10-50", "50-100", "100+"), "category"),
        ("zip", text((n % 30 for n in range(ROWS)), "0{:04}"), "category"),
        ("owner_id", cycle("101", "205", "307"), "category"),
        ("country code", cycle("49", "33", "1"), "category"),
        ("company", text((n % 120 for n in range(ROWS)), "Firm {}"), "category"),
        ("created", text(day.date() for day in DAYS), "date"),
        ("created", text(day.isoformat() for day in DAYS), "date"),
        ("created", text(day.strftime("%d.%m.%Y") for day in DAYS), "date"),
        ("created", text(day.strftime("%m/%d/%y") for day in DAYS), "date"),
        ("day", text(day.strftime("%Y%m%d") for day in DAYS), "date"),
        ("lastmodified", text(int(day.timestamp() * 1000) for day in DAYS), "date"),
        ("last_seen", text(int(day.timestamp()) for day in DAYS), "date"),
        ("big", text((int(day.timestamp() * 1000) for day in DAYS), "{:,}"), "number"),
        ("revenue", text(int(day.timestamp()) for day in DAYS), "number"),
        ("notes", text(NOTE.format(n, n % 50) for n in range(ROWS)), "text"),
        ("reason", cycle(NOTE.format("Ann", 5), NOTE.format("Bo", 6)), "category"),
        ("customerID", text(uuid.UUID(int=n**9) for n in range(ROWS)), "an identifier or a name: different in nearly every row"),
        ("name", text(range(ROWS), "Lead {}"), "an identifier or a name: different in nearly every row"),
        ("contact", text((n // 2 for n in range(ROWS)), "ann.{}@example.com"), "an identifier: e-mail addresses"),
        ("owner", cycle("ann@example.com", "bo@example.com"), "category"),
        ("row", text(range(ROWS)), "an identifier: a number by that name, different in nearly every row"),
        ("customer_id", text(WHOLE_AMOUNTS), "an identifier: a number by that name, different in nearly every row"),
        ("order", text(range(5000, 5000 + ROWS)), "an identifier: a running number"),
        ("order", text(range(ROWS, 0, -1)), "an identifier: a running number"),
        ("age", text(RANDOM.sample(range(ROWS), ROWS)), "number"),
        ("points", text(range(0, ROWS * 50, 50)), "number"),
        ("x", cycle(""), "no values at all"),
        ("x", cycle("", "N/A", " "), "no values at all"),
        ("x", cycle("same", " same "), "one value only"),
        ("x", cycle("5"), "one value only"),
        ("x", ["5"] * (ROWS - 1) + [""], "one value only"),
        ("x", [""] * (ROWS - 1) + ["5"], "one value only"),
        ("x", cycle("set", ""), "category"),
    ],
)
def test_the_kind_of_a_column_of_text(name: str, cells: list[str], wanted: str) -> None:
    assert kind(name, cells) == wanted


@pytest.mark.parametrize(
    ("name", "cells", "wanted"),
    [
        ("amount", AMOUNTS, "number"),
        ("won_before", cycle(True, False, None), "boolean"),
        ("created", DAYS, "date"),
        ("day", [day.date() for day in DAYS], "date"),
        ("id", WHOLE_AMOUNTS, "an identifier: a number by that name, different in nearly every row"),
        ("owner_id", cycle(1.0, 2.0, 3.0, None), "category"),
        ("timestamp", [int(day.timestamp() * 1000) for day in DAYS], "date"),
        ("empty", pl.Series([None] * ROWS), "no values at all"),
        ("nan", [float("nan")] * ROWS, "no values at all"),
        ("five", [5.0] * ROWS, "one value only"),
        ("channel", pl.Series(cycle("email", "direct")), "category"),
        ("channel", pl.Series(cycle("email", "direct"), dtype=pl.Categorical), "category"),
        ("huge", cycle(1e300, float("inf"), 2e300), "no values at all"),
        ("tags", pl.Series([["a"], ["b"]] * (ROWS // 2)), "neither text nor numbers nor dates"),
    ],
)
def test_the_kind_of_a_typed_column(name: str, cells: Any, wanted: str) -> None:
    assert kind(name, cells) == wanted


@pytest.mark.parametrize("cells", [cycle("1", "2", "9"), pl.Series([1, 2, 9] * (ROWS // 3)), text(range(ROWS))])
def test_numbers_are_codes_where_the_user_says_so(cells: Any) -> None:
    frame = pl.DataFrame({"region": pl.Series(cells)})
    (plain,), (said,) = find_kinds(frame), find_kinds(frame, categories=["region"])
    assert plain.input is None or plain.input.kind is InputKind.NUMBER
    assert said.input is not None
    assert said.input.kind is InputKind.CATEGORY
    assert find_kinds(pl.DataFrame({"region": [""] * ROWS}), categories=["region"])[0].reason == "no values at all"


@pytest.mark.parametrize(
    ("cells", "others", "numbers"),
    [
        (["1,5", "2,25"], {}, [1.5, 2.25]),
        (["1.234,5", "7"], {}, [1234.5, 7.0]),
        (["1,234.5", "7"], {}, [1234.5, 7.0]),
        (["1,234", "12,500"], {}, [1234.0, 12500.0]),
        (["1,234", "12,500"], {"price": ["1,5", "2,5"]}, [1.234, 12.5]),
        (["1.234", "12.500"], {}, [1.234, 12.5]),
        (["1.234", "12.500"], {"price": ["1,5", "2,5"]}, [1234.0, 12500.0]),
        (["1.234", "12.500"], {"place": ["12, Main Street", "7, Side Street"]}, [1.234, 12.5]),
        (["0,125", "1,234"], {}, [0.125, 1.234]),
        (["1.234.567", "5"], {}, [1234567.0, 5.0]),
        (["1 234,50", "5"], {}, [1234.5, 5.0]),
        (["1'234.50", "5"], {}, [1234.5, 5.0]),
        (["€ 1.234,50", "€ 5"], {}, [1234.5, 5.0]),
        (["$1,234", "$12"], {}, [1234.0, 12.0]),
        (["12,5 %", "7 %"], {}, [12.5, 7.0]),
    ],
    ids=str,
)
def test_the_marks_of_numbers_are_found_with_the_help_of_the_other_columns(
    cells: list[str], others: dict[str, list[str]], numbers: list[float]
) -> None:
    one = found("amount", cycle(*cells), others={name: cycle(*rest) for name, rest in others.items()})
    assert one.input is not None
    assert one.input.kind is InputKind.NUMBER
    assert typed_series(one.input, pl.Series(cells)).to_list() == numbers


@pytest.mark.parametrize(
    ("cells", "form", "said"),
    [
        (["01/02/2026", "31/12/2025"], DateForm.DAY_FIRST, "the day first"),
        (["01/02/2026", "12/31/2025"], DateForm.MONTH_FIRST, "the month first"),
        (["01/02/2026", "11/12/2025"], DateForm.DAY_FIRST, "could have the day or the month first"),
        (["01.02.2026", "11.12.2025"], DateForm.DAY_FIRST, "the day first"),
        (["2026-02-01", "2025-12-11"], DateForm.ISO, ""),
    ],
)
def test_a_number_above_twelve_is_no_month(cells: list[str], form: DateForm, said: str) -> None:
    one = found("created", cycle(*cells))
    assert one.input is not None
    assert (one.input.kind, one.input.date_form) == (InputKind.DATE, form)
    assert said in one.note


def test_a_few_words_among_numbers_are_missing_and_told() -> None:
    few = found("few", [*text(AMOUNTS[:95]), *["call us"] * 5])
    assert few.input is not None
    assert few.input.kind is InputKind.NUMBER
    assert few.note == "5 of 100 values are no numbers and count as missing, as 'call us'"
    many = found("many", [*text(WHOLE_AMOUNTS[n % 20] for n in range(94)), *["call us"] * 6])
    assert many.input is not None
    assert many.input.kind is InputKind.CATEGORY


def test_an_identifier_that_is_to_be_kept_is_what_it_looks_like() -> None:
    assert kind("order", text(range(ROWS)), keep=True) == "number"
    assert kind("name", text(range(ROWS), "Lead {}"), keep=True) == "category"


def test_too_few_rows_do_not_make_an_identifier() -> None:
    assert kind("name", ["a", "b", "c"]) == "category"


def test_the_notes_name_every_column() -> None:
    frame = pl.DataFrame(
        {
            **{f"n{place}": text(AMOUNTS) for place in range(15)},
            "price": cycle("1,5", "2,5"),
            "empty": cycle(""),
            "blank": cycle(" "),
            "order": text(range(ROWS)),
            "channel": cycle("a", "b"),
        }
    )
    assert told(find_kinds(frame)) == (
        "16 numbers: n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11 and 4 more",
        "1 category: channel",
        "price: written with a decimal comma",
        "empty, blank left out: no values at all",
        "order left out: an identifier: a running number",
    )


def test_the_same_table_is_always_found_the_same() -> None:
    frame = pl.DataFrame({"channel": cycle("b", "a"), "amount": text(AMOUNTS), "created": text(day.date() for day in DAYS)})
    assert find_kinds(frame) == find_kinds(frame.clone())


CELLS = st.text(max_size=6) | st.sampled_from(
    ["1", "1,5", "1.234", "2026-01-02", "03/04/2026", "yes", "no", "", "NA", "0049", "5 €", "€"]
)


@pytest.mark.parametrize(
    ("cells", "others", "said"),
    [
        (["850", "1.250", "12.000"], None, "'1.250' is read as 1.25: if it is 1250, write it without the point"),
        (["850", "1.250", "0.5"], None, ""),
        (["850", "1.250", "12.000"], ["1,5", "2,25", "3,75"], "written with a decimal comma and points between thousands"),
        (["850", "1,250", "12,000"], None, "written with commas between thousands"),
    ],
)
def test_a_number_that_may_be_a_thousand_times_as_much_is_told(cells: list[str], others: list[str] | None, said: str) -> None:
    columns = {"amount": cycle(*cells), **({} if others is None else {"rate": cycle(*others)})}
    assert find_kinds(pl.DataFrame(columns))[0].note == said


@given(st.lists(CELLS, min_size=1, max_size=30), st.lists(CELLS, min_size=30, max_size=30))
def test_any_column_of_text_is_found_to_be_something(one: list[str], other: list[str]) -> None:
    frame = pl.DataFrame({"one": pl.Series(one), "other": pl.Series(other[: len(one)])})
    for column in find_kinds(frame):
        assert (column.input is None) == bool(column.reason)
        if column.input is not None:
            assert typed_series(column.input, frame[column.name]).null_count() < len(frame)


@given(st.lists(st.none() | st.floats() | st.integers(-9, 9).map(float), min_size=1, max_size=30))
def test_any_column_of_numbers_is_found_to_be_something(cells: list[float | None]) -> None:
    column = find_kinds(pl.DataFrame({"x": pl.Series(cells, dtype=pl.Float64)}))[0]
    assert (column.input is None) == bool(column.reason)
