"""The second sweep: whatever still mentions a person, in any row of any table, is changed; and the proof that nothing does."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Session

from automation.erasure.payloads import without
from automation.erasure.who import PAYLOADS, Place, Table, mentions_of, told_by
from automation.pipeline.context import Loop
from data.domain.entity import EntityRef
from data.domain.mention import Mentions, full_names_in, parts_of
from data.domain.person import Person
from data.domain.redaction import Redaction
from data.warehouse import entities, erasures, person_rows, persons, texts
from data.warehouse.texts import Hit, Needle

BATCH_ROWS = 100
ENTITY = "entity_id"


class Trace(StrEnum):
    """By what a row still tells of a person."""

    ADDRESS = "address"
    RECORD = "record"
    NAME = "name"  # that of somebody; in a row that has nothing to do with theirs


@dataclass(frozen=True)
class Left:
    """A cell that tells of a person, or a row where `column` is empty."""

    trace: Trace
    table: str
    column: str
    key: tuple[Any, ...]


def clean(loop: Loop, erasure_id: int, places: Iterable[Place], redaction: Redaction) -> None:
    """Changes the rows at these places, a few of one table in a transaction."""
    by_table: dict[str, list[tuple[Any, ...]]] = {}
    for name, key in sorted(set(places), key=str):
        by_table.setdefault(name, []).append(key)
    for table in texts.tables():
        keys = by_table.get(table.name, [])
        for start in range(0, len(keys), BATCH_ROWS):
            with loop.database.write() as session:
                changed = _change(session, erasure_id, table, keys[start : start + BATCH_ROWS], redaction, loop.clock.now())
                erasures.count(session, erasure_id, "changed", changed)


def left(loop: Loop, person: Person) -> Iterator[Left]:
    """What still tells of a person: looked for in every column that can hold a text, of every table there is."""
    addresses, records = mentions_of(person.addresses), Mentions({}, phrases_of(person.records))
    names = [name for name in person.names if " " in name]
    needles: list[Needle] = [part for one in person.addresses for part in parts_of(one)]
    needles += [(phrase.lower(),) for phrase in records.phrases] + [tuple(name.lower().split()) for name in names]

    def told(text: str) -> Trace | None:
        if addresses.are_in(text):
            return Trace.ADDRESS
        if records.are_in(text):
            return Trace.RECORD
        return Trace.NAME if full_names_in(text, names) else None

    for table in texts.tables():
        with loop.database.read() as session:
            for hit in texts.search(session, table, needles, lambda text: told(text) is not None):
                for column in told_by(hit):
                    traces = {told(text) for text in texts.texts_of(hit.row[column])} - {None}
                    yield from (Left(trace, table.name, column, hit.key) for trace in traces if trace is not None)
    with loop.database.read() as session:
        for name, key in persons.still_there(session, person.refs):
            yield Left(Trace.RECORD, name, "", key)


def phrases_of(refs: Iterable[EntityRef]) -> tuple[str, ...]:
    """How our own texts name a record: an id alone is too short to tell one from another."""
    return tuple(sorted(map(str, refs)))


def _change(
    session: Session, erasure_id: int, table: Table, keys: list[tuple[Any, ...]], redaction: Redaction, now: datetime
) -> Counter[str]:
    hits = texts.at(session, table, keys)
    if ENTITY in table.columns:  # as everybody who changes something about an entity does
        entities.lock(session, {hit.row[ENTITY] for hit in hits})
        hits = texts.at(session, table, keys)
    changed: Counter[str] = Counter()
    for hit in hits:
        changed += person_rows.redact(session, erasure_id, hit, _redacted(hit, redaction), now)
    return changed


def _redacted(hit: Hit, redaction: Redaction) -> dict[str, Any]:
    columns = told_by(replace(hit, columns=tuple(column.name for column in texts.columns_of(hit.table))))
    values = {name: texts.changed(hit.row[name], redaction.text) for name in columns}
    if hit.table.name == PAYLOADS:
        values["body"] = without(hit.row["source"], bytes(hit.row["body"]), redaction).body
    return values
