"""Secrets never get into the log."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.log import REDACTED, SECRET_WORDS, redact

SECRET = "s3cr3t-t0ken-value"
PLAIN = st.none() | st.integers() | st.text()
NESTED = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner), max_leaves=6
)


def cleaned(**event: Any) -> dict[str, Any]:
    return dict(redact(None, "info", event))


@pytest.mark.parametrize("word", SECRET_WORDS)
@pytest.mark.parametrize("name", ["{}", "hubspot_{}", "{}_v3", "X-{}-v3"])
@pytest.mark.parametrize("change", [str, str.upper, str.title])
def test_a_value_whose_name_is_a_secrets_is_replaced(word: str, name: str, change: Any) -> None:
    assert cleaned(**{change(name.format(word)): SECRET, "kept": 1}) == {change(name.format(word)): REDACTED, "kept": 1}


@pytest.mark.parametrize(
    "value",
    [
        {"token": SECRET},
        {"headers": {"Authorization": SECRET}},
        {"a": {"b": {"c": {"api_key": SECRET}}}},
        {"token": {"inner": SECRET}},
        {"token": [SECRET]},
        [{"token": SECRET}],
        {"requests": [{"headers": {"cookie": SECRET}}]},
        ({"password": SECRET},),
        {7: {"token": SECRET}},
    ],
    ids=str,
)
def test_a_secret_is_replaced_at_any_depth(value: Any) -> None:
    found = str(cleaned(value=value))
    assert SECRET not in found
    assert REDACTED in found


@given(st.dictionaries(st.sampled_from(["event", "count", "source"]), NESTED))
def test_everything_else_stays_as_it_is(event: dict[str, Any]) -> None:
    assert cleaned(**event) == event


def test_the_callers_own_values_are_not_changed() -> None:
    headers = {"Authorization": SECRET}
    cleaned(headers=headers)
    assert headers == {"Authorization": SECRET}
