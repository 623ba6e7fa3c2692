"""Factors in words."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.prediction import Factor
from ml.serving.explain import NEUTRAL, in_words


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
        ("email", "email"),
        ("x" * 99, "x" * 60),
    ],
)
def test_a_value_is_shown_as_a_person_would_say_it(value: Any, shown: str) -> None:
    assert (
        in_words(Factor(feature="is_first_visit", value=value, contribution=1.0))
        == f"is first visit {shown} raises the odds 2.7 times"
    )


@given(st.floats(-20, 20))
def test_the_sign_of_the_contribution_is_told(contribution: float) -> None:
    said = in_words(Factor(feature="channel", value="email", contribution=contribution))
    if abs(contribution) < NEUTRAL:
        assert said == "channel email changes little"
    else:
        verb = "raises" if contribution > 0 else "lowers"
        assert said == f"channel email {verb} the odds {math.exp(abs(contribution)):.1f} times"
