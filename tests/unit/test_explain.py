"""Factors in words."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.prediction import Factor
from ml.learners.base import probability
from ml.serving.explain import FEWEST_POINTS, NEUTRAL, in_words, points, points_in_words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "(unknown)"),
        ("", "(unknown)"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (3.0, "3"),
        (0.25, "0.25"),
        (70.35, "70.35"),
        (2026, "2026"),
        (1_234_567.8, "1,234,568"),
        (10**400, "1" + "0" * 59),
        (float("inf"), "inf"),
        ("email", "email"),
        ("x" * 99, "x" * 60),
    ],
)
def test_a_value_is_shown_as_a_person_would_say_it(value: Any, shown: str) -> None:
    assert (
        in_words(Factor(feature="is_first_visit", value=value, contribution=1.0))
        == f"is first visit {shown} raises the odds 2.7 times"
    )


@given(st.lists(st.lists(st.floats(-30, 30), min_size=5, max_size=5), min_size=1, max_size=9))
def test_points_add_up_to_the_score_less_the_base(rows: list[list[float]]) -> None:
    shares = np.array(rows)
    found = points(shares)
    wanted = 100 * (probability(shares.sum(axis=1)) - probability(shares[:, -1]))
    assert np.allclose(found.sum(axis=1), wanted, atol=1e-6)
    assert (found * shares[:, :-1] >= 0).all(), "a factor that raises the log-odds lowers the score"
    assert (np.abs(found) <= 100).all()


def test_points_of_large_factors_that_cancel_out_are_still_points() -> None:
    assert points(np.array([[5.0, -5.0, 0.0]])) == pytest.approx(np.array([[49.3, -49.3]]), abs=0.05)


def test_points_of_one_factor_are_the_whole_difference() -> None:
    assert points(np.array([[1.0, 0.0, -2.0]])) == pytest.approx(np.array([[26.894 - 11.920, 0.0]]), abs=0.001)


@given(st.floats(-100, 100))
def test_points_are_told_with_their_sign(change: float) -> None:
    said = in_words(Factor(feature="page_views", value=14, contribution=0.0, points=change))
    assert said == f"page views 14: {points_in_words(change)}"
    if abs(change) < FEWEST_POINTS:
        assert said == "page views 14: changes little"
    else:
        number = float(points_in_words(change).split()[0])
        assert abs(number - change) <= 0.5
        assert number * change > 0


@given(st.floats(-20, 20))
def test_the_sign_of_the_contribution_is_told(contribution: float) -> None:
    said = in_words(Factor(feature="channel", value="email", contribution=contribution))
    if abs(contribution) < NEUTRAL:
        assert said == "channel email changes little"
    else:
        verb = "raises" if contribution > 0 else "lowers"
        assert said == f"channel email {verb} the odds {math.exp(abs(contribution)):.1f} times"
