"""Which entities are known as deleted: the last that was told of their coming and going is that they went."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from data.domain.event_type import VERBS, Verb, type_of
from data.warehouse.events import EventRow

GOING = frozenset({Verb.DELETED, Verb.ERASED})
COMING = frozenset({Verb.CREATED, Verb.RESTORED})
TYPES = {type_of(kind, verb): verb for kind, verbs in VERBS.items() for verb in verbs if verb in GOING | COMING}


@dataclass(frozen=True)
class Deletion:
    """When its sender says that it happened, and when we heard of it."""

    occurred_at: datetime
    received_at: datetime


def of_entities(session: Session, entity_ids: Iterable[int]) -> dict[int, Deletion]:
    """Entity id -> its deletion, of those that are known as deleted."""
    row = EventRow
    query = (
        select(row.entity_id, row.type, row.occurred_at, row.received_at)
        .where(col(row.entity_id).in_(set(entity_ids)), col(row.type).in_(TYPES))
        .order_by(col(row.occurred_at), col(row.id))
    )
    found: dict[int, Deletion] = {}
    for number, name, occurred_at, received_at in session.exec(query):
        if TYPES[name] in GOING:
            found[number] = Deletion(occurred_at, received_at)
        else:
            found.pop(number, None)
    return found
