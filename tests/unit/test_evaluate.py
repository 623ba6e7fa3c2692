"""The figures of unseen rows: right on tables where they are known, and fair where scores are tied."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.learners.base import probability
from ml.preparation.base import Floats, Ints
from ml.training import evaluate

scored = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=60)


def honest(rows: int, seed: int = 0) -> tuple[Ints, Floats]:
    """Scores that are the true chances."""
    generator = np.random.default_rng(seed)
    scores = probability(generator.normal(-1, 1.5, rows))
    return (generator.random(rows) < scores).astype(np.int64), scores


def test_true_chances_are_calibrated_and_halved_ones_are_not() -> None:
    labels, scores = honest(20_000)
    assert evaluate.ece(labels, scores) < 0.01
    assert evaluate.ece(labels, scores / 2) == pytest.approx(labels.mean() / 2, abs=0.01)


@given(scored)
def test_every_row_is_in_one_group(rows: list[tuple[int, float]]) -> None:
    labels, scores = np.array([label for label, _ in rows]), np.array([score for _, score in rows])
    for parts in (evaluate.reliability(labels, scores), evaluate.deciles(labels, scores)):
        assert 1 <= len(parts) <= evaluate.GROUPS
        assert sum(part.rows for part in parts) == len(rows)
        assert sum(part.rows * part.observed for part in parts) == pytest.approx(labels.sum())
        assert all(part.low <= part.observed + 1e-9 and part.observed - 1e-9 <= part.high for part in parts)


@given(scored, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_figure(rows: list[tuple[int, float]], random: object) -> None:
    """Among equal scores too, of which there are many where an isotonic curve or the base rate answers."""
    few = [(label, round(score, 1)) for label, score in rows]
    mixed = list(few)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    found = []
    for one in (few, mixed):
        labels, scores = np.array([label for label, _ in one]), np.array([score for _, score in one])
        found.append((evaluate.ece(labels, scores), [part.lift for part in evaluate.deciles(labels, scores)]))
    assert found[0][0] == pytest.approx(found[1][0])
    assert found[0][1] == pytest.approx(found[1][1], nan_ok=True)


def test_one_score_for_all_is_one_group_that_lifts_nobody() -> None:
    labels = np.r_[np.zeros(900, dtype=np.int64), np.ones(100, dtype=np.int64)]
    scores = np.full(1_000, 0.1)
    assert len(evaluate.reliability(labels, scores)) == 1
    assert evaluate.ece(labels, scores) == pytest.approx(0)
    assert [part.lift for part in evaluate.deciles(labels, scores)] == pytest.approx([1.0] * 10)


def test_the_best_tenth_of_a_perfect_score_has_all_the_wins_it_can() -> None:
    labels = np.r_[np.ones(50, dtype=np.int64), np.zeros(950, dtype=np.int64)]
    parts = evaluate.deciles(labels, np.linspace(1, 0, 1_000))
    assert (parts[0].observed, parts[0].lift) == (0.5, 10.0)
    assert all(part.observed == 0 for part in parts[1:])


@pytest.mark.parametrize(("wins", "rows", "low", "high"), [(0, 10, 0.0, 0.217), (10, 10, 0.783, 1.0), (3, 10, 0.093, 0.606)])
def test_the_interval_of_a_rate_is_jeffreyss(wins: int, rows: int, low: float, high: float) -> None:
    """Brown, Cai and DasGupta 2001; at 0 and at all wins the bound itself is taken."""
    assert evaluate.rate_interval(wins, rows) == pytest.approx((low, high), abs=0.001)


def test_grades_are_counted_with_how_they_turned_out() -> None:
    labels, scores = honest(5_000)
    observed = evaluate.by_grade(labels, scores, float(labels.mean()))
    assert sum(row.rows for row in observed) == 5_000
    rates = [row.rate for row in observed]
    assert [row.grade for row in observed] == ["A", "B", "C", "D", "E"]
    assert rates == sorted(rates, reverse=True)
    assert all(row.low <= row.rate <= row.high for row in observed)


def test_a_bootstrap_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(60):
        labels, _ = honest(200, seed)
        low, high = evaluate.bootstrap(lambda rows, labels=labels: float(labels[rows].mean()), 200, seed=seed)
        hits += low <= 0.3294 <= high  # the mean of a logistic-normal(-1, 1.5), by 10 million draws
    assert hits >= 52  # of 60; 57 are expected
