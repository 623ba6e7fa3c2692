"""Calibrated scores keep their order, are never sure, and their factors still add up."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.prediction import LARGEST_LOG_ODDS
from ml.calibration import Calibration, CalibrationKind
from ml.learners.base import MOST_CANCELLED, carried, log_odds, probability, rescaled, shift_to_level
from ml.preparation.base import Floats, Ints
from ml.training import calibrate
from ml.training.calibrate import row_losses, simplest

kinds = pytest.mark.parametrize("kind", CalibrationKind)
far = st.floats(-60, 60)


@st.composite
def rows(draw: st.DrawFn) -> tuple[Floats, Ints]:
    """Log-odds and outcomes: few or many, with ties, both outcomes or one."""
    few = draw(st.lists(far, min_size=1, max_size=30))
    margins = np.array(few * draw(st.sampled_from([1, 60])))
    return margins, np.random.default_rng(draw(st.integers(0, 9))).integers(0, 2, len(margins))


def shares_of(*row: float) -> Floats:
    return np.array([row])


@kinds
@given(learned=rows(), asked=st.lists(far, min_size=2, max_size=40))
def test_a_higher_margin_never_scores_lower(kind: CalibrationKind, learned: Any, asked: list[float]) -> None:
    scores = calibrate.fit(kind, *learned).apply(np.sort(asked))
    assert (np.diff(scores) >= -1e-12).all()  # but for the last digit


@kinds
@given(learned=rows(), asked=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40))
def test_no_score_is_ever_0_or_1(kind: CalibrationKind, learned: Any, asked: list[float]) -> None:
    """Nor surer than one further row of the other outcome allows."""
    scores = probability(calibrate.fit(kind, *learned).apply(np.array(asked)))
    surest = 1 / (len(learned[1]) + 2)
    assert (scores >= min(surest, 1e-4) * 0.999).all()
    assert (scores <= 1 - min(surest, 1e-4) * 0.999).all()
    if len(learned[1]) < 1_000:
        assert scores.min() >= surest * 0.999


@kinds
@given(learned=rows(), shares=st.lists(st.lists(far, min_size=4, max_size=4), min_size=1, max_size=20))
def test_factors_add_up_after_calibration_too(kind: CalibrationKind, learned: Any, shares: list[list[float]]) -> None:
    made = calibrate.fit(kind, *learned)
    given_shares = np.array(shares)
    found = made.contributions(given_shares)
    assert np.allclose(found.sum(axis=1), made.apply(given_shares.sum(axis=1)), rtol=0, atol=1e-6)
    assert (found[:, :-1] * given_shares[:, :-1] >= -1e-9).all(), "a factor changed its sign"  # but for the last digit
    assert (np.abs(found) <= LARGEST_LOG_ODDS).all()


@kinds
def test_rows_without_factors_stay_at_the_base(kind: CalibrationKind) -> None:
    margins = np.linspace(-3, 3, 2_000)
    made = calibrate.fit(kind, margins, (margins > 0).astype(np.int64))
    assert made.contributions(np.zeros((0, 3))).shape == (0, 3)
    assert np.allclose(made.contributions(shares_of(0, 0, -1.0))[:, :2], 0)


def test_factors_that_cancel_out_stay_small_on_a_steep_curve() -> None:
    """A step of the curve between two nearly equal margins: stretched alike, these factors would be thousands."""
    made = Calibration(kind=CalibrationKind.ISOTONIC, xs=(0.0, 0.001), ys=(-4.0, 4.0), least=-9, most=9)
    found = made.contributions(shares_of(2.0, -1.999, 0.0))
    assert np.abs(found).max() <= 9
    assert found.sum() == pytest.approx(4.0)


def test_a_straight_map_stretches_every_factor_alike() -> None:
    made = Calibration(kind=CalibrationKind.SIGMOID, slope=0.5, intercept=-1.0, least=-9, most=9)
    assert np.allclose(made.contributions(shares_of(2.0, -1.0, 0.5)), [[1.0, -0.5, -0.75]])


@given(st.lists(st.lists(st.floats(-1, 1), min_size=5, max_size=5), min_size=1, max_size=20), st.floats(1e-6, 1 - 1e-6))
def test_shares_of_a_probability_become_shares_of_log_odds(shares: list[list[float]], rate: float) -> None:
    each = np.array(shares)
    shifted = np.column_stack([each, np.full(len(each), rate)])
    wanted = log_odds(np.clip(shifted.sum(axis=1), 0, 1))
    found = rescaled(shifted, log_odds(shifted[:, -1]), wanted)
    assert np.allclose(found.sum(axis=1), wanted, atol=1e-6)


@given(rows())
def test_a_shift_makes_expected_and_seen_the_same(learned: tuple[Floats, Ints]) -> None:
    margins, labels = learned
    found = probability(margins + shift_to_level(margins, labels)).sum()
    assert found / len(labels) == pytest.approx((labels.sum() + 0.5) / (len(labels) + 1), abs=1e-6)


def test_shares_that_cancel_out_at_a_steep_end_are_bounded() -> None:
    found = rescaled(shares_of(0.3, -0.301, 0.001), log_odds(np.array([0.001])), log_odds(np.array([0.0])))
    assert np.abs(found).max() <= MOST_CANCELLED + 14
    assert found.sum() == pytest.approx(float(log_odds(0.0)))
    assert found[0, 0] > 0 > found[0, 1]


@given(st.lists(far, min_size=2, max_size=6))
def test_points_of_probability_are_bounded_and_add_up(row: list[float]) -> None:
    found = carried(np.array([row]), probability)
    assert found.sum() == pytest.approx(float(probability(np.array([row]).sum())), abs=1e-12)
    assert (np.abs(found) <= 1 + 1e-9).all()


def test_the_base_rate_can_be_said_however_rare_it_is() -> None:
    labels = np.zeros(400_000, dtype=np.int64)
    labels[:4] = 1
    base = log_odds(labels.mean())
    assert calibrate.fit(CalibrationKind.NONE, np.full(len(labels), base), labels).apply(np.array([base])) == base


def test_a_sigmoid_brings_back_margins_that_are_too_sure() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(-1, 1.5, 5_000)
    labels = (generator.random(5_000) < probability(truth)).astype(np.int64)
    made = calibrate.fit(CalibrationKind.SIGMOID, 3 * truth + 1, labels)
    assert made.slope == pytest.approx(1 / 3, abs=0.03)
    assert made.intercept == pytest.approx(-1 / 3, abs=0.1)


def test_an_isotonic_curve_is_taken_where_no_sigmoid_fits() -> None:
    generator = np.random.default_rng(0)
    margins = generator.uniform(-3, 3, 6_000)
    labels = (generator.random(6_000) < np.where(np.abs(margins) < 1, 0.5, np.where(margins < 0, 0.05, 0.6))).astype(np.int64)
    halves = [(np.arange(3_000), np.arange(3_000, 6_000)), (np.arange(3_000, 6_000), np.arange(3_000))]
    made, losses = calibrate.choose(margins, labels, halves)
    assert made.kind is CalibrationKind.ISOTONIC
    assert losses["isotonic"] < losses["sigmoid"]


def test_what_is_calibrated_already_is_left_as_it_is() -> None:
    generator = np.random.default_rng(0)
    margins = generator.normal(0, 1.5, 6_000)
    labels = (generator.random(6_000) < probability(margins)).astype(np.int64)
    halves = [(np.arange(3_000), np.arange(3_000, 6_000)), (np.arange(3_000, 6_000), np.arange(3_000))]
    chosen = calibrate.choose(margins, labels, halves)[0]
    assert chosen.kind is not CalibrationKind.ISOTONIC
    assert chosen.apply(margins) == pytest.approx(margins, abs=0.3)


@given(st.floats(-15, 15), st.integers(0, 1))
def test_a_rows_loss_is_the_logarithm_of_what_it_was_given(margin: float, label: int) -> None:
    (loss,) = row_losses(np.array([margin]), np.array([label]))
    chance = probability(margin if label else -margin)
    assert loss == pytest.approx(-np.log(chance), rel=1e-6, abs=1e-9)


@given(st.lists(st.lists(st.floats(0, 5), min_size=6, max_size=6), min_size=1, max_size=5), st.integers(1, 6))
def test_the_simplest_is_within_an_error_of_the_best(losses: list[list[float]], rows: int) -> None:
    given_losses = [np.array(one[:rows]) for one in losses]
    place = simplest(given_losses)
    best = int(np.argmin([one.mean() for one in given_losses]))
    assert place <= best
    if rows > 1 and place < best:
        behind = given_losses[place] - given_losses[best]
        assert behind.mean() <= behind.std(ddof=1) / np.sqrt(rows)
        earlier = [one - given_losses[best] for one in given_losses[:place]]
        assert all(one.mean() > one.std(ddof=1) / np.sqrt(rows) for one in earlier)
