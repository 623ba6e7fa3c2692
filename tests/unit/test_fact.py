"""Facts: what is worth storing of look-ups, and that leaving out the rest changes nothing that is known."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.fact import Dated, Fact, Origin, confirmation, newest, news, placed, text_of, told_by
from tests.support import NOON

ENTITY = 7
SECOND = timedelta(seconds=1)
VALUES = st.sampled_from([None, "a", "b"])


def event(name: str, value: str | None, occurred: int, known: int, number: int = 0) -> Fact:
    return Fact(ENTITY, name, value, NOON + occurred * SECOND, NOON + known * SECOND, Origin.EVENT, id=number)


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What is heard of one property, in the order of hearing: events, some of them late, and look-ups."""
    steps: list[tuple[str, Any]] = []
    for now in range(1, draw(st.integers(1, 12)) + 1):
        if draw(st.booleans()):
            steps.append(("look up", (10 * now, draw(VALUES))))
        else:
            steps.append(("event", (draw(st.integers(0, 10 * now)), 10 * now, draw(VALUES))))
    return steps


@given(lives())
def test_storing_only_what_changed_is_the_same_as_storing_every_look_up(steps: list[tuple[str, Any]]) -> None:
    stored: list[Fact] = []
    everything: list[Fact] = []
    looked_up_at = None
    for number, (kind, what) in enumerate(steps, 1):
        if kind == "look up":
            second, value = what
            looked_up_at = NOON + second * SECOND
            stored += [replace(fact, id=number) for fact in news(ENTITY, stored, {"p": value}, {"p"}, looked_up_at)]
            everything.append(Fact(ENTITY, "p", value, looked_up_at, looked_up_at, Origin.LOOKUP, id=number))
        else:
            occurred, known, value = what
            late = event("p", value, occurred, known, number)
            confirmed = confirmation(stored, late, looked_up_at)
            stored.append(late)
            stored += [replace(confirmed, id=number)] if confirmed else []
            everything.append(late)
        assert newest(stored)["p"].value == newest(everything)["p"].value
    assert len(stored) <= 2 * len(steps)


@given(lives())
def test_a_confirmation_is_known_no_sooner_than_the_event_that_makes_it_needed(steps: list[tuple[str, Any]]) -> None:
    stored = news(ENTITY, [], {"p": "a"}, {"p"}, NOON)
    for _, (occurred, known, value) in (step for step in steps if step[0] == "event"):
        late = event("p", value, occurred - 200, known)
        confirmed = confirmation(stored, late, NOON + 5 * SECOND)
        assert confirmed is None or confirmed.known_at == late.known_at
        stored.append(late)


def test_an_unchanged_look_up_is_not_stored_twice() -> None:
    first = news(ENTITY, [], {"p": "a", "empty": None, "nothing": None}, {"p", "empty"}, NOON)
    assert [(fact.name, fact.value, fact.known_at) for fact in first] == [("p", "a", NOON), ("empty", None, NOON)]
    assert news(ENTITY, first, {"p": "a", "empty": None, "nothing": None}, {"p", "empty"}, NOON + SECOND) == []
    changed = news(ENTITY, first, {"p": "b", "empty": None}, {"p", "empty"}, NOON + SECOND)
    assert [(fact.name, fact.value) for fact in changed] == [("p", "b")]


def test_what_we_wrote_is_ours_when_a_look_up_reads_it_and_not_when_somebody_changed_it() -> None:
    ours = [replace(event("note", "hot", 0, 0), by_us=True)]
    (read,) = news(ENTITY, ours, {"note": "hot"}, {"note"}, NOON + SECOND)
    assert read.by_us
    (changed,) = news(ENTITY, ours, {"note": "cold"}, {"note"}, NOON + SECOND)
    assert not changed.by_us


@given(st.lists(st.tuples(VALUES, st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8), st.randoms())
def test_the_newest_is_the_same_in_any_order(told: list[tuple[str | None, int, int]], random: Any) -> None:
    facts = [event("p", value, occurred, known, number) for number, (value, occurred, known) in enumerate(told)]
    wanted = newest(facts)
    random.shuffle(facts)
    assert newest(facts) == wanted
    assert wanted["p"].rank == max(fact.rank for fact in facts)


@given(st.datetimes(NOON.replace(tzinfo=None), timezones=st.just(NOON.tzinfo)))
def test_nothing_is_heard_of_before_it_happens(moment: datetime) -> None:
    assert told_by(moment, NOON + SECOND) == min(moment, NOON + SECOND)


@given(st.lists(st.integers(-50, 200), min_size=1, max_size=6, unique=True), st.lists(st.integers(0, 20), min_size=6, max_size=6))
def test_the_sender_s_order_is_kept_however_far_its_clock_is_ahead(dated: list[int], pauses: list[int]) -> None:
    """Events arrive one after the other, with pauses between them, in any order of their own moments."""
    told: list[Dated] = []
    now = NOON
    for seconds, pause in zip(dated, pauses, strict=False):
        now += (pause + 1) * SECOND
        told.append(Dated(NOON + seconds * SECOND, placed(NOON + seconds * SECOND, now, told)))
        assert told[-1].happened_at <= min(now, told[-1].occurred_at)
    told.sort(key=lambda each: each.occurred_at)
    happened = [each.happened_at for each in told]
    assert happened == sorted(set(happened))


KEPT = [
    (None, None), ("", None), (" \t", None), (" a ", " a "), (0, "0"), (1.5, "1.5"), (False, "false"), ([], "[]"),
    ({"a": None}, '{"a": null}'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), KEPT, ids=repr)
def test_values_are_kept_as_text(value: Any, text: str | None) -> None:
    assert text_of(value) == text
