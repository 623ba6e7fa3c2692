"""What a CRM knows of a record's past, and the facts that it is here.

A fact of the past is known since the vendor knew it, as long as that was before the record was first heard of here: nobody was
scored by what is known of it until then. What happened after that and was not heard of is known only from now on, so that what
was visible at a moment that was scored stays what it was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from data.domain.entity import EntityRef
from data.domain.event import OUR_PREFIX
from data.domain.fact import NAMELESS, Fact, Origin
from data.domain.relation import link_name

# A CRM dates a change in its history and in its webhook a little apart.
SAME_CHANGE_WITHIN = timedelta(seconds=2)


@dataclass(frozen=True)
class Change:
    """A property had this value from then on."""

    name: str
    value: str | None
    at: datetime
    by_us: bool = False


@dataclass(frozen=True)
class PastRecord:
    """A record with its history. `links`: the records that it belongs to; since when, no CRM says, so it is since it was made."""

    ref: EntityRef
    created_at: datetime
    changes: tuple[Change, ...] = ()
    links: tuple[EntityRef, ...] = ()


def facts_of(
    record: PastRecord, entity_id: int, heard_of_at: datetime, stored: Iterable[Fact], ids: Mapping[EntityRef, int], now: datetime
) -> list[Fact]:
    """The facts of a record's past that are not stored yet, its links from both ends.

    `heard_of_at`: when the record was first heard of here. `ids`: the rows of the records that it names.
    """
    told = _Told(stored)
    created = Change(NAMELESS, None, record.created_at)
    found = [
        Fact(
            entity_id=entity_id,
            name=change.name,
            value=change.value,
            occurred_at=min(change.at, now),
            known_at=_known_at(change.at, heard_of_at, now),
            origin=Origin.BACKFILL,
            by_us=change.by_us or change.name.startswith(OUR_PREFIX),
        )
        for change in (created, *sorted(record.changes, key=lambda one: one.at))
        if not told.has(change)
    ]
    return found + [fact for target in record.links for fact in _linked(record, target, entity_id, heard_of_at, told, ids, now)]


def _known_at(at: datetime, heard_of_at: datetime, now: datetime) -> datetime:
    return at if at <= heard_of_at else now


def _linked(
    record: PastRecord, target: EntityRef, entity_id: int, heard_of_at: datetime, told: "_Told", ids: Mapping[EntityRef, int],
    now: datetime,
) -> list[Fact]:  # fmt: skip
    name = link_name(target)
    if target not in ids or told.has_name(name):
        return []  # a webhook has told of it, and since when
    at = min(record.created_at, now)
    known_at = _known_at(at, heard_of_at, now)
    there = Fact(entity_id, name, "true", at, known_at, Origin.BACKFILL, target_id=ids[target])
    back = Fact(ids[target], link_name(record.ref), "true", at, known_at, Origin.BACKFILL, target_id=entity_id)
    return [there, back]


class _Told:
    """What is stored of a record already."""

    def __init__(self, stored: Iterable[Fact]) -> None:
        self._moments: dict[tuple[str, str | None], list[datetime]] = {}
        self._names: set[str] = set()
        for fact in stored:
            self._moments.setdefault((fact.name, fact.value), []).append(fact.occurred_at)
            self._names.add(fact.name)

    def has(self, change: Change) -> bool:
        moments = self._moments.get((change.name, change.value), ())
        return any(abs(moment - change.at) <= SAME_CHANGE_WITHIN for moment in moments)

    def has_name(self, name: str) -> bool:
        return name in self._names
