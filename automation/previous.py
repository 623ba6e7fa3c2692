"""What the properties of an event were before it, where its sender does not say so. HubSpot's webhooks never do.

By the facts, as soon as the event's own are among them. The door waits for it: one statement for a whole payload reads what was
before, and one writes it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlmodel import Session

from data.domain.event import Event
from data.domain.event_type import Verb
from data.domain.fact import NAMELESS, Fact
from data.domain.relation import LINK
from data.warehouse import events, facts


def fill_in(session: Session, told: Mapping[int, Event], added: Iterable[Fact], now: datetime) -> None:
    """Fills in the `previous` of events that are stored, by their ids. `added`: the facts of them, which are known since `now`."""
    asked = [fact for fact in added if (event := told.get(fact.event_id or 0)) is not None and _is_unsaid(event, fact.name)]
    if not asked:
        return
    found: dict[int, dict[str, str | None]] = {}
    for former in facts.formers(session, {fact.entity_id for fact in asked}, {fact.name for fact in asked}, now):
        if former.event_id in told and _is_unsaid(told[former.event_id], former.name):
            found.setdefault(former.event_id, {})[former.name] = former.value
    events.set_previous(session, {number: {**values, **told[number].previous} for number, values in found.items()})


def _is_unsaid(event: Event, name: str) -> bool:
    """Whether the event did something to the property, and its sender leaves open what it was before."""
    if name in event.previous or name == NAMELESS or name.startswith(LINK):
        return False
    return event.verb is Verb.DELETED or (event.verb is Verb.CHANGED and name in event.properties)
