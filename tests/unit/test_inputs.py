"""How a value from anywhere becomes the number that a tree sees."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import BadInput
from ml.features.inputs import FALSE_WORDS, LARGEST_NUMBER, TRUE_WORDS, Input, InputKind, encode, encode_row, encode_strictly

NUMBER = Input(name="sessions", kind=InputKind.NUMBER)
BOOLEAN = Input(name="is_first_visit", kind=InputKind.BOOLEAN)
CATEGORY = Input(name="channel", kind=InputKind.CATEGORY, categories=("7", "direct", "email"))
COLUMNS = (NUMBER, BOOLEAN, CATEGORY)
each_column = pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.kind)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.integers())
    | st.dictionaries(st.text(), st.text())
)
NO_COUNT = [
    math.nan,
    1e16,
    -1e16,
    10**400,
    -(10**400),
    10**5_000,
    math.inf,
    -math.inf,
    "1e999",
    "inf",
    "-Infinity",
    "9" * 400,
]


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@each_column
@given(value=VALUES)
def test_no_value_becomes_an_infinity(column: Input, value: Any) -> None:
    number = encode(column, value)
    assert math.isnan(number) or abs(number) <= LARGEST_NUMBER


@each_column
@given(value=VALUES)
def test_strictness_only_adds_errors(column: Input, value: Any) -> None:
    try:
        strict = encode_strictly(column, value)
    except BadInput as error:
        assert error.field == column.name  # noqa: PT017
        assert column.name in error.detail  # noqa: PT017
        strict = math.nan
    assert same(encode(column, value), strict)


@each_column
@pytest.mark.parametrize("value", [None, "", "  ", "\t\n", "\xa0", "\ufeff", "NULL", "NaN", "#N/A", "n/a", "-", "?"])
def test_nothing_is_missing(column: Input, value: Any) -> None:
    assert math.isnan(encode_strictly(column, value))


@each_column
@pytest.mark.parametrize("value", [[], [1], {}, {"value": 1}, (1,)], ids=str)
def test_several_values_are_no_value(column: Input, value: Any) -> None:
    with pytest.raises(BadInput, match=f"^{column.name}: must be a single value"):
        encode_strictly(column, value)


@given(st.integers(-(10**15), 10**15) | st.floats(-LARGEST_NUMBER, LARGEST_NUMBER))
def test_a_number_and_its_text_mean_the_same(number: float) -> None:
    assert (
        encode_strictly(NUMBER, number) == encode_strictly(NUMBER, str(number)) == encode_strictly(NUMBER, f" {number} ") == number
    )


@pytest.mark.parametrize(
    "value", NO_COUNT, ids=lambda value: f"{str(value)[:9]}" if not isinstance(value, int) else f"{value.bit_length()} bits"
)
@each_column
def test_a_number_that_counts_nothing_is_an_error_or_unseen(column: Input, value: Any) -> None:
    assert math.isnan(encode(column, value))
    if column.kind is not InputKind.CATEGORY or not isinstance(value, str):
        with pytest.raises(BadInput, match=column.name):
            encode_strictly(column, value)


@pytest.mark.parametrize("value", [LARGEST_NUMBER, -LARGEST_NUMBER, 10**15])
def test_the_largest_number_still_counts(value: float) -> None:
    assert encode_strictly(NUMBER, value) == value


@pytest.mark.parametrize("value", ["four", "1,5", "4 sessions", "0x10", "--1", "1_000", "\u0663", "1e", "1 000"])
def test_a_text_that_is_no_number_is_an_error(value: str) -> None:
    with pytest.raises(BadInput, match=r"^sessions: must be a number"):
        encode_strictly(NUMBER, value)


@pytest.mark.parametrize(("words", "number"), [(TRUE_WORDS, 1.0), (FALSE_WORDS, 0.0)])
def test_the_words_for_true_and_false(words: frozenset[str], number: float) -> None:
    for word in words:
        assert encode_strictly(BOOLEAN, word) == encode_strictly(BOOLEAN, f" {word.upper()} ") == number


@pytest.mark.parametrize(("value", "number"), [(True, 1.0), (False, 0.0), (1, 1.0), (0, 0.0), (1.0, 1.0), (0.0, 0.0)])
def test_true_and_false_of_any_type(value: Any, number: float) -> None:
    assert encode_strictly(BOOLEAN, value) == number
    assert encode_strictly(NUMBER, value) == number


@pytest.mark.parametrize("value", [2, -1, 0.5, "maybe", "tru", "none"])
def test_what_is_neither_true_nor_false_is_an_error(value: Any) -> None:
    with pytest.raises(BadInput, match=r"^is_first_visit: must be true or false"):
        encode_strictly(BOOLEAN, value)


def test_an_error_shows_a_small_value_as_it_is() -> None:
    with pytest.raises(BadInput, match=r"not '?2'?$"):
        encode_strictly(BOOLEAN, 2)


def test_an_error_shows_little_of_a_long_value() -> None:
    with pytest.raises(BadInput) as refused:
        encode_strictly(NUMBER, "x" * 10_000)
    assert len(refused.value.detail) < 200


@pytest.mark.parametrize(("value", "code"), [("7", 0.0), (7, 0.0), (7.0, 0.0), ("7.00", 0.0), ("direct", 1.0), (" email ", 2.0)])
def test_a_category_is_its_place(value: Any, code: float) -> None:
    assert encode_strictly(CATEGORY, value) == code


@pytest.mark.parametrize("value", ["Direct", "carrier pigeon", 8, True])
def test_an_unseen_category_is_missing(value: Any) -> None:
    assert math.isnan(encode_strictly(CATEGORY, value))


def test_a_row_is_encoded_in_the_order_of_the_columns() -> None:
    row = {"channel": "email", "sessions": "3", "unknown": "field"}
    first, second, third = encode_row(COLUMNS, row, strictly=True)
    assert (first, math.isnan(second), third) == (3.0, True, 2.0)
    with pytest.raises(BadInput, match="is_first_visit"):
        encode_row(COLUMNS, {**row, "is_first_visit": "perhaps"}, strictly=True)
