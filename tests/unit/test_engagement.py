"""The features of the lead score, from anything that a CRM may hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.features import engagement
from ml.features.build import from_properties

ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())
FEATURES = [getattr(engagement, name) for name in engagement.TOLD]


@pytest.mark.parametrize("feature", FEATURES, ids=engagement.TOLD)
@given(lead=st.dictionaries(st.sampled_from(engagement.TOLD), ANY))
def test_no_property_breaks_a_feature(feature: Any, lead: dict[str, Any]) -> None:
    made = from_properties("lead_score", lead)[feature.__name__]
    assert repr(made) == repr(feature(lead))


@given(st.dictionaries(st.sampled_from((*engagement.TOLD, "events_7d", "industry")), ANY))
def test_the_five_come_first_and_what_else_is_given_stays(lead: dict[str, Any]) -> None:
    made = from_properties("lead_score", lead)
    assert tuple(made)[:5] == engagement.TOLD
    assert made.keys() == {*engagement.TOLD, *lead}
    assert repr(from_properties("lead_score", made)) == repr(made)


@pytest.mark.parametrize(
    "sessions",
    ["²", "١", "1.", ".", "1.0.0", "-1", "1e999", "9" * 400, float("inf"), float("nan"), 10**5_000],
    ids=lambda v: str(v)[:8] if not isinstance(v, int) else "huge",
)
def test_an_odd_number_of_sessions_does_not_break_the_first_visit(sessions: Any) -> None:
    assert engagement.is_first_visit({"sessions": sessions}) in {True, False, None}


@pytest.mark.parametrize(
    ("sessions", "first"),
    [
        (1, True),
        (2, False),
        (1.0, True),
        (10, False),
        (None, None),
        ("", None),
        ("many", None),
        ("1_000", None),
        ("inf", None),
        ("-1", True),
    ],
)
def test_the_first_visit_follows_from_the_sessions(sessions: Any, first: bool | None) -> None:
    assert engagement.is_first_visit({"sessions": sessions}) is first


@given(st.integers(0, 10**9))
def test_sessions_as_text_tell_the_same(sessions: int) -> None:
    assert engagement.is_first_visit({"sessions": sessions}) is engagement.is_first_visit({"sessions": str(sessions)})


@pytest.mark.parametrize("told", [True, False, "no", 0])
def test_a_first_visit_that_is_told_is_believed(told: Any) -> None:
    assert engagement.is_first_visit({"is_first_visit": told, "sessions": 1}) == told


@pytest.mark.parametrize("channel", ["EMAIL", " email ", "Email"])
def test_a_channel_is_in_lower_case(channel: str) -> None:
    assert engagement.channel({"channel": channel}) == "email"


def test_a_model_without_a_row_sees_the_columns_as_they_are() -> None:
    assert from_properties("own_table", {"Anything": 1}) == {"Anything": 1}
