"""The leak guard: what it finds, what it leaves alone, and what it says."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import BadInput
from ml.features.inputs import Input, InputKind
from ml.training.leakage import Findings, Reason, RowReason, find_leaks
from ml.training.leakage.late import changed_late

ROWS = 600
TEXTS = {InputKind.CATEGORY, InputKind.TEXT}


def half_won(rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.arange(rows) % 2).astype(np.int64)


def guard(columns: dict[str, Any], labels: np.ndarray, kinds: dict[str, InputKind] | None = None, **options: Any) -> Findings:
    kinds = kinds or {}
    series = []
    for name, cells in columns.items():
        is_text = kinds.get(name, InputKind.NUMBER) in TEXTS
        series.append(
            pl.Series(name, list(cells), dtype=pl.String) if is_text else pl.Series(name, cells, pl.Float64).fill_nan(None)
        )
    inputs = tuple(Input(name=name, kind=kinds.get(name, InputKind.NUMBER)) for name in columns)
    return find_leaks(pl.DataFrame(series), inputs, labels, **options)


def reasons(found: Findings) -> dict[str, Reason]:
    return {suspect.column: suspect.reason for suspect in found.suspects}


def noise(labels: np.ndarray, columns: int = 4, seed: int = 1) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {f"plain {number}": generator.normal(size=len(labels)) + 0.2 * labels for number in range(columns)}


# What it finds


def test_a_reason_that_only_lost_deals_have_is_found() -> None:
    labels = half_won()
    cells = np.where((labels == 0) & (np.arange(ROWS) % 3 > 0), "price", None)
    found = guard({**noise(labels), "lost_reason": cells}, labels, {"lost_reason": InputKind.CATEGORY})
    assert reasons(found) == {"lost_reason": Reason.FILLED_FOR_ONE}
    filled = int((cells == "price").sum())
    assert f"filled in 0 of 300 rows with outcome 1 and in {filled} of 300 with outcome 0" in found.suspects[0].evidence
    assert found.left_out == {"lost_reason"}


def test_a_date_that_only_won_deals_have_is_found() -> None:
    labels = half_won()
    found = guard({"when": np.where(labels == 1, 20_000.0, np.nan)}, labels, {"when": InputKind.DATE})
    assert reasons(found) == {"when": Reason.FILLED_FOR_ONE}


def test_a_date_of_both_outcomes_is_judged_as_the_time_up_to_it() -> None:
    labels, generator = half_won(), np.random.default_rng(3)
    begun = np.sort(generator.uniform(19_000, 19_700, ROWS))
    lasted = np.where(labels == 1, generator.uniform(5, 20, ROWS), generator.uniform(60, 300, ROWS))
    columns, kinds = {**noise(labels), "close date": begun + lasted}, {"close date": InputKind.DATE}
    assert reasons(guard(columns, labels, kinds, times=begun)) == {"close date": Reason.TOO_GOOD}
    assert reasons(guard(columns, labels, kinds)) == {}, "without the row's own moment the day itself says little"
    honest = begun - generator.uniform(0, 400, ROWS)
    assert reasons(guard({**noise(labels), "founded": honest}, labels, {"founded": InputKind.DATE}, times=begun)) == {}


def test_a_date_that_one_outcome_has_on_the_day_itself_is_found() -> None:
    labels, generator = half_won(), np.random.default_rng(3)
    begun = np.sort(generator.integers(19_000, 19_700, ROWS)).astype(float)
    billed = begun - np.where(labels == 1, 0.0, generator.integers(1, 400, ROWS))
    found = guard({**noise(labels), "billed": billed}, labels, {"billed": InputKind.DATE}, times=begun)
    assert found.left_out == {"billed"}
    assert "it is 0 days before in 300 of 300 rows" in found.suspects[0].evidence


def test_an_amount_of_won_deals_is_found() -> None:
    labels = half_won()
    amount = np.where(labels == 1, np.random.default_rng(0).lognormal(8, 1, ROWS), 0.0)
    assert reasons(guard({**noise(labels), "x": amount}, labels)) == {"x": Reason.TARGET_COPY}


def test_the_target_under_other_words_is_found_and_named() -> None:
    labels = half_won()
    stages = np.where(labels == 1, "closedwon", np.where(np.arange(ROWS) % 2 == 0, "closedlost", "rejected"))
    found = guard({"stage": stages}, labels, {"stage": InputKind.CATEGORY})
    assert reasons(found) == {"stage": Reason.TARGET_COPY}
    assert "'closedwon' in 300 of 300 rows with outcome 1" in found.suspects[0].evidence


def test_a_copy_with_mistakes_is_found() -> None:
    labels = half_won()
    wrong = np.random.default_rng(3).uniform(size=ROWS) < 0.05
    assert reasons(guard({**noise(labels), "x": np.where(wrong, 1 - labels, labels)}, labels)) == {"x": Reason.PURE_VALUES}


def test_values_that_most_won_deals_and_no_lost_ones_have_are_found() -> None:
    labels = half_won()
    generator = np.random.default_rng(4)
    owners = np.where(
        (labels == 1) & (generator.uniform(size=ROWS) < 0.8), "onboarding", generator.choice(["ada", "bo", "cy"], ROWS)
    )
    found = guard({"owner": owners}, labels, {"owner": InputKind.CATEGORY})
    assert reasons(found) == {"owner": Reason.PURE_VALUES}
    assert "'onboarding'" in found.suspects[0].evidence


def test_a_number_beyond_what_is_honest_is_found() -> None:
    labels = half_won()
    blurred = labels + np.random.default_rng(5).normal(0, 0.35, ROWS)
    found = guard({**noise(labels), "x": blurred}, labels)
    assert reasons(found) == {"x": Reason.TOO_GOOD}
    assert "AUC of 0.9" in found.suspects[0].evidence


def test_a_number_far_ahead_of_an_informed_rest_is_found_also_as_a_pair() -> None:
    generator = np.random.default_rng(6)
    rest, talk = generator.normal(size=(3_000, 4)), generator.normal(size=3_000)
    labels = (generator.uniform(size=3_000) < 1 / (1 + np.exp(-(rest.sum(axis=1) + 4 * talk)))).astype(np.int64)
    columns = {f"plain {number}": rest[:, number] for number in range(4)} | {"minutes": np.exp(talk), "seconds": np.exp(talk) * 60}
    assert reasons(guard(columns, labels)) == {"minutes": Reason.TOO_GOOD, "seconds": Reason.TOO_GOOD}


def test_the_same_power_among_columns_that_know_little_is_left_alone_unless_the_name_says_more() -> None:
    generator = np.random.default_rng(6)
    talk = generator.normal(size=3_000)
    labels = (generator.uniform(size=3_000) < 1 / (1 + np.exp(-2.6 * talk))).astype(np.int64)
    assert reasons(guard({**noise(labels), "fit": talk}, labels)) == {}
    assert reasons(guard({**noise(labels), "call_duration": talk}, labels)) == {"call_duration": Reason.TOO_GOOD}


def test_a_name_alone_says_nothing() -> None:
    labels = half_won()
    names = ("lost_reason_count", "closed_at", "won", "invoice_id", "final_result")
    generator = np.random.default_rng(7)
    assert guard({name: generator.normal(size=ROWS) for name in names}, labels).suspects == ()


# Fields that were changed late


def test_a_field_changed_at_the_end_is_found() -> None:
    labels = half_won()
    closed = np.random.default_rng(8).uniform(100, 200, ROWS)
    found = guard(noise(labels), labels, changed_at={"plain 0": closed, "plain 1": closed - 1}, closed_at=closed)
    assert reasons(found) == {"plain 0": Reason.CHANGED_LATE}
    assert "600 of 600 rows" in found.suspects[0].evidence
    assert found.left_out == {"plain 0"}


def test_a_few_corrections_and_unknown_times_are_left_alone() -> None:
    closed = np.full(ROWS, 100.0)
    assert changed_late(np.where(np.arange(ROWS) < 30, 101.0, 99.0), closed) is None
    assert changed_late(np.full(ROWS, np.nan), closed) is None
    assert changed_late(closed, np.full(ROWS, np.nan)) is None
    assert changed_late(closed[:4], closed[:4]) is None


def test_an_import_over_all_rows_is_reported_and_left_in() -> None:
    labels = half_won()
    closed = np.random.default_rng(8).uniform(100, 200, ROWS)
    found = guard(noise(labels), labels, changed_at={"plain 0": np.full(ROWS, 300.0)}, closed_at=closed)
    assert reasons(found) == {"plain 0": Reason.CHANGED_LATE}
    assert found.left_out == frozenset()
    assert "mass edit" in found.suspects[0].evidence


def test_an_import_does_not_hide_what_the_column_knows() -> None:
    labels = half_won()
    closed = np.random.default_rng(8).uniform(100, 200, ROWS)
    columns = {**noise(labels), "x": labels + np.random.default_rng(5).normal(0, 0.3, ROWS)}
    found = guard(columns, labels, changed_at={"x": np.full(ROWS, 300.0)}, closed_at=closed)
    assert reasons(found) == {"x": Reason.TOO_GOOD}


# Identifiers


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("x", [f"{key:08x}" for key in range(ROWS)], InputKind.TEXT),
        ("x", [f"p{key}@example.org" for key in range(ROWS)], InputKind.CATEGORY),
        ("x", np.random.default_rng(0).permutation(ROWS) + 5_000.0, InputKind.NUMBER),
        ("Record ID", np.random.default_rng(0).choice(10**9, ROWS, replace=False) + 1e9, InputKind.NUMBER),
        ("deal_no", np.cumsum(np.random.default_rng(0).integers(1, 900, ROWS)), InputKind.NUMBER),
    ],
)
def test_what_names_the_row_is_an_identifier(name: str, cells: Any, kind: InputKind) -> None:
    labels = half_won()
    assert reasons(guard({**noise(labels), name: cells}, labels, {name: kind})) == {name: Reason.IDENTIFIER}


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("note", [f"wants a price for {key} seats" for key in range(ROWS)], InputKind.TEXT),
        ("turnover", np.random.default_rng(0).lognormal(13, 1, ROWS).round(), InputKind.NUMBER),
        ("weight", np.random.default_rng(0).normal(size=ROWS), InputKind.NUMBER),
        ("first_seen", np.random.default_rng(0).uniform(20_000, 20_900, ROWS), InputKind.DATE),
        ("place", [f"place {key % 200}" for key in range(ROWS)], InputKind.CATEGORY),
    ],
)
def test_what_hardly_repeats_but_describes_is_none(name: str, cells: Any, kind: InputKind) -> None:
    assert guard({name: cells}, half_won(), {name: kind}).suspects == ()


def test_a_number_in_step_with_time_is_the_time_in_disguise() -> None:
    times = np.sort(np.random.default_rng(1).uniform(20_000, 20_400, ROWS))
    stamps = 1e9 + 86_400 * times + np.random.default_rng(2).uniform(0, 60, ROWS)
    assert reasons(guard({"x": stamps}, half_won(), times=times)) == {"x": Reason.CLOCK}
    assert guard({"x": stamps}, half_won()).suspects == ()


# Rows on both sides of the split


def test_copies_of_older_rows_are_counted_and_nothing_is_left_out() -> None:
    labels = np.tile(half_won(300), 2)
    once = np.random.default_rng(0).normal(size=300)
    found = guard({"x": np.tile(once, 2), "y": np.tile(once.round(1), 2), "z": np.tile(once**2, 2)}, labels, cut=500)
    assert [(row.reason, row.rows) for row in found.rows] == [(RowReason.DUPLICATES, 100)]
    assert "100 of the 100 newest rows are an exact copy of an older row, where chance makes about 0" in found.rows[0].evidence
    assert "judge too kindly" in found.rows[0].evidence
    assert found.left_out == frozenset()


def test_rows_of_a_small_world_repeat_by_chance_and_it_is_said() -> None:
    generator = np.random.default_rng(0)
    found = guard({"x": generator.integers(0, 2, ROWS).astype(float)}, half_won(), cut=500)
    assert found.rows[0].rows == 100
    assert "where chance makes about 100: few rows can differ" in found.rows[0].evidence


def test_missing_values_are_equal_and_another_outcome_makes_another_row() -> None:
    labels = np.array([0, 1, 0, 1, 0, 0], dtype=np.int64)
    found = guard({"x": [np.nan, 2, 3, 4, np.nan, 2]}, labels, cut=4)
    assert found.rows[0].rows == 1


def test_customers_on_both_sides_are_counted() -> None:
    found = guard(noise(half_won()), half_won(), cut=500, groups=np.arange(ROWS) % 510)
    assert [(row.reason, row.rows) for row in found.rows] == [(RowReason.SHARED_GROUPS, 90)]
    assert "90 identities" in found.rows[0].evidence


@pytest.mark.parametrize("seed", range(3))
def test_three_rows_of_a_customer_are_no_three_witnesses(seed: int) -> None:
    """What names one, or two, knows only how the customer's other rows ended: it is a name, and it is honest."""
    generator = np.random.default_rng(seed)
    customers = generator.permutation(np.repeat(np.arange(400), 3))
    labels = generator.integers(0, 2, 400)[customers]
    columns = {
        **noise(labels),
        "name": [f"name {customer}" for customer in customers],
        "street": [f"street {customer // 2}" for customer in customers],
    }
    kinds = dict.fromkeys(("name", "street"), InputKind.CATEGORY)
    assert reasons(guard(columns, labels, kinds))["name"] is Reason.PURE_VALUES, "without the customers it would be accused"
    assert reasons(guard(columns, labels, kinds, groups=customers)) == {"name": Reason.IDENTIFIER}


def test_a_leak_is_found_among_many_rows_of_few_customers_too() -> None:
    labels = half_won()
    cells = np.where((labels == 0) & (np.arange(ROWS) % 3 > 0), "price", None)
    found = guard({**noise(labels), "why": cells}, labels, {"why": InputKind.CATEGORY}, groups=np.arange(ROWS) % 12)
    assert reasons(found) == {"why": Reason.FILLED_FOR_ONE}


# What it leaves alone, and how it behaves


@pytest.mark.parametrize("rows", [12, 30, 100, 400])
@pytest.mark.parametrize("seed", range(4))
def test_noise_is_left_alone(rows: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    columns: dict[str, Any] = {f"number {number}": generator.normal(size=rows) for number in range(60)}
    columns |= {f"flag {number}": generator.integers(0, 2, rows).astype(float) for number in range(60)}
    columns |= {f"word {number}": generator.choice(list("abcdef"), rows) for number in range(60)}
    kinds = {name: InputKind.CATEGORY for name in columns if name.startswith("word")}
    assert guard(columns, half_won(rows), kinds).suspects == ()


@pytest.mark.parametrize("rows", [12, 100, 1_000, 20_000])
@pytest.mark.parametrize("seed", range(3))
def test_an_honest_flag_with_an_odds_ratio_of_twenty_is_welcome(rows: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = half_won(rows)
    flag = generator.uniform(size=rows) < np.where(labels == 1, 0.82, 0.18)
    assert guard({**noise(labels), "is_decider": flag}, labels, {"is_decider": InputKind.BOOLEAN}).suspects == ()


def test_a_stage_is_recognised_in_twelve_rows_by_its_words() -> None:
    labels = half_won(12)
    words = guard({"a": np.where(labels == 1, "Closed won", "Open")}, labels, {"a": InputKind.CATEGORY})
    assert reasons(words) == {"a": Reason.TARGET_COPY}
    letters = guard({"a": np.where(labels == 1, "A", "B")}, labels, {"a": InputKind.CATEGORY})
    assert letters.suspects == ()


def test_empty_and_constant_columns_are_no_suspects() -> None:
    kinds = {"text": InputKind.TEXT, "word": InputKind.CATEGORY, "date": InputKind.DATE}
    columns = {"number": [np.nan] * ROWS, "text": [None] * ROWS, "word": ["a"] * ROWS, "date": [1.0] * ROWS, "one": [7.0] * ROWS}
    assert guard(columns, half_won(), kinds, cut=500, times=np.arange(ROWS, dtype=float)).suspects == ()


@pytest.mark.parametrize("outcome", [0, 1])
def test_one_outcome_only_makes_no_suspects(outcome: int) -> None:
    labels = np.full(ROWS, outcome)
    assert guard({"lost_reason": [None, "price"] * 300}, labels, {"lost_reason": InputKind.CATEGORY}).suspects == ()


def test_no_columns_and_no_rows_make_no_suspects() -> None:
    assert find_leaks(pl.DataFrame(), (), np.zeros(0, dtype=np.int64)) == Findings()
    assert guard({"x": []}, np.zeros(0, dtype=np.int64)) == Findings()


def test_what_is_kept_is_reported_and_left_in() -> None:
    labels = half_won()
    found = guard({"a": labels, "b": labels}, labels, keep=["a", "unknown"])
    assert {suspect.column: suspect.left_out for suspect in found.suspects} == {"a": False, "b": True}
    assert found.left_out == {"b"}


def test_outcomes_after_the_cut_teach_nothing() -> None:
    labels = half_won()
    columns = {**noise(labels), "x": labels + np.random.default_rng(5).normal(0, 0.35, ROWS)}
    other = np.where(np.arange(ROWS) < 450, labels, 1 - labels)
    assert guard(columns, labels, cut=450).suspects == guard(columns, other, cut=450).suspects != ()


def test_the_same_seed_gives_the_same_findings() -> None:
    labels = half_won()
    columns = {**noise(labels), "x": labels + np.random.default_rng(5).normal(0, 0.35, ROWS)}
    assert guard(columns, labels, seed=3) == guard(columns, labels, seed=3)


def test_a_length_that_does_not_fit_is_an_error_that_names_it() -> None:
    with pytest.raises(BadInput, match="times: 3 values for 600 rows"):
        guard(noise(half_won()), half_won(), times=np.zeros(3))
    with pytest.raises(BadInput, match="plain 0: 2 values"):
        guard(noise(half_won()), half_won(), changed_at={"plain 0": np.zeros(2)})


CELLS = st.one_of(st.none(), st.sampled_from([0.0, 1.0, -1.0, 1e15]), st.floats(-1e6, 1e6))


@settings(max_examples=40)
@given(data=st.data(), rows=st.integers(1, 60))
def test_any_table_gives_findings_that_hold_together(data: st.DataObject, rows: int) -> None:
    labels = np.array(data.draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows)), dtype=np.int64)
    numbers = data.draw(st.lists(CELLS, min_size=rows, max_size=rows))
    words = data.draw(st.lists(st.none() | st.text(max_size=3), min_size=rows, max_size=rows))
    flags = data.draw(st.lists(st.sampled_from([None, 0.0, 1.0]), min_size=rows, max_size=rows))
    kinds = {"w": data.draw(st.sampled_from(sorted(TEXTS))), "f": InputKind.BOOLEAN, "d": InputKind.DATE}
    columns = {"n": numbers, "w": words, "f": flags, "d": numbers, "copy": labels}
    found = guard(columns, labels, kinds, cut=data.draw(st.integers(0, rows)), times=np.arange(rows, dtype=float), keep={"f"})
    weights = [suspect.weight for suspect in found.suspects]
    assert weights == sorted(weights, reverse=True)
    assert all(0 <= weight <= 1 for weight in weights)
    assert len(reasons(found)) == len(found.suspects)
    assert found.left_out <= {"n", "w", "d", "copy"}
    assert all(suspect.evidence.endswith(".") for suspect in found.suspects)
