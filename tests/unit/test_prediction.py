"""Labels and grades."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data.domain.prediction import GRADES, Grade, Label, Prediction, grade, label

PROBABILITIES = st.floats(0, 1)
INSIDE = st.floats(0.01, 0.99)


def with_odds(odds: float) -> float:
    return odds / (1 + odds)


def test_the_letters_are_in_order() -> None:
    assert [letter for letter, _ in GRADES] == list(Grade)[:-1]
    assert [least for _, least in GRADES] == sorted((least for _, least in GRADES), reverse=True)


@given(INSIDE)
def test_the_average_lead_is_a_c(base_rate: float) -> None:
    assert grade(base_rate, base_rate) is Grade.C


@pytest.mark.parametrize(("letter", "least"), GRADES)
@given(base_rate=st.floats(0.05, 0.5))
def test_a_letter_begins_at_its_odds(letter: Grade, least: float, base_rate: float) -> None:
    base = base_rate / (1 - base_rate)
    assert grade(with_odds(base * least * 1.001), base_rate) is letter
    assert grade(with_odds(base * least * 0.999), base_rate) is list(Grade)[list(Grade).index(letter) + 1]


@given(PROBABILITIES, PROBABILITIES, PROBABILITIES)
def test_a_higher_score_never_has_a_worse_letter(one: float, other: float, base_rate: float) -> None:
    low, high = sorted((one, other))
    assert grade(high, base_rate).value <= grade(low, base_rate).value


@given(PROBABILITIES, PROBABILITIES)
def test_a_score_is_high_above_the_threshold_only(score: float, threshold: float) -> None:
    assert (label(score, threshold) is Label.HIGH) == (score > threshold)


@pytest.mark.parametrize("score", [-0.01, 1.01, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["score", "threshold", "confidence"])
def test_what_is_no_probability_is_refused(field: str, score: float) -> None:
    parts: dict[str, Any] = {
        "model": "m", "model_version": "1", "score": 0.5, "label": "low", "grade": "C", "threshold": 0.5, "confidence": 0.5,
        "base_value": 0.0, "factors": (),
    }  # fmt: skip
    assert Prediction(**parts).score == 0.5
    with pytest.raises(ValidationError, match=field):
        Prediction(**parts | {field: score})
