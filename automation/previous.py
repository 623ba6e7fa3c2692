"""What the properties of an event were before it, where its sender does not say so. HubSpot's webhooks never do.

By the facts, as soon as the event's own are among them. The door waits for it: one statement for a whole payload reads what was
before, and one writes it. What comes late is what was before those that came ahead of it: they are corrected.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from automation.sources import hubspot, ours
from data.domain.event import Event
from data.domain.event_type import Verb, parts_of
from data.domain.fact import NAMELESS, Fact
from data.domain.relation import LINK
from data.warehouse import events, facts
from data.warehouse.events import Saying

# Whose payloads never say what was before, so that all that their events have of it was filled in.
SILENT = frozenset({hubspot.NAME, ours.NAME})


def fill_in(session: Session, told: Mapping[int, Event], added: Iterable[Fact], now: datetime) -> None:
    """Fills in the `previous` of events that are stored, and of those that happened next.

    `told`: the events, by their ids. `added`: facts that are known since `now`, those of the events among them.
    """
    asked = [fact for fact in added if not _is_said(told, fact)]
    if not asked:
        return
    before: dict[int, dict[str, str | None]] = {}
    for former in facts.formers(session, {fact.entity_id for fact in asked}, {fact.name for fact in asked}, now):
        before.setdefault(former.event_id, {})[former.name] = former.value
    said = {number: _saying(told[number]) for number in before if number in told}
    if overtaken := before.keys() - said.keys():
        said |= events.sayings(session, overtaken)
    filled = {number: _filled(said[number], values) for number, values in before.items()}
    events.set_previous(session, {number: values for number, values in filled.items() if values != said[number].previous})


def _is_said(told: Mapping[int, Event], fact: Fact) -> bool:
    """Whether nobody asks what was before: the sender says so himself, or it is no property."""
    event = told.get(fact.event_id or 0)
    return fact.name == NAMELESS or fact.name.startswith(LINK) or (event is not None and fact.name in event.previous)


def _saying(event: Event) -> Saying:
    return Saying(event.type, event.properties, event.previous, event.entity.source)


def _filled(said: Saying, before: Mapping[str, str | None]) -> dict[str, Any]:
    """What an event has of before, with what its sender leaves open."""
    verb = parts_of(said.type)[1]
    theirs = {} if said.source in SILENT else said.previous
    ours_to_say = {
        name: value
        for name, value in before.items()
        if name not in theirs and (verb is Verb.DELETED or (verb is Verb.CHANGED and name in said.properties))
    }
    return {**said.previous, **ours_to_say}
