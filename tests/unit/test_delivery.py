"""How long a delivery waits after a failure."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.delivery import FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS, backoff

ATTEMPTS = st.integers(0, 10_000)
LONGEST = timedelta(seconds=LONGEST_BACKOFF_SECONDS)


def test_the_wait_doubles() -> None:
    assert [backoff(n).total_seconds() for n in range(1, 12)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600]


@given(ATTEMPTS)
def test_the_wait_grows_up_to_its_cap(attempts: int) -> None:
    assert timedelta(seconds=FIRST_BACKOFF_SECONDS) <= backoff(attempts) <= backoff(attempts + 1) <= LONGEST


@given(ATTEMPTS, st.floats(0, 86_400))
def test_a_longer_retry_after_wins(attempts: int, seconds: float) -> None:
    assert backoff(attempts, seconds) == max(backoff(attempts), timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [None, 0, -5, -math.inf])
def test_a_retry_after_that_asks_for_nothing_changes_nothing(seconds: float | None) -> None:
    assert backoff(3, seconds) == backoff(3)


@pytest.mark.parametrize("seconds", [1e15, math.inf])
def test_an_absurd_retry_after_is_a_wait_nevertheless(seconds: float) -> None:
    assert backoff(1, seconds) >= backoff(1)
