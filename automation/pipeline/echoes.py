"""Our own writes that come back under keys which do not speak for themselves (Pipedrive's custom fields): ours by their names.

HubSpot's carry names, and are known as ours where they are read.
"""

from sqlmodel import Session

from automation.sources.base import Parsed
from automation.sources.properties import KEYS
from data.domain.event import OUR_PREFIX, Event
from data.domain.event_type import Verb
from data.warehouse import property_names


def marked(session: Session, parsed: Parsed) -> Parsed:
    """The same with `by_us` where nothing but fields of ours has changed."""
    if not any(_may_be_ours(event) for _, event in parsed.events):
        return parsed
    ours = {(row.source, row.kind, row.key) for row in property_names.every(session) if row.name.startswith(OUR_PREFIX)}

    def told(event: Event) -> Event:
        keys = {(event.entity.source, event.entity.kind.value, name) for name in event.properties}
        return event.model_copy(update={"by_us": True}) if _may_be_ours(event) and keys <= ours else event

    return Parsed([(place, told(event)) for place, event in parsed.events], parsed.rejects)


def _may_be_ours(event: Event) -> bool:
    return event.entity.source in KEYS and event.verb is Verb.CHANGED and bool(event.properties) and not event.by_us
