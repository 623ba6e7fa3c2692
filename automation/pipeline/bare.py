"""Records that were told of without a word of what they are: HubSpot's webhooks of what is new, or back, carry no values."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlmodel import Session

from automation.pipeline.context import Loop
from automation.sources.properties import READ
from data.domain.event_type import Verb
from data.warehouse import enrichment_tries
from data.warehouse.entities import EntityRow
from data.warehouse.events import Arrival

LOOK_UP = "crm_lookup"
NEW_HERE = frozenset({Verb.CREATED, Verb.RESTORED, Verb.MERGED})


def read_soon(loop: Loop, session: Session, fresh: Iterable[Arrival], owners: Mapping[int, EntityRow], now: datetime) -> None:
    """Lets the worker read them from their CRM within seconds, many in one call. Those that ask a model are read for that."""
    bare = {each.entity_id for each in fresh if _is_bare(loop, each, owners[each.entity_id])}
    enrichment_tries.ask_soon(session, bare, LOOK_UP, now)


def _is_bare(loop: Loop, arrival: Arrival, owner: EntityRow) -> bool:
    """Also what is back after a deletion by which all that was known of it went: a change tells only what has changed."""
    event = arrival.event
    readable = event.entity.source in loop.clients.crms and event.entity.kind in READ.get(event.entity.source, {})
    if not readable or arrival.models or owner.is_deleted or owner.merged_into_id is not None:
        return False
    is_back = owner.deleted_at is not None and owner.looked_up_at is None
    return is_back or (event.verb in NEW_HERE and not event.properties)
