"""Stores what a CRM, or a file that was taken out of one, tells of the past."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from automation.deal_stages import Flags, flags, stage_of
from automation.erasure.records import past_without_erased
from automation.memory import identify, told_texts
from automation.settling import settle
from data.domain.entity import EntityRef
from data.domain.fact import Fact
from data.domain.past import Change, PastRecord, facts_of
from data.domain.relation import target_of
from data.warehouse import entities, facts, property_names


@dataclass(frozen=True)
class Stored:
    """How many records were read, and how many facts of theirs were new."""

    records: int
    facts: int


def store(session: Session, records: Sequence[PastRecord], now: datetime) -> Stored:
    """Stores records with their past, without those who were erased; what is known already changes nothing. Asks no model."""
    read = len(records)
    records = past_without_erased(session, [_readable(record) for record in records])
    ids = entities.ensure(session, {ref for record in records for ref in (record.ref, *record.links, *_named(record))}, now)
    owners = entities.lock(session, {ids[record.ref] for record in records})
    beside = flags(session, [(record.ref, {change.name: change.value}) for record in records for change in record.changes])
    records = [_with_flags(record, beside) for record in records]
    stored = facts.of_entities(session, owners)
    keys = {(row.source, row.kind, row.key): row.name for row in property_names.every(session)}
    found: list[Fact] = []
    for record in records:
        number = ids[record.ref]
        told = [_under_its_name(record.ref, fact, keys) for fact in stored[number]]
        found += [
            _with_target(record.ref, fact, ids) for fact in facts_of(record, number, owners[number].created_at, told, ids, now)
        ]
    facts.add(session, found)
    identify(session, found, {ids[record.ref]: record.ref for record in records}, now)
    settle(session, {ids[record.ref]: record.ref.kind for record in records}, now)
    return Stored(read, len(found))


def _readable(record: PastRecord) -> PastRecord:
    """Without what no database takes and what says nothing."""
    changes = (
        Change(change.name, value, change.at, change.by_us)
        for change in record.changes
        for value in told_texts(record.ref.source, {change.name: _storable(change.value)}).values()
    )
    return PastRecord(record.ref, record.created_at, tuple(changes), record.links)


def _with_flags(record: PastRecord, beside: Flags) -> PastRecord:
    """With what its stages say, where its own history does not have that."""
    there = {change.name for change in record.changes}
    found = (
        replace(change, name=name, value=value)
        for change in record.changes
        for name, value in beside.get(stage_of(record.ref, {change.name: change.value}), {}).items()
        if name not in there
    )
    return replace(record, changes=(*record.changes, *found))


def _storable(value: str | None) -> str | None:
    """Half an emoji or a NUL counts as missing: one value must not stop a million others."""
    if value is None or "\x00" in value:
        return None
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return value


def _named(record: PastRecord) -> set[EntityRef]:
    found = (target_of(record.ref, change.name, change.value) for change in record.changes)
    return {target for target in found if target is not None}


def _under_its_name(ref: EntityRef, fact: Fact, keys: dict[tuple[str, str, str], str]) -> Fact:
    name = keys.get((ref.source, ref.kind.value, fact.name))
    return fact if name is None else replace(fact, name=name)


def _with_target(ref: EntityRef, fact: Fact, ids: dict[EntityRef, int]) -> Fact:
    target = None if fact.target_id is not None else target_of(ref, fact.name, fact.value)
    return fact if target is None or target not in ids else replace(fact, target_id=ids[target])
