"""What changed between two predictions adds up, and is said in words."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.prediction import Factor, Grade, Label, Prediction
from ml.learners.base import probability
from ml.serving.compare import compare

names = st.sampled_from(["page_views", "channel", "sessions", "is_first_visit"])
share = st.floats(-4, 4)
factors = st.dictionaries(names, st.tuples(st.none() | st.integers(0, 9), share), max_size=4)


def prediction(parts: dict[str, tuple[Any, float]], base: float = -2.0, version: str = "3") -> Prediction:
    score = float(probability(base + sum(part for _, part in parts.values())))
    return Prediction(
        model="lead_score", model_version=version, score=score, label=Label.LOW, grade=Grade.C, threshold=0.8,
        confidence=max(score, 1 - score), base_value=base,
        factors=tuple(Factor(feature=name, value=value, contribution=part) for name, (value, part) in parts.items()),
    )  # fmt: skip


@given(factors, factors, share, share)
def test_the_changes_add_up_to_the_difference(old: Any, new: Any, base: float, other_base: float) -> None:
    before, after = prediction(old, base), prediction(new, other_base)
    found = compare(before, after)
    changes = math.fsum(change.contribution_change for change in found.changes)
    assert changes + found.base_change == pytest.approx(found.after.log_odds - found.before.log_odds, abs=1e-12)
    assert found.base_change == pytest.approx(other_base - base, abs=1e-9)
    points = math.fsum(change.points_change for change in found.changes)
    assert points + found.base_points_change == pytest.approx(100 * (after.score - before.score), abs=1e-9)
    assert found.base_points_change == pytest.approx(100 * (probability(other_base) - probability(base)), abs=1e-6)
    sizes = [abs(change.contribution_change) for change in found.changes]
    assert sizes == sorted(sizes, reverse=True)
    assert {change.feature for change in found.changes} == old.keys() | new.keys()


@given(factors, share)
def test_the_same_twice_has_no_difference(parts: Any, base: float) -> None:
    found = compare(prediction(parts, base), prediction(parts, base))
    assert (found.log_odds_change, found.points_change, found.base_change) == (0, 0, 0)
    assert all(change.contribution_change == 0 for change in found.changes)
    assert found.summary.startswith("The score stays at")


@given(factors, factors, share, share)
def test_the_way_back_is_the_way_there_with_the_other_sign(old: Any, new: Any, base: float, other_base: float) -> None:
    there = compare(prediction(old, base), prediction(new, other_base))
    back = compare(prediction(new, other_base), prediction(old, base))
    assert back.log_odds_change == pytest.approx(-there.log_odds_change, abs=1e-12)
    there_by = {change.feature: change.points_change for change in there.changes}
    assert {change.feature: -change.points_change for change in back.changes} == pytest.approx(there_by)


def test_a_summary_says_what_a_rep_would_say() -> None:
    before = prediction({"page_views": (3, -0.5), "channel": ("email", 0.8), "is_first_visit": (True, 0.0)})
    after = prediction({"page_views": (14, 1.5), "channel": ("email", 0.1), "is_first_visit": (False, 0.4)})
    found = compare(before, after)
    assert found.summary == (
        "The score rises from 15.4% to 50.0% (+35 points); page views 3 -> 14: +35 points; "
        "channel still email: -8 points; is first visit yes -> no: +8 points"
    )


def test_another_version_is_told_with_its_own_part() -> None:
    parts = {"page_views": (3, 0.5)}
    found = compare(prediction(parts, -2.0, "3"), prediction(parts, -1.0, "4"))
    assert (found.before.model_version, found.after.model_version) == ("3", "4")
    assert "version 4 in place of 3, its base value: +15 points" in found.summary


def test_a_feature_that_one_version_does_not_know_counts_nothing_there() -> None:
    found = compare(prediction({}), prediction({"channel": ("email", 0.3)}))
    (change,) = found.changes
    assert (change.before, change.after, change.contribution_before, change.contribution_after) == (None, "email", 0.0, 0.3)


def test_only_the_largest_changes_are_said() -> None:
    many = {f"feature_{number}": (number, 0.5) for number in range(8)}
    found = compare(prediction({}), prediction(many))
    assert len(found.changes) == 8
    assert found.summary.count(" -> ") == 5
    assert found.summary.endswith("3 smaller changes")
