"""When to train again, by table."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ml.monitoring.when import RULES, Found, Limits, Why, decide
from tests.support import NOON

DAY = timedelta(days=1)
LIMITS = Limits(every=30 * DAY, pause=DAY, growth=0.2, fewest_new=100)
QUIET = Found(now=NOON, examples=1_100, examples_then=1_000, trained_at=NOON - 5 * DAY, tried_at=NOON - 5 * DAY)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"examples": 1_199}, None),
        ({"examples": 1_200}, Why.GROWN),
        ({"examples": 1_200, "drifted": ("channel",)}, Why.DRIFT),
        ({"drifted": ("channel",)}, Why.DRIFT),
        ({"dropped": ("auc",)}, Why.LIVE_DROP),
        ({"dropped": ("auc",), "drifted": ("channel",)}, Why.LIVE_DROP),
        ({"trained_at": NOON - 30 * DAY}, Why.TIME),
        ({"trained_at": NOON - 29 * DAY}, None),
        # Nothing new to learn from: whatever hurts, the same rows make the same version.
        ({"examples": 1_099, "dropped": ("auc",), "drifted": ("channel",)}, None),
        ({"examples": 1_099, "trained_at": NOON - 400 * DAY}, None),
        ({"examples": 900}, None),
        # Too soon after the last one, also after one that failed.
        ({"tried_at": NOON - DAY / 2, "dropped": ("auc",)}, None),
        ({"tried_at": NOON - DAY, "dropped": ("auc",)}, Why.LIVE_DROP),
        # Never trained from the warehouse.
        ({"examples": 99, "examples_then": 0, "trained_at": None, "tried_at": None}, None),
        ({"examples": 100, "examples_then": 0, "trained_at": None, "tried_at": None}, Why.GROWN),
    ],
)  # fmt: skip
def test_the_first_rule_that_applies_gives_the_reason(changes: dict[str, object], why: Why | None) -> None:
    decided = decide(replace(QUIET, **changes), LIMITS)  # type: ignore[arg-type]
    assert (decided.reason.why if decided.reason else None) == why
    assert decided.said


def test_the_words_say_what_and_how_much() -> None:
    assert "channel" in decide(replace(QUIET, drifted=("channel",)), LIMITS).said
    assert "200 finished examples are new since the training of 2026-02-25" in decide(replace(QUIET, examples=1_200), LIMITS).said
    assert "100 are needed" in decide(replace(QUIET, examples=1_010), LIMITS).said
    assert "no other before 2026-03-02 18:00" in decide(replace(QUIET, tried_at=NOON - 0.75 * DAY), LIMITS).said


def test_time_alone_may_be_switched_off() -> None:
    old = replace(QUIET, trained_at=NOON - 400 * DAY)
    assert decide(old, replace(LIMITS, every=None)).reason is None
    assert decide(QUIET, LIMITS).due_at == NOON + 25 * DAY
    assert decide(QUIET, replace(LIMITS, every=None)).due_at is None


def test_drift_that_stays_does_not_train_in_a_loop() -> None:
    """A year in which every look sees drift and ten examples a day are finished: trained when there is something to learn."""
    trained, now, examples, then = 0, NOON, 1_000, 1_000
    at = NOON
    for _ in range(4 * 365):
        now, examples = now + DAY / 4, examples + 2 + (_ % 2)
        found = Found(now, examples, then, at, at, drifted=("channel",))
        if decide(found, LIMITS).reason is not None:
            trained, at, then = trained + 1, now, examples
    assert trained <= 365 * 10 / LIMITS.fewest_new


def test_every_reason_but_the_hand_has_its_rule() -> None:
    assert {why for why, _ in RULES} == set(Why) - {Why.BY_HAND}
