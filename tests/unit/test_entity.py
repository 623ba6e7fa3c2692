"""What is known of an entity does not depend on the order in which it came to be known."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data.domain.entity import EntityKind, EntityRef, Known, merged, stamp
from tests.support import NOON

Fact = tuple[dict[str, Any], datetime]

CHANGES = st.dictionaries(st.sampled_from("abcd"), st.none() | st.integers() | st.text(max_size=3), max_size=3)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
FACTS = st.lists(st.tuples(CHANGES, MOMENTS), max_size=6, unique_by=lambda fact: fact[1])


@given(FACTS, st.randoms())
def test_the_order_of_arrival_does_not_matter(facts: list[Fact], random: Any) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)
    assert merged(Known(), shuffled) == merged(Known(), facts)


@given(FACTS)
def test_each_value_is_the_newest_one(facts: list[Fact]) -> None:
    newest: dict[str, Any] = {}
    for changes, _ in sorted(facts, key=lambda fact: fact[1]):
        newest |= changes
    assert merged(Known(), facts).values == newest


@given(FACTS, CHANGES, MOMENTS)
def test_the_same_fact_twice_changes_nothing(facts: list[Fact], changes: dict[str, Any], at: datetime) -> None:
    once = merged(Known(), facts).merged(changes, at)
    assert once.merged(changes, at) == once


@given(CHANGES, CHANGES, MOMENTS, st.timedeltas(timedelta(microseconds=1), timedelta(days=9)))
def test_an_older_value_never_overwrites_a_newer(new: dict[str, Any], old: dict[str, Any], at: datetime, age: timedelta) -> None:
    known = Known().merged(new, at).merged(old, at - age)
    assert known.values == {**old, **new}
    assert {name: known.times[name] for name in new} == dict.fromkeys(new, stamp(at))


@given(CHANGES, MOMENTS)
def test_what_was_known_before_is_left_as_it_was(changes: dict[str, Any], at: datetime) -> None:
    before = Known(values={"a": 1}, times={"a": stamp(NOON)})
    before.merged(changes, at)
    assert before == Known(values={"a": 1}, times={"a": stamp(NOON)})


@given(MOMENTS, MOMENTS)
def test_stamps_order_as_instants_do(one: datetime, other: datetime) -> None:
    assert (stamp(one) < stamp(other)) == (one < other)
    assert len(stamp(one)) == len(stamp(other))


@given(MOMENTS, st.integers(-14, 14))
def test_an_instant_has_one_stamp_in_every_zone(moment: datetime, hours: int) -> None:
    assert stamp(moment.astimezone(timezone(timedelta(hours=hours)))) == stamp(moment)


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb", "a\x00b"])
def test_an_id_that_is_no_id_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        EntityRef(source="generic", kind=EntityKind.CONTACT, id=name)


def test_an_entity_reads_as_its_name() -> None:
    assert str(EntityRef(source="hubspot", kind=EntityKind.DEAL, id="7")) == "hubspot deal 7"
