"""Token buckets: a burst, then a rate; nobody's count is another's, and no number of callers takes all memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.limits import MOST_KEYS, NOBODY, Bucket, network_of


def test_a_burst_passes_and_then_the_rate() -> None:
    bucket = Bucket(2, 10)
    assert [bucket.take("ada", 100.0) for _ in range(10)] == [0.0] * 10
    assert bucket.take("ada", 100.0) == pytest.approx(0.5)
    assert bucket.is_empty("ada", 100.0)
    assert bucket.take("ada", 100.49) > 0
    assert bucket.take("ada", 100.5) == 0.0
    assert bucket.take("ada", 100.5) == pytest.approx(0.5)


def test_to_wait_as_told_is_enough() -> None:
    bucket, now = Bucket(3, 1), 5.0
    for _ in range(20):
        now += bucket.take("ada", now) + 1e-9
    assert now == pytest.approx(5 + 19 / 3 / 1.9, rel=0.5)  # every second try passes


def test_one_callers_flood_is_not_anothers() -> None:
    bucket = Bucket(1, 1)
    assert bucket.take("eve", 0.0) == 0.0
    assert bucket.take("eve", 0.0) > 0
    assert bucket.take("ada", 0.0) == 0.0


def test_a_rate_of_none_is_no_limit() -> None:
    bucket = Bucket(0, 0)
    assert not any(bucket.take("ada", 0.0) for _ in range(1000))
    assert not bucket.is_empty("ada", 0.0)


@given(
    st.floats(0.1, 100),
    st.floats(1, 50),
    st.lists(st.tuples(st.floats(-10, 10), st.sampled_from("ab")), max_size=100),
)
def test_never_more_than_the_burst_and_what_has_flown_back(rate: float, burst: float, steps: list[tuple[float, str]]) -> None:
    bucket, now, forwards, passed = Bucket(rate, burst), 0.0, 0.0, {"a": 0, "b": 0}
    for step, key in steps:
        now, forwards = now + step, forwards + abs(step)
        passed[key] += bucket.take(key, now) == 0.0
        assert passed[key] <= burst + rate * forwards + 1e-6


def test_many_callers_take_bounded_room_and_the_busy_ones_stay_counted() -> None:
    bucket = Bucket(1, 2)
    for number in range(3 * MOST_KEYS):
        bucket.take(f"once-{number}", 0.0)
        bucket.take("busy", 0.0)
    assert len(bucket._levels) <= MOST_KEYS
    later = 10.0  # all are as good as new by now
    bucket.take("another", later)
    bucket.take("another", later)
    for number in range(MOST_KEYS):
        bucket.take(f"more-{number}", later)
        if number % 1000 == 0:
            later += 1
            bucket.take("another", later)
    bucket.take("another", later)
    bucket.take("another", later)
    assert len(bucket._levels) <= MOST_KEYS
    assert bucket.is_empty("another", later)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("2001:db8::1", "2001:db8::"),
        ("2001:db8:0:0:ffff::1", "2001:db8::"),
        ("2001:db8:0:1::1", "2001:db8:0:1::"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("testclient", "testclient"),
        ("x" * 1000, "x" * 64),
        ("", NOBODY),
    ],
)
def test_ipv6_is_counted_by_network(address: str, network: str) -> None:
    assert network_of(address) == network
