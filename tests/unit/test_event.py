"""An event is checked when it is made: its time, its kind, and that a change changes something."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from data.domain.entity import EntityKind, EntityRef
from data.domain.event import EARLIEST, FUTURE_TOLERANCE, Event, too_far_ahead
from data.domain.event_type import SHAPES, TYPES, VERBS, Carries, Verb, parts_of, type_of
from data.domain.property_type import PROPERTIES
from tests.support import NOON


def event(**changes: Any) -> Event:
    parts = {
        "dedupe_key": "1",
        "type": "contact.changed",
        "entity": EntityRef(source="generic", kind=EntityKind.CONTACT, id="1"),
        "occurred_at": NOON,
        "properties": {"a": 1},
    }
    return Event(**(parts | changes))


def ref(kind: EntityKind, number: str = "1", source: str = "generic") -> EntityRef:
    return EntityRef(source=source, kind=kind, id=number)


def fitting(name: str) -> dict[str, Any]:
    """The parts of an event of a type, as its verb wants them."""
    kind, verb = parts_of(name)
    targets = tuple(ref(kind, str(number)) for number in range(2, 2 + SHAPES[verb].targets[0]))
    properties = {"a": 1} if SHAPES[verb].properties is Carries.NEEDED else {}
    return {"type": name, "entity": ref(kind), "properties": properties, "targets": targets}


def test_every_kind_and_every_verb_has_its_types() -> None:
    assert set(VERBS) == set(EntityKind) == set(PROPERTIES)
    assert {verb for verbs in VERBS.values() for verb in verbs} == set(Verb) == set(SHAPES)
    assert len(TYPES) == len(set(TYPES))
    assert all(type_of(*parts_of(name)) == name for name in TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_an_event_fits_entities_of_its_own_kind_only(name: str) -> None:
    made = event(**fitting(name))
    assert (made.type, made.verb) == (name, parts_of(name)[1])
    for other in set(EntityKind) - {parts_of(name)[0]}:
        with pytest.raises(ValidationError, match="does not fit"):
            event(**fitting(name) | {"entity": ref(other)})


@pytest.mark.parametrize("name", TYPES)
def test_an_event_carries_what_its_verb_says(name: str) -> None:
    shape = SHAPES[parts_of(name)[1]]
    if shape.properties is Carries.NONE:
        with pytest.raises(ValidationError, match="carries no properties"):
            event(**fitting(name) | {"properties": {"a": 1}})
    few, many = ((), tuple(ref(parts_of(name)[0], str(number)) for number in range(2, 300)))
    for targets in (many, *([few] if shape.targets[0] else [])):
        with pytest.raises(ValidationError, match=r"targets?, found"):
            event(**fitting(name) | {"targets": targets})


def test_a_type_that_is_none_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(ValidationError, match=r"'contact\.create' is no event type; did you mean 'contact\.created'"):
        event(type="contact.create")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (ref(EntityKind.CONTACT), "the entity itself"),
        (ref(EntityKind.CONTACT, "2", "hubspot"), "another source"),
        (ref(EntityKind.DEAL), "cannot go into a contact"),
    ],
)
def test_what_cannot_go_into_an_entity_is_refused(target: EntityRef, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        event(type="contact.merged", properties={}, targets=(target,))


def test_a_change_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one property"):
        event(properties={})
    assert event(type="contact.created", properties={}).properties == {}


@pytest.mark.parametrize(
    "occurred_at",
    [
        EARLIEST - timedelta(microseconds=1),
        datetime(1970, 1, 21, tzinfo=UTC),
        NOON.replace(tzinfo=None),
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
    ],
    ids=str,
)
def test_an_impossible_time_is_refused(occurred_at: Any) -> None:
    with pytest.raises(ValidationError, match="occurred_at"):
        event(occurred_at=occurred_at)


def test_times_are_kept_in_utc() -> None:
    kept = event(occurred_at="2026-03-02T13:30:00+01:30").occurred_at
    assert (kept, kept.tzinfo) == (NOON, UTC)


def test_more_than_a_day_ahead_is_too_far() -> None:
    assert not too_far_ahead(event(occurred_at=NOON + FUTURE_TOLERANCE), NOON)
    assert too_far_ahead(event(occurred_at=NOON + FUTURE_TOLERANCE + timedelta(microseconds=1)), NOON)
