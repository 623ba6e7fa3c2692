"""Nesting is counted as a parser would find it, without parsing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.nesting import DEEPEST, _depth, is_nested_beyond

TEXT = st.text(st.sampled_from('a"\\[]{},:\né{'), max_size=6)
JSON = st.recursive(
    st.none() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=30,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(JSON, st.booleans())
def test_levels_are_those_of_the_parsed_value(value: Any, ascii_only: bool) -> None:
    assert _depth(json.dumps(value, ensure_ascii=ascii_only).encode()) == depth(value)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a": "]]}}", "b\\"":'])
@pytest.mark.parametrize("closed", [True, False])
def test_the_limit_is_where_it_is_said_to_be(opening: bytes, closed: bool) -> None:
    levels = opening.count(b"[", 0, 1) + opening.count(b"{", 0, 2)
    times = DEEPEST // levels
    assert not is_nested_beyond(opening * times)
    assert is_nested_beyond(opening * (times + 1))


def test_many_brackets_beside_each_other_or_in_strings_are_not_deep() -> None:
    assert not is_nested_beyond(json.dumps([[]] * 1000).encode())
    assert not is_nested_beyond(json.dumps(["[" * 1000, '\\"' * 500, "\\" * 999]).encode())
    assert is_nested_beyond(b'"' + b"\\" * 4 + b'"' + b"[" * (DEEPEST + 1))


@given(st.binary(max_size=300))
def test_any_bytes_get_some_answer(body: bytes) -> None:
    assert is_nested_beyond(body) in {True, False}
    assert _depth(body) >= 0
