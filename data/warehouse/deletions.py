"""Which entities are known as deleted: the last that was told of their coming and going is that they went."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from data.domain.event_type import GONE, THERE, VERBS, Verb, type_of
from data.warehouse import facts
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow

GOING = {type_of(kind, verb) for kind, verbs in VERBS.items() for verb in verbs if verb in GONE}
STAYING = {type_of(kind, verb) for kind, verbs in VERBS.items() for verb in verbs if verb in THERE}
TURNING = GOING | {type_of(kind, verb) for kind, verbs in VERBS.items() for verb in verbs if verb in {Verb.RESTORED, Verb.MERGED}}


@dataclass(frozen=True)
class Deletion:
    """When its sender says that it happened, and when we heard of it."""

    occurred_at: datetime
    received_at: datetime


def note(session: Session, owners: Iterable[EntityRow], told: Iterable[tuple[int, Verb, datetime]]) -> None:
    """Brings to the rows of entities when they were last deleted, and seen again. The caller holds them.

    Parameters:
        told: (entity, verb, when it happened) of events that may not be stored yet; none of our own making.
    """
    rows = {row.id: row for row in owners if row.id is not None}
    moments = [each for each in told if each[0] in rows]
    concerned = {number for number, verb, _ in moments if verb in GONE or (verb in THERE and rows[number].deleted_at is not None)}
    if not concerned:
        return
    gone, there = (_newest(session, concerned, types) for types in (GOING, STAYING))
    for number in concerned:
        row = rows[number]
        here = [(verb, at) for one, verb, at in moments if one == number]
        row.deleted_at = _last(row.deleted_at, gone.get(number), *(at for verb, at in here if verb in GONE))
        row.restored_at = _last(row.restored_at, there.get(number), *(at for verb, at in here if verb in THERE))
        session.add(row)


def take_back(session: Session, owner: EntityRow, at: datetime) -> None:
    """What happened to an entity at a moment was no deletion. The caller holds its row, and has corrected the event."""
    if owner.id is None or owner.deleted_at != at:
        return
    owner.deleted_at = _newest(session, {owner.id}, GOING).get(owner.id)
    if owner.deleted_at is None:
        owner.restored_at = None
        facts.forget_gone(session, owner.id)
    session.add(owner)


def of_entities(session: Session, entity_ids: Iterable[int]) -> dict[int, Deletion]:
    """Entity id -> its deletion, of those that are known as deleted."""
    row, owner = EventRow, EntityRow
    is_deleted = or_(col(owner.restored_at).is_(None), col(owner.restored_at) <= col(owner.deleted_at))
    query = (
        select(row.entity_id, row.occurred_at, row.received_at)
        .join(owner, col(owner.id) == row.entity_id)
        .where(col(row.entity_id).in_(set(entity_ids)), col(row.type).in_(GOING), col(owner.deleted_at).is_not(None), is_deleted)
        .order_by(col(row.occurred_at), col(row.id))
    )
    return {number: Deletion(occurred_at, received_at) for number, occurred_at, received_at in session.exec(query)}


def turned_since(session: Session, moments: Mapping[int, datetime]) -> set[int]:
    """Those of these entities of which we have heard since its moment that it went, came back or took others in."""
    row = EventRow
    query = select(row.entity_id, func.max(row.received_at)).where(col(row.entity_id).in_(moments), col(row.type).in_(TURNING))
    return {number for number, at in session.exec(query.group_by(col(row.entity_id))) if at > moments[number]}


def _newest(session: Session, entity_ids: set[int], types: set[str]) -> dict[int, datetime]:
    """When the last event of these types happened to each entity, without those that we have made."""
    row = EventRow
    here = (col(row.entity_id).in_(entity_ids), col(row.type).in_(types), col(row.by_us).is_(False))
    return dict(session.exec(select(row.entity_id, func.max(row.occurred_at)).where(*here).group_by(col(row.entity_id))).all())


def _last(*moments: datetime | None) -> datetime | None:
    return max((at for at in moments if at is not None), default=None)
