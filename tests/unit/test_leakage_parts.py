"""The statistics under the leak guard."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ml.training.leakage.names import says_outcome, sounds_like_identifier, sounds_like_outcome
from ml.training.leakage.power import Column, area, area_error, folds, joint_power, single_power
from ml.training.leakage.separation import VALUES, Split, gives_away, level_groups, split


def half_won(rows: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.arange(rows) % 2).astype(np.int64)


SPLITS = st.builds(Split, *[st.integers(0, 400)] * 4)


@given(SPLITS)
def test_a_split_means_the_same_from_every_side(one: Split) -> None:
    outside, swapped = Split(one.out_1, one.out_0, one.in_1, one.in_0), Split(one.in_0, one.in_1, one.out_0, one.out_1)
    for other in (outside, swapped):
        assert other.odds_ratio == pytest.approx(one.odds_ratio)
        assert other.share == pytest.approx(one.share, abs=1e-9)
        assert other.chance() == pytest.approx(one.chance(), abs=1e-9)
        assert (other.is_pure, other.is_copy) == (one.is_pure, one.is_copy)
    assert -1e-9 <= one.share <= 1 + 1e-9
    assert 1 <= one.odds_ratio_at_least <= max(one.odds_ratio, 1) + 1e-9


@given(SPLITS, st.integers(1, 1_000))
def test_more_columns_never_make_a_group_more_suspicious(one: Split, columns: int) -> None:
    if gives_away(one, VALUES, columns=columns * 10, named=False):
        assert gives_away(one, VALUES, columns=columns, named=False)


def test_the_odds_ratio_is_the_textbook_s() -> None:
    found = split(np.repeat([True, False], 100), np.repeat([1, 0, 1, 0], [80, 20, 20, 80]))
    assert found == Split(80, 20, 20, 80)
    assert found.odds_ratio == pytest.approx(80.5**2 / 20.5**2)
    assert found.odds_ratio_at_least == pytest.approx(found.odds_ratio * np.exp(-1.645 * np.sqrt(2 / 80.5 + 2 / 20.5)))


def test_levels_that_are_pure_by_chance_show_nothing() -> None:
    labels = half_won(400)
    codes = np.arange(400) // 4
    groups = level_groups(codes, labels, folds(labels, 2, 0))
    assert not any(gives_away(found, VALUES, columns=1, named=False) for found, _ in groups)


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(-5, 5)), min_size=4, max_size=60))
def test_the_area_is_the_usual_one(pairs: list[tuple[int, float]]) -> None:
    labels, scores = np.array([0, 1] + [label for label, _ in pairs]), np.array([0.0, 0.0] + [score for _, score in pairs])
    assert area(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


def test_the_area_s_error_is_the_paper_s() -> None:
    assert area_error(0.893, 51, 58) == pytest.approx(0.032, abs=0.001)  # Hanley and McNeil 1982, table II


def test_a_column_of_noise_has_no_power_on_unseen_rows() -> None:
    labels = half_won(2_000)
    generator = np.random.default_rng(0)
    for column in (
        Column("x", generator.normal(size=2_000), is_category=False),
        Column("x", generator.integers(0, 900, 2_000).astype(float), is_category=True),
    ):
        power = single_power(column, labels, folds(labels, 5, 0))
        assert power.auc < 0.56
        assert power.share < 0.01


def test_many_columns_of_noise_know_nothing_together() -> None:
    labels = half_won(500)
    generator = np.random.default_rng(0)
    columns = [Column(f"{number}", generator.normal(size=500), is_category=False) for number in range(300)]
    assert 0.4 < joint_power(columns, labels, 0).auc < 0.6


@pytest.mark.parametrize("name", ["lost_reason", "closeDate", "Amount Invoiced", "hs_is_closed_won", "call-duration"])
def test_names_that_sound_like_an_outcome(name: str) -> None:
    assert sounds_like_outcome(name)


@pytest.mark.parametrize("name", ["tenure", "Contract", "PaymentMethod", "PageValues", "wonder", "enclosed_area", "ExitRates"])
def test_names_that_do_not(name: str) -> None:
    assert not sounds_like_outcome(name)


def test_identifiers_and_outcomes_in_words() -> None:
    assert sounds_like_identifier("customerID")
    assert not sounds_like_identifier("idea")
    assert says_outcome(["open", "Closed won"])
    assert not says_outcome(["open", "wonderful"])
