"""Records that were told of without a word of what they are: HubSpot's webhooks of what is new, or back, carry no values."""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session

from automation.pipeline.context import Loop
from automation.sources.properties import READ
from data.domain.event_type import Verb
from data.warehouse import enrichment_tries
from data.warehouse.events import Arrival

LOOK_UP = "crm_lookup"
NEW_HERE = frozenset({Verb.CREATED, Verb.RESTORED, Verb.MERGED})


def read_soon(loop: Loop, session: Session, fresh: Iterable[Arrival], now: datetime) -> None:
    """Lets the worker read them from their CRM within seconds, many in one call. Those that ask a model are read for that."""
    enrichment_tries.ask_soon(session, {each.entity_id for each in fresh if _is_bare(loop, each)}, LOOK_UP, now)


def _is_bare(loop: Loop, arrival: Arrival) -> bool:
    event = arrival.event
    readable = event.entity.source in loop.clients.crms and event.entity.kind in READ.get(event.entity.source, {})
    return readable and event.verb in NEW_HERE and not event.properties and not arrival.models
