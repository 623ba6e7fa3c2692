"""A fact: what a property of an entity was, since when, and when we came to know it. Facts are added, never changed.

A fact is visible at a moment t if it had happened by then and we knew of it by then: from max(occurred_at, known_at) on.
A property's value at t is that of the visible fact with the greatest occurred_at (ties: known_at, then id).
"""

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

# An event without any property still happened: it is one fact without a name.
NAMELESS = ""
# No CRM allows longer names (HubSpot: 100, Pipedrive: 255), and PostgreSQL indexes nothing much longer.
LONGEST_NAME = 255


class Origin(StrEnum):
    EVENT = "event"  # somebody told us: known when it was received
    FOUND = "found"  # we looked for what had changed in the CRM: known when it was found
    LOOKUP = "lookup"  # we asked the CRM: true and known at the moment of asking
    BACKFILL = "backfill"  # the vendor's own history: known when the vendor knew it


@dataclass(frozen=True)
class Fact:
    """One property of one entity. `target_id` is the entity that the value names, where it is a relation's id."""

    entity_id: int
    name: str
    value: str | None
    occurred_at: datetime
    known_at: datetime
    origin: Origin
    by_us: bool = False
    event_id: int | None = None
    target_id: int | None = None
    id: int = 0
    """Its place in the order of storing; 0 before it is stored."""

    @property
    def rank(self) -> tuple[datetime, datetime, int]:
        """The greatest rank of a property's visible facts has its value."""
        return self.occurred_at, self.known_at, self.id


def newest(facts: Iterable[Fact]) -> dict[str, Fact]:
    """Property -> the fact that has its value, among facts of one entity; the order in which they come does not matter."""
    found: dict[str, Fact] = {}
    for fact in facts:
        if fact.name not in found or fact.rank >= found[fact.name].rank:
            found[fact.name] = fact
    found.pop(NAMELESS, None)
    return found


def news(entity_id: int, stored: Iterable[Fact], told: Mapping[str, str | None], asked: Container[str], at: datetime) -> list[Fact]:
    """What of a look-up's answer is worth storing, given all facts of its entity: what is new or has changed.

    An empty value is news only where it was asked for by name: it says that the CRM has nothing there. The first look-up
    of a property is stored even if it says what an event said, so that `confirmation` knows that look-ups read it.
    """
    stored = list(stored)
    current = newest(stored)
    read_before = {fact.name for fact in stored if fact.origin is Origin.LOOKUP}
    found = []
    for name, value in told.items():
        now = current.get(name)
        if now is None and value is None and name not in asked:
            continue
        if now is not None and now.value == value and name in read_before:
            continue
        ours = now is not None and now.by_us and now.value == value  # what we wrote came back by this way
        found.append(Fact(entity_id, name, value, at, at, Origin.LOOKUP, by_us=ours))
    return found


def confirmation(stored: Iterable[Fact], late: Fact, looked_up_at: datetime | None) -> Fact | None:
    """The unchanged look-up that was not stored, where a late event from before it would otherwise win over it.

    It is known from the late event's arrival on, so nothing that was scored before changes.
    """
    same = [fact for fact in stored if fact.name == late.name]
    if looked_up_at is None or late.occurred_at >= looked_up_at or not any(fact.origin is Origin.LOOKUP for fact in same):
        return None
    current = newest(same)[late.name]
    if current.occurred_at >= looked_up_at or late.occurred_at < current.occurred_at:
        return None
    return replace(current, occurred_at=looked_up_at, known_at=late.known_at, origin=Origin.LOOKUP, event_id=None, id=0)


def told_by(occurred_at: datetime, received_at: datetime) -> datetime:
    """When an event happened, for us: nothing is heard of before it happens, so a CRM's clock that is ahead is set right."""
    return min(occurred_at, received_at)


@dataclass(frozen=True)
class Dated:
    """An event: the moment that its sender gives it, and the one that it has for us."""

    occurred_at: datetime
    happened_at: datetime


def placed(occurred_at: datetime, received_at: datetime, others: Iterable[Dated]) -> datetime:
    """When an event happened, for us, given other events of its entity. Which came first is for the sender to say.

    Others that the sender dates later may have been set back to when they were received. It then lies before them, by as much
    as the sender says, or where there is less room between two others, in the middle.
    """
    others = list(others)
    later = [each for each in others if each.occurred_at > occurred_at]
    earlier = [each.happened_at for each in others if each.occurred_at < occurred_at]
    before = (each.happened_at - (each.occurred_at - occurred_at) for each in later)
    latest = told_by(occurred_at, received_at)
    at = min([latest, *before])
    if later and earlier and at <= max(earlier):
        return min(latest, max(earlier) + (min(each.happened_at for each in later) - max(earlier)) / 2)
    return at


def text_of(value: Any) -> str | None:
    """A property's value as the text that a CRM would keep of it; None where it is empty.

    >>> text_of(5), text_of(True), text_of("  "), text_of(["a", 1]), text_of(-0.0)
    ('5', 'true', None, '["a", 1]', '0.0')
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return str(value + 0.0 if isinstance(value, float) else value)  # no CRM writes a zero with a sign
