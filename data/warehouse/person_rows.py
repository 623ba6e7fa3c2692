"""The rows of a person: taken out of every table, and out of the rows of others that have had to do with them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Table, select, update
from sqlmodel import Session, SQLModel, col

from data.domain.delivery import DeliveryKind, DeliveryState
from data.domain.entity import EntityKind, EntityRef
from data.domain.redaction import Names, Redaction, names_for
from data.warehouse import cascade, entities, identities, persons, retractions, texts
from data.warehouse.cascade import chunks
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow
from data.warehouse.identities import IdentityKey
from data.warehouse.texts import Hit

# TABLE: where the texts of a record that stays may name somebody. Of a table that is not here, in every column for texts.
TEXTS: dict[str, tuple[str, ...]] = {
    "facts": ("value",),
    "events": ("properties", "previous", "notes", "derived", "error"),
    "predictions": ("factors", "fields", "features"),
    "deliveries": ("content", "error"),
}
PROPERTIES = ("properties", "previous")
INPUTS = "predictions"  # what a version was given: of a shared note the words, whoever's name is in them
# Other clocks differ from ours by seconds; a message is looked for from a little before its delivery was made.
LOOK_BACK = timedelta(minutes=2)
# Whoever holds a lease may be calling Slack at this moment: it is looked for when that must be over.
CALL = timedelta(seconds=15)

TS = re.compile(r"\d+\.\d+")  # how Slack names a message; whoever confirmed a delivery may have said something else

Counts = Counter[str]


def erase(session: Session, erasure_id: int, redaction: Redaction, linked: Iterable[int], now: datetime) -> tuple[Counts, Counts]:
    """Removes all rows about the records that go, and takes the person out of those that have had to do with them.

    Returns how many rows of which tables went, and how many cells of which columns were changed. All entities are locked
    first, as by anybody who stores something about them; whoever is scoring one of them begins again.
    """
    gone = persons.ids_of(session, redaction.refs)
    others = set(linked) - gone
    entities.lock(session, gone | others)
    refs = persons.refs_of(session, others)
    retract(session, erasure_id, _deliveries(session, gone), now)
    links = [number for some in chunks(others) for number in _links(session, some, refs, redaction)]
    removed = cascade.remove(session, _table(EventRow), links)
    removed += cascade.remove(session, _table(EntityRow), gone)
    removed += cascade.remove(
        session, _table(IdentityKey), identities.keys_of(session, EntityKind.CONTACT, redaction.mentions.addresses)
    )
    removed += _told_of_links(session, others, refs, redaction)
    changed: Counts = Counter()
    for hit in _rows_of(session, others):
        ref = refs[hit.row[_owner(hit.table).name]]
        changed += redact(session, erasure_id, hit, _redacted(hit, ref, redaction), now)
    _break_leases(session, others)
    return removed, changed


def redact(session: Session, erasure_id: int, hit: Hit, values: Mapping[str, Any], now: datetime) -> Counts:
    """Stores a row's new values, as far as they are new; which columns those were. A message that told the old is taken back."""
    new = {name: value for name, value in values.items() if value != hit.row[name]}
    if not new:
        return Counter()
    if hit.table.name == "deliveries" and "content" in new:
        retract(session, erasure_id, [hit.row], now)
    texts.rewrite(session, hit, new)
    return Counter(f"{hit.table.name}.{name}" for name in new)


def retract(session: Session, erasure_id: int, deliveries: Iterable[Mapping[str, Any]], now: datetime) -> int:
    """Asks for the messages to be deleted that these deliveries have posted, or may be posting or changing now."""
    found = list(deliveries)
    out = (row for row in found if row["state"] == DeliveryState.LEASED and row["kind"] != DeliveryKind.WRITE_BACK)
    due = max((row["lease_until"] + CALL for row in out), default=now)
    rows = [
        {
            "erasure_id": erasure_id,
            "channel": row["content"]["channel"],
            "block_id": row["content"]["block_id"],
            "receipt": row["receipt"] if TS.fullmatch(row["receipt"] or "") else None,
            "posted_since": row["created_at"] - LOOK_BACK,
            "next_attempt_at": max(now, due),
        }
        for row in found
        if row["kind"] == DeliveryKind.ALERT and row["sent_by"] is not None and {"channel", "block_id"} <= row["content"].keys()
    ]
    return retractions.add(session, rows)


def _table(row: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(row.__tablename__)]


def _deliveries(session: Session, entity_ids: Iterable[int]) -> Iterator[Mapping[str, Any]]:
    table = _table(DeliveryRow)
    for some in chunks(entity_ids):
        yield from map(dict, session.execute(select(table).where(table.c.entity_id.in_(some))).mappings().all())


def _links(session: Session, some: list[int], refs: Mapping[int, EntityRef], redaction: Redaction) -> list[int]:
    """Events that say no more than that another record belongs to one that goes."""
    table = _table(EventRow)
    query = select(table.c.id, table.c.entity_id, table.c.targets).where(table.c.entity_id.in_(some))
    return [
        number
        for number, owner, targets in session.execute(query)
        if any(_ref(refs[owner].source, target) in redaction.refs for target in targets)
    ]


def _ref(source: str, target: Mapping[str, str]) -> EntityRef | None:
    try:
        return EntityRef.model_validate({"source": source, **target})
    except ValueError:
        return None


def _told_of_links(session: Session, others: Iterable[int], refs: Mapping[int, EntityRef], redaction: Redaction) -> Counts:
    """Facts by the name of a link to a record that goes: that it has ended names no row."""
    table = _table(FactRow)
    removed: Counts = Counter()
    for some in chunks(others):
        query = select(table.c.id, table.c.entity_id, table.c.name).where(table.c.entity_id.in_(some), table.c.name.like("link:%"))
        named = [number for number, owner, name in session.execute(query) if _linked(refs[owner].source, name) in redaction.refs]
        removed += cascade.remove(session, table, named)
    return removed


def _linked(source: str, name: str) -> EntityRef | None:
    _, kind, number = name.split(":", 2)
    return _ref(source, {"kind": kind, "id": number})


def _rows_of(session: Session, entity_ids: Iterable[int]) -> Iterator[Hit]:
    """Every row, of any table with texts, that belongs to one of these."""
    for table in texts.tables():
        owner = _owner_of(table)
        if owner is None:
            continue
        for some in chunks(entity_ids):
            for row in session.execute(select(table).where(owner.in_(some))).mappings().all():
                yield Hit(table, dict(row), ())


def _owner(table: Table) -> Column[Any]:
    owner = _owner_of(table)
    assert owner is not None
    return owner


def _owner_of(table: Table) -> Column[Any] | None:
    """The column that says whose a row is: the first that names an entity."""
    entity = _table(EntityRow)
    named = (column for column in table.columns if any(key.column.table is entity for key in column.foreign_keys))
    return next(named, None) if table is not entity else None


def _redacted(hit: Hit, ref: EntityRef, redaction: Redaction) -> dict[str, Any]:
    names = names_for(ref, linked=True)
    columns = TEXTS.get(hit.table.name) or tuple(column.name for column in texts.columns_of(hit.table))
    row = hit.row
    if hit.table.name == "facts":
        return {"value": redaction.properties(ref, {row["name"]: row["value"]}, names)[redaction.text(row["name"])]}
    if hit.table.name == INPUTS:
        names = Names.ALL
    told = {name: redaction.properties(ref, row[name], names) for name in columns if name in PROPERTIES}
    return told | {name: redaction.value(row[name], names) for name in columns if name not in PROPERTIES}


def _break_leases(session: Session, entity_ids: Iterable[int]) -> None:
    """Whoever has read what was there before must not store what it made of that."""
    free = {"lease_id": None, "lease_until": None}
    for some in chunks(entity_ids):
        session.execute(update(EventRow).where(col(EventRow.entity_id).in_(some), col(EventRow.lease_id).is_not(None)).values(free))
        session.execute(update(EntityRow).where(col(EntityRow.id).in_(some)).values(free))
