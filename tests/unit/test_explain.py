"""Factors in words."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.prediction import Factor
from ml.features.sets import SETS
from ml.learners.base import probability
from ml.serving.explain import FEWEST_POINTS, NEUTRAL, in_words, points, points_in_words
from ml.serving.phrases import LONGEST, phrase


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
        in_words(Factor(feature="has_replied", value=value, contribution=1.0)) == f"has replied {shown}: raises the odds 2.7 times"
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
    assert said == f"14 pages seen: {points_in_words(change)}"
    if abs(change) < FEWEST_POINTS:
        assert said == "14 pages seen: changes little"
    else:
        number = float(points_in_words(change).split()[0])
        assert abs(number - change) <= 0.5
        assert number * change > 0


@given(st.floats(-20, 20))
def test_the_sign_of_the_contribution_is_told(contribution: float) -> None:
    said = in_words(Factor(feature="channel", value="email", contribution=contribution))
    if abs(contribution) < NEUTRAL:
        assert said == "came by email: changes little"
    else:
        verb = "raises" if contribution > 0 else "lowers"
        assert said == f"came by email: {verb} the odds {math.exp(abs(contribution)):.1f} times"


FEATURES = sorted({name for made in SETS.values() for subject in made.subjects for name in subject.columns})


@pytest.mark.parametrize("feature", FEATURES)
@given(value=st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80))
def test_every_feature_that_we_make_is_said_as_a_rep_would(feature: str, value: Any) -> None:
    assert phrase(feature, "1") is not None
    assert phrase(feature, None) is None
    said = phrase(feature, value)
    assert said is None or 0 < len(said) <= LONGEST
    assert in_words(Factor(feature=feature, value=value, contribution=0.5, points=12.4)).endswith(": +12 points")


@pytest.mark.parametrize(
    ("feature", "value", "said"),
    [
        ("sessions_growth_7d", 4.0, "visited 4 times in the last 7 days"),
        ("page_views_growth_30d", 1.0, "1 page seen in the last 30 days"),
        ("events_trend_30d", 1.4567, "1.5 times as much happened in the last 30 days as in the 30 before"),
        ("days_since_last_event", 0.00347, "last heard of less than a day ago"),
        ("days_since_last_event", 1.2, "last heard of a day ago"),
        ("engagement_cadence_days", 12.6, "comes every 13 days"),
        ("deal_amount", "12500", "worth 12,500"),
        ("note_text", "Wants a demo for forty people", "its notes say: Wants a demo for forty people"),
        ("notes_written", 1.0, "1 note written"),
        ("days_since_note", 3.4, "last note 3 days ago"),
        ("channel", "paid_search", "came by paid search"),
        ("company_annual_revenue", 1_500_000.0, "its company: annual revenue 1,500,000"),
        ("sessions", "many", None),
        ("shoe_size", 43, None),
    ],
)
def test_phrases_read_well(feature: str, value: Any, said: str | None) -> None:
    assert phrase(feature, value) == said
