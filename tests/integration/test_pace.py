"""A vendor's limit and its rest are shared by all who call it."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from automation.clients.pace import SharedPace
from data.db import Database
from data.domain.pace import FAILURES_UNTIL_REST, FIRST_CALL, FIRST_REST, Rate
from data.errors import NotNow, Permanent, Retryable
from data.warehouse import paces
from tests.support import FakeClock

RATE = Rate(calls=4, per_seconds=4.0, burst=2)
WIDE = Rate(calls=100, per_seconds=10.0, burst=50)


class Sleeper:
    """Sleeping moves the clock, and is remembered."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.slept = clock, list[float]()

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.move(seconds=seconds)


def paced(database: Database, clock: FakeClock, *, patience: float = 3.0) -> tuple[SharedPace, Sleeper]:
    sleeper = Sleeper(clock)
    return SharedPace(database, clock, patience, sleeper), sleeper


def call(pace: SharedPace, error: Exception | None = None, *, limit: str = "crm") -> None:
    with pace.call(limit, RATE, vendor="crm"):
        if error is not None:
            raise error


def test_a_call_waits_for_its_turn_and_who_would_wait_too_long_is_told_when(database: Database, clock: FakeClock) -> None:
    pace, sleeper = paced(database, clock)
    for _ in range(4):
        call(pace)
    assert [round(seconds, 2) for seconds in sleeper.slept] == [1.33, 1.33]
    hasty, slept = paced(database, clock, patience=0.5)
    with pytest.raises(NotNow, match="limit of calls") as told:
        call(hasty)
    assert (told.value.retry_after_seconds or 0) > 0.5
    assert slept.slept == []


def test_limits_are_apart_from_each_other(database: Database, clock: FakeClock) -> None:
    pace, sleeper = paced(database, clock)
    for limit in ("one", "two", "three"):
        call(pace, limit=limit)
        call(pace, limit=limit)
    assert sleeper.slept == []


def test_what_the_vendor_asks_for_is_kept_by_everybody(database: Database, clock: FakeClock) -> None:
    pace, _ = paced(database, clock)
    with pytest.raises(Retryable):
        call(pace, Retryable("429", retry_after_seconds=60, limited=True))
    other, _ = paced(database, clock)
    with pytest.raises(NotNow) as told:
        call(other)
    assert told.value.retry_after_seconds == pytest.approx(60, abs=0.1)
    clock.move(seconds=60)
    call(other)


def test_who_does_not_answer_is_left_alone_by_everybody_until_its_rest_is_over(database: Database, clock: FakeClock) -> None:
    pace, _ = paced(database, clock)
    for _ in range(FAILURES_UNTIL_REST):
        with pytest.raises(Retryable):
            call(pace, Retryable("502"))
    other, _ = paced(database, clock)
    with pytest.raises(NotNow, match="left alone"):
        call(other)
    clock.move(seconds=FIRST_REST.total_seconds() + 0.01)
    with pytest.raises(Retryable, match="still"):
        call(other, Retryable("still 502"))
    with pytest.raises(NotNow):
        call(pace)
    clock.move(seconds=2 * FIRST_REST.total_seconds() + 0.01)
    call(other)
    call(pace)


def test_a_refusal_is_an_answer(database: Database, clock: FakeClock) -> None:
    pace, _ = paced(database, clock, patience=60)
    for _ in range(FAILURES_UNTIL_REST - 1):
        with pytest.raises(Retryable):
            call(pace, Retryable("502"))
    with pytest.raises(Permanent):
        call(pace, Permanent("404"))
    for _ in range(FAILURES_UNTIL_REST - 1):
        with pytest.raises(Retryable):
            call(pace, Retryable("502"))
    call(pace)


def together(count: int, one: Callable[[], None]) -> None:
    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rested(database: Database, clock: FakeClock) -> None:
    """The vendor has failed, and its rest is over."""
    pace, _ = paced(database, clock, patience=60)
    for _ in range(FAILURES_UNTIL_REST):
        with pytest.raises(Retryable):
            call(pace, Retryable("502"))
    clock.move(seconds=FIRST_REST.total_seconds() + 0.01)


def test_calls_that_fail_in_the_same_instant_are_one_rest(database: Database, clock: FakeClock) -> None:
    under_way = threading.Barrier(12)

    def one() -> None:
        with suppress(Retryable), SharedPace(database, clock).call("crm", WIDE, vendor="crm"):
            under_way.wait(20)
            raise Retryable("502")

    together(12, one)
    with database.read() as session:
        (row,) = paces.every(session)
    assert (row.failures, row.rests_until) == (FAILURES_UNTIL_REST, clock.now() + FIRST_REST)


def test_after_a_rest_one_call_goes_first_and_the_others_follow_its_answer(database: Database, clock: FakeClock) -> None:
    rested(database, clock)
    refused, all_refused = list[NotNow](), threading.Event()
    tried = list[bool]()

    def one() -> None:
        try:
            with SharedPace(database, clock).call("crm", WIDE, vendor="crm"):
                tried.append(all_refused.wait(20))
        except NotNow as error:
            refused.append(error)
            if len(refused) == 11:
                all_refused.set()

    together(12, one)
    assert (tried, len(refused)) == ([True], 11)
    assert all("tried by one call" in error.detail and error.retry_after_seconds for error in refused)
    pace, _ = paced(database, clock)
    for _ in range(3):
        with pace.call("crm", WIDE, vendor="crm"):
            pass


def test_whose_first_call_after_a_rest_is_lost_is_tried_again(database: Database, clock: FakeClock) -> None:
    rested(database, clock)
    pace, _ = paced(database, clock)
    with suppress(KeyboardInterrupt), pace.call("crm", WIDE, vendor="crm"):
        raise KeyboardInterrupt
    with pytest.raises(NotNow, match="tried by one call"):
        call(pace)
    clock.move(seconds=FIRST_CALL.per_seconds)
    call(pace)


def test_the_first_call_after_a_rest_may_take_of_two_limits(database: Database, clock: FakeClock) -> None:
    rested(database, clock)
    pace, _ = paced(database, clock)
    with pace.call("crm search", WIDE, vendor="crm"):
        call(pace)
    rested(database, clock)
    with pytest.raises(Retryable, match="still"), pace.call("crm search", WIDE, vendor="crm"):
        call(pace, Retryable("still 502"))
    with database.read() as session:
        failures = {row.name: row.failures for row in paces.every(session)}
    assert failures["crm"] == FAILURES_UNTIL_REST + 1, "it is one failure"


def test_many_threads_together_stay_below_the_limit(database: Database, clock: FakeClock) -> None:
    granted, refused = list[None](), list[NotNow]()

    def one() -> None:
        try:
            call(SharedPace(database, clock, patience_seconds=0))
            granted.append(None)
        except NotNow as error:
            refused.append(error)

    together(12, one)
    assert (len(granted), len(refused)) == (RATE.burst, 12 - RATE.burst)
    clock.move(seconds=timedelta(seconds=4).total_seconds())
    call(SharedPace(database, clock, patience_seconds=0))
