"""An event is checked when it is made: its time, its kind, and that a change changes something."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from data.domain.entity import EntityKind, EntityRef
from data.domain.event import EARLIEST, FUTURE_TOLERANCE, Event, EventType, too_far_ahead
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


@pytest.mark.parametrize("kind", EventType)
def test_every_type_names_a_kind_and_a_verb(kind: EventType) -> None:
    assert f"{kind.kind}.{kind.verb}" == kind
    assert kind.verb in {"created", "changed", "deleted"}


@pytest.mark.parametrize("kind", EventType)
def test_an_event_fits_entities_of_its_own_kind_only(kind: EventType) -> None:
    for other in EntityKind:
        entity = EntityRef(source="generic", kind=other, id="1")
        if other is kind.kind:
            assert event(type=kind, entity=entity).type is kind
        else:
            with pytest.raises(ValidationError, match="does not fit"):
                event(type=kind, entity=entity)


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
