"""Which entities are known as deleted: the last that was told of their coming and going is that they went."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from data.domain.event_type import BACK, GONE, VERBS, Verb, type_of
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow

TYPES = {type_of(kind, verb): verb for kind, verbs in VERBS.items() for verb in verbs if verb in GONE | BACK}


@dataclass(frozen=True)
class Deletion:
    """When its sender says that it happened, and when we heard of it."""

    occurred_at: datetime
    received_at: datetime


def note(session: Session, owners: Iterable[EntityRow], told: Iterable[tuple[int, Verb, datetime]]) -> None:
    """Brings to the rows of entities when they were last deleted, and came back. The caller holds them.

    Parameters:
        told: (entity, verb, when it happened) of events that may not be stored yet.
    """
    rows = {row.id: row for row in owners if row.id is not None}
    moments = [each for each in told if each[0] in rows]
    concerned = {number for number, verb, _ in moments if verb in GONE or (verb in BACK and rows[number].deleted_at is not None)}
    if not concerned:
        return
    event = EventRow
    query = select(event.entity_id, event.type, event.occurred_at).where(
        col(event.entity_id).in_(concerned), col(event.type).in_(TYPES)
    )
    moments += [(number, TYPES[name], at) for number, name, at in session.exec(query)]
    for number in concerned:
        row = rows[number]
        row.deleted_at = _newest(row.deleted_at, (at for one, verb, at in moments if one == number and verb in GONE))
        row.restored_at = _newest(row.restored_at, (at for one, verb, at in moments if one == number and verb in BACK))
        session.add(row)


def _newest(known: datetime | None, moments: Iterable[datetime]) -> datetime | None:
    return max((*moments, *([known] if known is not None else [])), default=None)


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
        if TYPES[name] in GONE:
            found[number] = Deletion(occurred_at, received_at)
        else:
            found.pop(number, None)
    return found
