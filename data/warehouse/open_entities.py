"""Who is open: neither won nor lost by now, not deleted in the CRM, and not part of another."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import and_, false, func, or_, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from data.domain.entity import EntityKind
from data.domain.event_type import VERBS, Verb, type_of
from data.domain.outcome import ENDINGS_OF
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow

GONE, BACK = (Verb.DELETED, Verb.ERASED), (Verb.CREATED, Verb.RESTORED)


def open_ones(session: Session, kinds: Iterable[EntityKind], *, after: int, limit: int) -> list[EntityRow]:
    """Entities of these kinds behind a row id, in the order of these.

    Who has ended and is opened again is among them: it goes by what was told last, and not by outcomes, which are history.
    """
    wanted = tuple(kinds)
    query = (
        select(EntityRow)
        .where(col(EntityRow.id) > after, col(EntityRow.kind).in_([kind.value for kind in wanted]))
        .where(col(EntityRow.merged_into_id).is_(None), ~_has_ended(wanted), ~_is_gone(wanted))
        .order_by(col(EntityRow.id))
        .limit(limit)
    )
    return list(session.exec(query))


def _has_ended(kinds: Iterable[EntityKind]) -> Any:
    """Whether the newest value of any property says so."""
    newer = aliased(FactRow)
    later = and_(
        col(newer.entity_id) == FactRow.entity_id,
        col(newer.name) == FactRow.name,
        tuple_(newer.occurred_at, newer.known_at, newer.id) > tuple_(FactRow.occurred_at, FactRow.known_at, FactRow.id),
    )
    ends = [
        and_(col(EntityRow.kind) == kind.value, col(FactRow.name) == name, func.lower(FactRow.value) == word)
        for kind in kinds
        for name, word in ENDINGS_OF.get(kind, {})
    ]
    said = select(FactRow.id).where(FactRow.entity_id == EntityRow.id, or_(false(), *ends), ~select(newer.id).where(later).exists())
    return said.correlate(EntityRow).exists()


def _is_gone(kinds: Iterable[EntityKind]) -> Any:
    """Whether it was deleted, and neither restored nor made anew after that."""
    back = aliased(EventRow)
    came_back = and_(
        col(back.entity_id) == EventRow.entity_id,
        col(back.type).in_(_types(kinds, BACK)),
        col(back.occurred_at) > EventRow.occurred_at,
    )
    deleted = select(EventRow.id).where(
        EventRow.entity_id == EntityRow.id,
        col(EventRow.type).in_(_types(kinds, GONE)),
        ~select(back.id).where(came_back).exists(),
    )
    return deleted.correlate(EntityRow).exists()


def _types(kinds: Iterable[EntityKind], verbs: Iterable[Verb]) -> list[str]:
    return [type_of(kind, verb) for kind in kinds for verb in verbs if verb in VERBS[kind]]
