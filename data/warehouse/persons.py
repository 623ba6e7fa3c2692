"""Who belongs to a person: their contacts in all sources, the records about them, and what those say of them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from data.domain.entity import EntityKind, EntityRef
from data.domain.person import OWN
from data.domain.relation import link_name
from data.warehouse.cascade import chunks
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow

CONTACT = EntityKind.CONTACT.value


def ids_of(session: Session, refs: Iterable[EntityRef]) -> set[int]:
    """The rows of those that have one."""
    found: set[int] = set()
    by_kind: dict[tuple[str, str], set[str]] = {}
    for ref in refs:
        by_kind.setdefault((ref.source, ref.kind.value), set()).add(ref.id)
    for (source, kind), numbers in by_kind.items():
        for some in chunks(numbers):
            here = (EntityRow.source == source, EntityRow.kind == kind, col(EntityRow.vendor_id).in_(some))
            found |= {number for number in session.exec(select(EntityRow.id).where(*here)) if number is not None}
    return found


def refs_of(session: Session, entity_ids: Iterable[int]) -> dict[int, EntityRef]:
    found: dict[int, EntityRef] = {}
    for some in chunks(entity_ids):
        found |= {row.id: row.ref for row in session.exec(select(EntityRow).where(col(EntityRow.id).in_(some))) if row.id}
    return found


def named_by_address(session: Session, addresses: Iterable[str]) -> set[int]:
    """The contacts whose own name in their source is one of these addresses, in any case."""
    query = select(EntityRow.id).where(EntityRow.kind == CONTACT, func.lower(EntityRow.vendor_id).in_(sorted(addresses)))
    return {number for number in session.exec(query) if number is not None}


def merged_with(session: Session, entity_ids: Iterable[int]) -> set[int]:
    """These, with all that went into them and that they went into."""
    found, new = set(entity_ids), set(entity_ids)
    while new:
        met: set[int] = set()
        for some in chunks(new):
            either = or_(col(EntityRow.merged_into_id).in_(some), col(EntityRow.id).in_(some))
            for number, into in session.exec(select(EntityRow.id, EntityRow.merged_into_id).where(either)):
                met |= {one for one in (number, into) if one is not None}
        new = met - found
        found |= new
    return found


def contacts_among(session: Session, entity_ids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for some in chunks(entity_ids):
        query = select(EntityRow.id).where(col(EntityRow.id).in_(some), EntityRow.kind == CONTACT)
        found |= {number for number in session.exec(query) if number is not None}
    return found


def told_of(session: Session, entity_ids: Iterable[int]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(entity, properties) as ever told of these: by what is known, by events, and what they had been before that."""
    for some in chunks(entity_ids):
        for number, name, value in session.exec(
            select(FactRow.entity_id, FactRow.name, FactRow.value).where(col(FactRow.entity_id).in_(some))
        ):
            yield number, {name: value}
        events = select(EventRow.entity_id, EventRow.properties, EventRow.previous).where(col(EventRow.entity_id).in_(some))
        for number, properties, previous in session.exec(events):
            yield number, properties
            yield number, previous


def linked_with(session: Session, entity_ids: Iterable[int]) -> dict[int, set[int]]:
    """Entity -> the other records that it has ever named, or that have ever named it."""
    found: dict[int, set[int]] = {number: set() for number in entity_ids}
    for some in chunks(found):
        query = select(FactRow.entity_id, FactRow.target_id).where(
            or_(col(FactRow.target_id).in_(some), col(FactRow.entity_id).in_(some)), col(FactRow.target_id).is_not(None)
        )
        for one, other in session.exec(query.distinct()):
            assert other is not None
            for here, there in ((one, other), (other, one)):
                if here in found:
                    found[here].add(there)
    return found


def naming(session: Session, entity_ids: Iterable[int]) -> set[int]:
    """The records of which a link with one of these is told, were it only that it has ended."""
    by_source: dict[str, set[str]] = {}
    for ref in refs_of(session, entity_ids).values():
        by_source.setdefault(ref.source, set()).add(link_name(ref))
    return {owner for source, names in by_source.items() for _, owner in _links(session, source, names)}


def still_there(session: Session, refs: Iterable[EntityRef]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """(table, key) of the rows that these records still have, and of the links with them."""
    told = list(refs)
    for number in ids_of(session, told):
        yield "entities", (number,)
    for source in {ref.source for ref in told}:
        names = {link_name(ref) for ref in told if ref.source == source}
        for number, _ in _links(session, source, names):
            yield "facts", (number,)


def _links(session: Session, source: str, names: Iterable[str]) -> list[tuple[int, int]]:
    """(fact, entity) of the facts by these names, of entities of a source."""
    found: list[tuple[int, int]] = []
    for some in chunks(names):
        query = (
            select(FactRow.id, FactRow.entity_id)
            .join(EntityRow, col(EntityRow.id) == FactRow.entity_id)
            .where(col(FactRow.name).in_(some), EntityRow.source == source)
        )
        found += [(number, owner) for number, owner in session.exec(query) if number is not None]
    return found


def of_kinds(session: Session, entity_ids: Iterable[int], kinds: Iterable[EntityKind] = OWN) -> set[int]:
    wanted = [kind.value for kind in kinds]
    found: set[int] = set()
    for some in chunks(entity_ids):
        query = select(EntityRow.id).where(col(EntityRow.id).in_(some), col(EntityRow.kind).in_(wanted))
        found |= {number for number in session.exec(query) if number is not None}
    return found


def last_told(session: Session, entity_ids: Iterable[int]) -> dict[int, Any]:
    """Entity -> when the last thing that we heard of it happened: a source's clock may be ahead of ours."""
    found: dict[int, Any] = {}
    for some in chunks(entity_ids):
        query = select(EventRow.entity_id, func.max(EventRow.occurred_at)).where(col(EventRow.entity_id).in_(some))
        found |= dict(session.exec(query.group_by(col(EventRow.entity_id))).all())
    return found
