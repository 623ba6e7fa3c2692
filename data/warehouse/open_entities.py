"""Who is open: neither won nor lost by now, not deleted in the CRM, and not part of another."""

from collections.abc import Collection, Iterable, Sequence

from sqlmodel import Session, col, select

from data.domain.entity import EntityKind
from data.domain.event_type import VERBS, Verb, parts_of, type_of
from data.domain.fact import newest
from data.domain.outcome import NAMES_OF, result_of
from data.warehouse import facts
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow

GONE, BACK = frozenset({Verb.DELETED, Verb.ERASED}), frozenset({Verb.CREATED, Verb.RESTORED})


def open_ones(session: Session, kinds: Iterable[EntityKind], *, after: int, limit: int) -> list[EntityRow]:
    """At most so many entities of these kinds behind a row id, in the order of these; none where no more are open.

    Who has ended and is opened again is among them: it goes by what was told last, and not by outcomes, which are history.
    """
    wanted = frozenset(kinds)
    # A page of them at a time, and what is told of these: in one query a database may go through all facts for each page.
    while rows := _page(session, wanted, after, limit):
        not_open = _ended(session, rows) | _gone(session, wanted, [row.id for row in rows if row.id is not None])
        if found := [row for row in rows if row.id not in not_open]:
            return found
        after = rows[-1].id or after
    return []


def _page(session: Session, kinds: Collection[EntityKind], after: int, limit: int) -> Sequence[EntityRow]:
    query = (
        select(EntityRow)
        .where(col(EntityRow.id) > after, col(EntityRow.kind).in_([kind.value for kind in kinds]))
        .where(col(EntityRow.merged_into_id).is_(None))
        .order_by(col(EntityRow.id))
        .limit(limit)
    )
    return session.exec(query).all()


def _ended(session: Session, rows: Iterable[EntityRow]) -> set[int]:
    """Those of whom the newest value of any property says so."""
    owners = {row.id: EntityKind(row.kind) for row in rows if row.id is not None}
    names = frozenset[str]().union(*(NAMES_OF.get(kind, ()) for kind in owners.values()))
    told = facts.of_entities(session, owners, names)
    return {
        number
        for number, kind in owners.items()
        if any(result_of(kind, fact.name, fact.value) is not None for fact in newest(told[number]).values())
    }


def _gone(session: Session, kinds: Iterable[EntityKind], entity_ids: Collection[int]) -> set[int]:
    """Those that were deleted, and neither restored nor made anew after that."""
    types = [type_of(kind, verb) for kind in kinds for verb in GONE | BACK if verb in VERBS[kind]]
    query = select(EventRow.entity_id, EventRow.type, EventRow.occurred_at).where(
        col(EventRow.entity_id).in_(entity_ids), col(EventRow.type).in_(types)
    )
    # Of a deletion and another event at the same moment the deletion counts: a CRM makes nothing anew within a second.
    told = sorted((at, parts_of(type_)[1] in GONE, number) for number, type_, at in session.exec(query))
    last = {number: is_gone for _, is_gone, number in told}
    return {number for number, is_gone in last.items() if is_gone}
