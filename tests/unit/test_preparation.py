"""Cleaning is a stored step: what training saw is what serving sees, row by row, whatever the columns hold."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.features.inputs import LARGEST_NUMBER, Input, InputKind
from ml.learners.base import Examples, probability
from ml.learners.registry import LEARNERS
from ml.preparation import prepare
from ml.preparation.base import AS_OF, FEW_ROWS, Floats, Form, Ints, Matrix
from ml.preparation.categorical import ENCODING_FOLDS, MANY_LEVELS, TargetCode, fit_target_code
from ml.preparation.derived import FEWEST_TEXTS
from ml.preparation.prepare import Preparation

TEXTS = (InputKind.CATEGORY, InputKind.TEXT)
KINDS = {
    InputKind.NUMBER: st.floats(-LARGEST_NUMBER, LARGEST_NUMBER) | st.integers(-3, 3).map(float),
    InputKind.BOOLEAN: st.sampled_from([0.0, 1.0]),
    InputKind.CATEGORY: st.sampled_from(["a", "b", "c"]) | st.text(min_size=1, max_size=3),
    InputKind.DATE: st.floats(-1e6, 1e6) | st.floats(-LARGEST_NUMBER, LARGEST_NUMBER),
    InputKind.TEXT: st.lists(st.sampled_from(["call", "back", "soon", "not"]), max_size=4).map(" ".join) | st.text(max_size=9),
}  # fmt: skip
forms = pytest.mark.parametrize("form", Form)


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[Input, ...], pl.DataFrame, Ints]:
    """A typed frame of any kinds of columns, gaps included, on both sides of the rows that make the code take other ways."""
    kinds = draw(st.lists(st.sampled_from(InputKind), min_size=1, max_size=4))
    rows = draw(st.sampled_from([1, 2, 12, FEW_ROWS + 6]))
    inputs = tuple(Input(name=f"column {place}", kind=kind) for place, kind in enumerate(kinds))
    columns = {}
    for column in inputs:
        few = draw(st.lists(st.none() | KINDS[column.kind], min_size=1, max_size=8))
        columns[column.name] = pl.Series([few[row % len(few)] for row in range(rows)], dtype=dtype_of(column.kind))
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows)), dtype=np.int64)
    return inputs, pl.DataFrame(columns), labels


def dtype_of(kind: InputKind) -> Any:
    return pl.String if kind in TEXTS else pl.Float64


def fitted(form: Form, table: tuple[tuple[Input, ...], pl.DataFrame, Ints]) -> tuple[Preparation, Matrix]:
    inputs, frame, labels = table
    return prepare.fit(form, inputs, frame, labels, seed=0)


def same(one: Floats, other: Floats) -> bool:
    return np.array_equal(one, other, equal_nan=True)


def one_input(name: str, kind: InputKind, values: list[Any]) -> tuple[tuple[Input, ...], pl.DataFrame]:
    return (Input(name=name, kind=kind),), pl.DataFrame({name: pl.Series(values, dtype=dtype_of(kind))})


@forms
@given(table=tables())
def test_rows_are_applied_as_they_were_fitted(form: Form, table: Any) -> None:
    preparation, matrix = fitted(form, table)
    applied = preparation.apply(table[1])
    assert matrix.shape == applied.shape == (len(table[1]), len(preparation.columns))
    last = np.array([column.levels - 1 for column in preparation.columns])
    as_later = (matrix == last) & (last > 0) & (form is Form.NATIVE)  # stands for the levels to come
    assert same(np.where(as_later, applied, matrix), applied)


@forms
@given(table=tables())
def test_a_stored_preparation_is_the_same_to_the_last_digit(form: Form, table: Any) -> None:
    preparation, _ = fitted(form, table)
    again = Preparation.model_validate_json(preparation.model_dump_json())
    assert again == preparation
    assert same(again.apply(table[1]), preparation.apply(table[1]))


@forms
@given(table=tables())
def test_a_row_alone_is_cleaned_as_among_others(form: Form, table: Any) -> None:
    preparation, _ = fitted(form, table)
    among_others = preparation.apply(table[1])
    for row in range(len(table[1])):
        assert np.allclose(preparation.apply(table[1][row]), among_others[row], rtol=1e-12, atol=1e-12, equal_nan=True)
    assert preparation.apply(table[1][:0]).shape == (0, len(preparation.columns))


@forms
@given(table=tables(), other=st.data())
def test_each_form_keeps_its_promise_on_any_rows(form: Form, table: Any, other: st.DataObject) -> None:
    """Lines and naive Bayes never see a gap; codes stay below their levels."""
    inputs, frame, _ = table
    preparation, _ = fitted(form, table)
    unseen = pl.DataFrame(
        {
            column.name: pl.Series(other.draw(st.lists(st.none() | KINDS[column.kind], min_size=3, max_size=3)), dtype=dtype)
            for column, dtype in zip(inputs, frame.dtypes, strict=True)
        }
    )
    matrix = preparation.apply(unseen)
    assert not np.isinf(matrix).any()
    assert form is Form.NATIVE or not np.isnan(matrix).any()
    for column, values in zip(preparation.columns, matrix.T, strict=True):
        there = values[~np.isnan(values)]
        assert not column.levels or ((there >= 0) & (there < column.levels) & (there == there.round())).all()


@forms
@given(table=tables())
def test_the_table_is_left_alone(form: Form, table: Any) -> None:
    _, frame, labels = table
    before, labels_before = frame.clone(), labels.copy()
    preparation, _ = fitted(form, table)
    preparation.apply(frame)
    assert frame.equals(before)
    assert (labels == labels_before).all()


@forms
def test_every_column_is_traced_to_its_input(form: Form) -> None:
    inputs = tuple(Input(name=kind.value, kind=kind) for kind in InputKind)
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "number": generator.normal(size=200), "boolean": [0.0, 1.0] * 100, "category": ["a", "b", None, "c"] * 50,
            "date": generator.normal(20_000, 9, 200), "text": [f"call {'back' if n % 3 else 'now'} soon" for n in range(200)],
        }
    )  # fmt: skip
    preparation, _ = prepare.fit(form, inputs, frame, generator.integers(0, 2, 200), seed=0)
    assert {column.input for column in preparation.columns} == {column.name for column in inputs}


@forms
@pytest.mark.parametrize("name", ["days since signup", "month of signup", "weekday of signup", AS_OF])
def test_a_users_column_may_be_called_like_one_of_ours(form: Form, name: str) -> None:
    inputs = (Input(name="signup", kind=InputKind.DATE), Input(name=name, kind=InputKind.NUMBER))
    frame = pl.DataFrame({"signup": [20_000.0, 20_040.0, 20_100.0] * 20, name: [1.0, 2.0, 3.0] * 20})
    preparation, matrix = prepare.fit(form, inputs, frame, np.array([0, 1] * 30), seed=0)
    other, alone = prepare.fit(form, inputs[1:], frame, np.array([0, 1] * 30), seed=0)
    place = next(place for place, column in enumerate(preparation.columns) if column.input == name)
    assert same(matrix[:, place], alone[:, 0])
    assert same(preparation.apply(frame)[:, place], other.apply(frame)[:, 0])


@forms
@pytest.mark.parametrize("texts", [["the same words"] * 60, ["a"] * 60, [""] * 60, ["one", *["two"] * 59], [None] * 60])
def test_texts_that_say_nothing_are_left_out_quietly(form: Form, texts: list[str | None]) -> None:
    inputs, frame = one_input("note", InputKind.TEXT, texts)
    preparation, matrix = prepare.fit(form, inputs, frame, np.array([0, 1] * 30), seed=0)
    assert np.isfinite(matrix).all()
    assert len(texts) >= FEWEST_TEXTS
    assert preparation.apply(frame[:0]).shape[0] == 0


def test_texts_that_tell_the_classes_apart_become_numbers_that_do() -> None:
    texts = ["please call back, wants a quote" if n % 2 else "not interested, wrong person" for n in range(100)]
    inputs, frame = one_input("note", InputKind.TEXT, texts)
    labels = np.array([n % 2 for n in range(100)])
    _, matrix = prepare.fit(Form.SCALED, inputs, frame, labels, seed=0)
    assert max(abs(np.corrcoef(column, labels)[0, 1]) for column in matrix.T if column.std()) > 0.99


def test_that_a_value_is_missing_is_said_of_its_own_to_lines() -> None:
    """Nothing but the gap tells the outcomes apart."""
    labels = np.arange(400) % 2
    values = np.random.default_rng(0).normal(size=400)
    inputs, frame = one_input(
        "budget", InputKind.NUMBER, [None if label else value for label, value in zip(labels, values, strict=True)]
    )
    _, matrix = prepare.fit(Form.SCALED, inputs, frame, labels, seed=0)
    assert max(abs(np.corrcoef(column, labels)[0, 1]) for column in matrix.T if column.std()) == pytest.approx(1)


@forms
def test_rare_levels_are_one_and_a_level_never_seen_is_of_them(form: Form) -> None:
    levels = ["mail"] * 500 + ["search"] * 480 + [f"rare {n}" for n in range(20)]
    inputs, frame = one_input("channel", InputKind.CATEGORY, levels)
    preparation, _ = prepare.fit(form, inputs, frame, np.arange(1_000) % 2, seed=0)
    rare, other, new, mail, search = preparation.apply(
        pl.DataFrame({"channel": ["rare 1", "rare 2", "never seen", "mail", "search"]})
    )
    assert same(rare, other)
    assert same(rare, new)
    assert not same(rare, mail)
    assert not same(rare, search)
    assert not same(mail, search)


def test_a_seldom_yes_is_not_clipped_away() -> None:
    """4 of 1,000 lie beyond the outermost half per cent, and are all that the column has to say."""
    inputs, frame = one_input("asked for a quote", InputKind.BOOLEAN, [1.0] * 4 + [0.0] * 996)
    _, matrix = prepare.fit(Form.SCALED, inputs, frame, np.array([1, 0] * 500), seed=0)
    assert len(np.unique(matrix)) == 2


def test_far_values_lose_their_leverage() -> None:
    inputs, frame = one_input("amount", InputKind.NUMBER, [*np.linspace(0, 1, 999).tolist(), LARGEST_NUMBER])
    preparation, matrix = prepare.fit(Form.SCALED, inputs, frame, np.array([1, 0] * 500), seed=0)
    assert np.abs(matrix).max() < 3
    assert np.abs(preparation.apply(frame.clear(2).with_columns(pl.Series("amount", [-1e15, 1e15])))).max() < 3


@pytest.mark.parametrize("seed", range(3))
def test_a_rows_own_outcome_is_not_in_what_it_sees(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = pl.Series("city", generator.choice([f"city {n}" for n in range(MANY_LEVELS * 2)], 400))
    labels = generator.integers(0, 2, 400)
    _, matrix = fit_target_code("city", "city", values, labels, seed=seed, scaled=False)
    correlated = np.corrcoef(matrix[:, 0], labels)[0, 1]
    assert abs(correlated) < 0.2, "on chance labels the encoding knows the labels"


def test_a_level_seen_once_is_hardly_believed_and_one_seen_often_is() -> None:
    values = pl.Series("city", ["often"] * 500 + ["once"] + ["rest"] * 499)
    labels = np.array([1] * 501 + [0] * 499)
    step, _ = fit_target_code("city", "city", values, labels, seed=0, scaled=False)
    often, once = step.apply(pl.Series("city", ["often", "once"]))[:, 0]
    assert often > 0.98
    assert once == pytest.approx(step.base_rate, abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_the_outcome_of_an_identity_is_not_in_what_its_other_rows_see(seed: int) -> None:
    """Three rows of each with one outcome by chance, and a level that only they have, or a few others."""
    generator = np.random.default_rng(seed)
    identities = generator.permutation(np.repeat(np.arange(1_500), 3))
    labels = generator.integers(0, 2, 1_500)[identities]
    for shared_by in (1, 3):
        values = pl.Series("name", [f"name {identity // shared_by}" for identity in identities])
        blind, careful = (
            fit_target_code("name", "name", values, labels, seed=seed, scaled=False, groups=groups)[1][:, 0]
            for groups in (None, identities)
        )
        assert np.corrcoef(blind, labels)[0, 1] > 0.3, "without the identities it would be believed"
        assert not careful.std() or np.corrcoef(careful, labels)[0, 1] < 0.15


def test_what_names_one_identity_is_not_kept_with_the_version() -> None:
    mails = pl.Series("mail", [f"{n // 3}@example.com" for n in range(300)])
    step, _ = fit_target_code("mail", "mail", mails, np.arange(300) % 2, seed=0, scaled=False, groups=np.arange(300) // 3)
    assert step.levels == ()


def test_levels_never_seen_get_the_base_rate_and_missing_its_own() -> None:
    values = pl.Series("city", ["a", None, "b", None] * 25)
    step, _ = fit_target_code("city", "city", values, np.array([0, 1, 0, 1] * 25), seed=0, scaled=False)
    (new,), (gone,), (known,) = step.apply(pl.Series("city", ["c", None, "a"]))
    assert new == step.base_rate == 0.5
    assert gone > 0.8
    assert known < 0.2


@forms
@pytest.mark.parametrize("wins", [1, 2, ENCODING_FOLDS])
def test_many_levels_and_few_wins_are_cleaned_without_a_word(form: Form, wins: int) -> None:
    names = [f"city {n % (MANY_LEVELS + 6)}" for n in range(600)]
    inputs, frame = one_input("city", InputKind.CATEGORY, names)
    preparation, matrix = prepare.fit(form, inputs, frame, np.array([1] * wins + [0] * (600 - wins)), seed=0)
    assert np.isfinite(matrix).all()
    assert any(isinstance(step, TargetCode) for step in preparation.steps) is (form is not Form.BINNED)
    assert same(preparation.apply(frame[:70]), np.concatenate([preparation.apply(frame[row]) for row in range(70)]))


@pytest.mark.parametrize("form", [Form.NATIVE, Form.SCALED])
def test_levels_that_are_all_rare_are_not_thrown_away(form: Form) -> None:
    """A thousand companies of five rows: none is common, and each is either good or bad."""
    generator = np.random.default_rng(0)
    companies = generator.permutation(np.repeat(np.arange(1_000), 5))
    labels = (generator.random(5_000) < np.where(companies % 2, 0.9, 0.1)).astype(np.int64)
    inputs, frame = one_input("company", InputKind.CATEGORY, [f"company {number}" for number in companies])
    preparation, matrix = prepare.fit(form, inputs, frame, labels, seed=0)
    assert isinstance(preparation.steps[0], TargetCode)
    assert np.corrcoef(matrix[:, 0], labels)[0, 1] > 0.4


def test_dates_become_durations_up_to_the_rows_own_moment() -> None:
    inputs, frame = one_input("signup", InputKind.DATE, [20_000.0, None, 20_031.5])
    frame = frame.with_columns(pl.Series(AS_OF, [20_010.0, 20_010.0, 20_040.0]))
    _, matrix = prepare.fit(Form.NATIVE, inputs, frame, np.array([0, 1, 0]), seed=0)
    assert same(matrix, np.array([[10, 10, 5], [np.nan] * 3, [8.5, 11, 1]], dtype=np.float32))  # 4 October 2024 was a Friday


def test_what_stands_for_levels_to_come_has_of_each_level_as_many() -> None:
    """One that comes later is as likely to be like a rare one: in the first year's rows there is one summer."""
    months = ["may"] * 18_000 + ["jun"] * 1_000 + ["oct"] * 1_000
    inputs, frame = one_input("month", InputKind.CATEGORY, months)
    _, matrix = prepare.fit(Form.NATIVE, inputs, frame, np.arange(20_000) % 2, seed=0)
    set_aside = pl.Series(months).filter(pl.Series(matrix[:, 0] == 3)).value_counts()
    counts = dict(set_aside.iter_rows())
    assert sum(counts.values()) == pytest.approx(100, abs=30)
    assert max(counts.values()) < 3 * min(counts.values())


@pytest.mark.parametrize("name", ["forest", "xgb", "lgbm"])
def test_a_level_that_comes_later_is_answered_as_an_average_one(name: str) -> None:
    generator = np.random.default_rng(0)
    rates = {"feb": 0.02, "mar": 0.1, "may": 0.11, "jun": 0.1, "jul": 0.15, "aug": 0.17, "sep": 0.19, "oct": 0.21, "nov": 0.5}
    months = generator.choice(list(rates), 6_000)
    labels = (generator.random(6_000) < np.vectorize(rates.get)(months)).astype(np.int64)
    inputs = (Input(name="month", kind=InputKind.CATEGORY), Input(name="visits", kind=InputKind.NUMBER))
    frame = pl.DataFrame({"month": months, "visits": generator.normal(size=6_000)})
    learner = LEARNERS[name]
    preparation, matrix = prepare.fit(learner.form, inputs, frame, labels, seed=0)
    params = {key: value for key, value in learner.settings[0].items() if key != "early_stopping_rounds"}
    fitted = learner.fit(Examples(matrix, preparation.columns, labels), params | {"n_estimators": 60}, seed=0)
    later = preparation.apply(pl.DataFrame({"month": ["dec"] * 200, "visits": generator.normal(size=200)}))
    assert probability(fitted.margins(later)).mean() == pytest.approx(labels.mean(), abs=0.12)
