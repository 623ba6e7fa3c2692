"""The pace of calls: never more in any window than the limit, never less than there is, and a rest for who does not answer."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.clients import hubspot, pipedrive, slack
from data.domain.pace import FAILURES_UNTIL_REST, LONGEST_REST, Rate, rest_after, take
from tests.support import NOON

RATES = st.builds(
    lambda calls, share, seconds: Rate(calls, seconds, max(1, int(calls * share))),
    st.integers(1, 200), st.floats(0, 1), st.sampled_from([1.0, 2.0, 10.0, 60.0]),
)  # fmt: skip
VENDORS = (hubspot.rate_of(100), hubspot.rate_of(2), pipedrive.rate_of(20), slack.MESSAGES, slack.METHODS)


def granted_at(rate: Rate, asked: list[tuple[float, int]]) -> list[float]:
    """The moment of each call that was granted, in seconds."""
    full_at, moments, at = NOON, [], 0.0
    for pause, wanted in asked:
        at += pause
        taken = take(full_at, NOON + timedelta(seconds=at), rate, wanted)
        full_at = taken.full_at
        moments += [at] * taken.granted
    return moments


@given(rate=RATES, asked=st.lists(st.tuples(st.floats(0, 20), st.integers(0, 300)), max_size=60))
def test_no_window_sees_more_calls_than_the_limit(rate: Rate, asked: list[tuple[float, int]]) -> None:
    moments = granted_at(rate, asked)
    for first, last in zip(moments, moments[rate.calls :], strict=False):
        assert last - first > rate.per_seconds - 1e-3


@pytest.mark.parametrize("rate", VENDORS)
def test_at_full_speed_a_window_is_not_a_microsecond_short(rate: Rate) -> None:
    full_at, now, moments = NOON, NOON, []
    while len(moments) <= rate.calls:
        taken = take(full_at, now, rate, 1)
        full_at, now = taken.full_at, now + taken.wait
        moments += [now] * taken.granted
    assert moments[rate.calls] - moments[0] >= timedelta(seconds=rate.per_seconds)


@given(rate=RATES, more=st.integers(1, 300))
def test_who_waits_as_long_as_told_gets_a_call(rate: Rate, more: int) -> None:
    full_at, now = NOON, NOON
    for _ in range(5):
        taken = take(full_at, now, rate, rate.burst + more)
        full_at, now = taken.full_at, now + taken.wait
        assert take(full_at, now, rate, 1).granted == 1


@given(rate=RATES)
def test_a_limit_that_was_not_used_gives_its_whole_burst(rate: Rate) -> None:
    late = NOON + timedelta(days=1)
    assert take(NOON, late, rate, 1000).granted == rate.burst


@pytest.mark.parametrize("rate", VENDORS)
def test_every_vendor_s_rate_keeps_its_burst_within_its_limit(rate: Rate) -> None:
    assert 1 <= rate.burst <= rate.calls


def test_a_vendor_that_never_answers_rests_longer_and_longer_up_to_a_bound() -> None:
    rests = [rest_after(failures) for failures in range(200)]
    assert rests[:FAILURES_UNTIL_REST] == [timedelta(0)] * FAILURES_UNTIL_REST
    assert all(earlier <= later for earlier, later in pairwise(rests))
    assert rests[-1] == LONGEST_REST
