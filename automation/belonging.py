"""Whose company an entity is of, as the features see it: what its properties name, else the last link that is still there."""

from collections.abc import Iterable, Mapping, Sequence

from sqlmodel import Session

from automation.memory import LookedUp
from data.domain.entity import EntityKind
from data.domain.fact import Fact
from data.domain.relation import RELATIONS, ROLES, Role, target_of
from data.warehouse import entities, facts
from data.warehouse.entities import EntityRow

NAMING = frozenset(name for name, role in ROLES.items() if role is Role.COMPANY)


def companies(session: Session, rows: Iterable[EntityRow], just_read: Mapping[int, Sequence[LookedUp]]) -> dict[int, EntityRow]:
    """Entity id -> its company, for those that have one that is known here; a company's own is itself.

    `just_read`: look-ups that nobody has stored yet; what they say of a property is newer than what is stored.
    """
    owners = {row.id: row for row in rows if row.id is not None}
    told = facts.of_entities(session, owners, NAMING)
    links = facts.links_of(session, owners, EntityKind.COMPANY)
    found: dict[int, int] = {}
    for number, row in owners.items():
        company = _named_just_now(session, row, just_read.get(number, ()))
        company = company or _target(told[number]) or _linked(links[number])
        if row.kind == EntityKind.COMPANY:
            company = number
        if company is not None:
            found[number] = company
    known = entities.by_ids(session, found.values())
    return {number: known[company] for number, company in found.items() if company in known}


def _named_just_now(session: Session, row: EntityRow, look_ups: Sequence[LookedUp]) -> int | None:
    names = [name for name, role in RELATIONS.get((row.source, EntityKind(row.kind)), {}).items() if role is Role.COMPANY]
    refs = (target_of(row.ref, name, each.values[name]) for each in look_ups for name in names if name in each.values)
    rows = (entities.find(session, ref) for ref in refs if ref is not None)
    return next((found.id for found in rows if found is not None), None)


def _target(told: Sequence[Fact]) -> int | None:
    return max(told, key=lambda fact: fact.rank).target_id if told else None


def _linked(links: Sequence[Fact]) -> int | None:
    made = [fact for fact in links if fact.value is not None]
    if not made:
        return None
    last = max(made, key=lambda fact: fact.rank)
    return max((fact for fact in links if fact.name == last.name), key=lambda fact: fact.rank).target_id
