"""What webhooks missed, as the items of the events that would have told it: the CRM's word, held against what is known here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from automation.clients.history import Current, Links
from automation.memory import told_texts
from data.column_types import unstorable
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import OUR_PREFIX
from data.domain.event_type import VERBS, Verb, type_of
from data.domain.fact import Fact, newest
from data.domain.relation import LINK, link_name
from data.warehouse import deletions, entities, facts, property_names
from data.warehouse.deletions import Deletion
from data.warehouse.entities import EntityRow

# A webhook may be under way still, and a CRM's search is behind its records by some seconds.
LAG = timedelta(minutes=2)
# Looked at twice, for a change that the search did not show yet; what is known by then makes no event.
OVERLAP = timedelta(minutes=10)

Item = dict[str, Any]
Names = Mapping[tuple[str, str, str], str]


@dataclass(frozen=True)
class Known:
    """What is known of a record: nothing, its facts, and whether it counts as deleted."""

    told: Sequence[Fact] = ()
    deletion: Deletion | None = None
    restored_at: datetime | None = None
    """When it was last told to be back, as its sender dates it."""
    is_part: bool = False
    """It has become part of another one, and is looked at no more."""


def missed_of(session: Session, records: Sequence[Current], asked_at: datetime) -> list[Item]:
    """The items of the events that would have told what is not known of these records, which were so when they were asked for."""
    known = known_of(session, [entities.find(session, record.ref) for record in records])
    names = {(row.source, row.kind, row.key): row.name for row in property_names.every(session)}
    found: list[Item] = []
    for record, its in zip(records, known, strict=True):
        found += merge_items(session, record.ref, record.merged, record.changed_at)
        item = None if its.is_part else _item(record, its, names, asked_at)
        found += [] if item is None else [item]
    return found


def missed_links(session: Session, records: Sequence[Current], links: Links, asked_at: datetime) -> list[Item]:
    """The items of the events that would have told whom these records belong to."""
    found: list[Item] = []
    for record, its in zip(records, known_of(session, [entities.find(session, record.ref) for record in records]), strict=True):
        number = record.ref.id
        for kind, ends in links.items() if not its.is_part and its.deletion is None else ():
            found += link_items(record.ref, its, kind, ends[number], asked_at) if number in ends else []
    return found


def known_of(session: Session, rows: Sequence[EntityRow | None]) -> list[Known]:
    """What is known of each."""
    ids = {row.id for row in rows if row is not None and row.id is not None}
    stored, gone = facts.of_entities(session, ids), deletions.of_entities(session, ids)
    return [
        Known()
        if row is None or row.id is None
        else Known(stored[row.id], gone.get(row.id), row.restored_at, is_part=row.merged_into_id is not None)
        for row in rows
    ]


def merge_items(session: Session, into: EntityRef, gone: Sequence[str], at: datetime) -> list[Item]:
    """That records went into another one, as far as they are known here as records of their own."""
    refs = [EntityRef(source=into.source, kind=into.kind, id=number) for number in gone if number != into.id]
    rows = {ref: entities.find(session, ref) for ref in refs}
    known = [ref for ref, row in rows.items() if row is not None and row.merged_into_id is None]
    if not known or Verb.MERGED not in VERBS[into.kind]:
        return []
    targets = [{"kind": ref.kind.value, "id": ref.id} for ref in known]
    return [item_of(into, Verb.MERGED, at, f"{into} with {known[0].id}", targets=targets)]


def link_items(ref: EntityRef, its: Known, kind: EntityKind, ends: Iterable[str], asked_at: datetime) -> list[Item]:
    """What was not known of the records of a kind that one belongs to. A webhook that has just come may know better."""
    known = {name: fact for name, fact in newest(its.told).items() if name.startswith(f"{LINK}{kind.value}:")}
    there = {link_name(target): target for target in (EntityRef(source=ref.source, kind=kind, id=number) for number in ends)}
    old = {name for name, fact in known.items() if fact.known_at <= asked_at - LAG}
    made = [name for name in there if name not in known or (name in old and known[name].value is None)]
    ended = [name for name in old if known[name].value is not None and name not in there]
    return [
        item_of(ref, verb, asked_at, f"{ref} {verb} {name}", targets=[{"kind": kind.value, "id": name.rpartition(":")[2]}])
        for verb, names in ((Verb.ASSOCIATED, made), (Verb.DISSOCIATED, ended))
        for name in sorted(names)
    ]


def restored(ref: EntityRef, at: datetime, properties: Mapping[str, Any]) -> Item:
    """That a record is back. Kinds of which no CRM tells that by webhook are made anew."""
    verb = Verb.RESTORED if Verb.RESTORED in VERBS[ref.kind] else Verb.CREATED
    return item_of(ref, verb, at, f"{ref} restored", properties=dict(properties))


def item_of(ref: EntityRef, verb: Verb, at: datetime, what: str, **more: Any) -> Item:
    """An event of ours. `what`: with the moment, what makes it the same event when it is found again."""
    return {
        "id": f"missed {what} {at.isoformat()}",
        "source": ref.source,
        "type": type_of(ref.kind, verb),
        "occurred_at": at.isoformat(),
        "entity": {"kind": ref.kind.value, "id": ref.id},
        **more,
    }


def _item(record: Current, its: Known, names: Names, asked_at: datetime) -> Item | None:
    ref = record.ref
    known = {names.get((ref.source, ref.kind.value, name), name): fact for name, fact in newest(its.told).items()}
    values = {name: value for name, value in record.values.items() if unstorable({name: value}) is None}
    texts = told_texts(ref.source, values)
    theirs = {name: known.get(names.get((ref.source, ref.kind.value, name), name)) for name in texts}
    news = {
        name for name, text in texts.items() if _is_news(record, theirs[name], text, asked_at) and not name.startswith(OUR_PREFIX)
    }
    changed = {name: values[name] for name in texts if name in news}
    if its.deletion is not None and _is_back(record, its.deletion, asked_at):
        at = record.changed_at if its.deletion.occurred_at < record.changed_at else asked_at
        return restored(ref, max(at, _moment(record, [theirs[name] for name in news], asked_at)), changed)
    is_new = not its.told
    if not changed and not is_new:
        return None
    verb = Verb.CREATED if is_new and record.changed_at - record.created_at < OVERLAP else Verb.CHANGED
    if verb is Verb.CHANGED and not changed:
        return None
    item = item_of(ref, verb, record.changed_at, str(ref), properties=changed)
    return item | {"occurred_at": _moment(record, [theirs[name] for name in news], asked_at).isoformat()}


def _is_back(record: Current, deletion: Deletion, asked_at: datetime) -> bool:
    """Whether the CRM shows what was deleted. A deletion that has just been told of may be ahead of the CRM's search."""
    return deletion.occurred_at < record.changed_at or deletion.received_at <= asked_at - LAG


def _is_news(record: Current, known: Fact | None, text: str | None, asked_at: datetime) -> bool:
    """Whether the CRM says something else than what is known. A webhook that has just come may be ahead of the CRM's search."""
    if known is None:
        return text is not None
    return known.value != text and (known.occurred_at <= record.changed_at or known.known_at <= asked_at - LAG)


def _moment(record: Current, known: Sequence[Fact | None], asked_at: datetime) -> datetime:
    """When it changed, by the CRM. Where its webhooks are dated by another clock, which is ahead: it is so since it was asked."""
    overtaken = any(fact is not None and fact.occurred_at > record.changed_at for fact in known)
    return asked_at if overtaken else record.changed_at
