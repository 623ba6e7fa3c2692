"""The records of both CRMs, and the only place where they change: people, the API and the players all come through here."""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from automation.sandbox.accounts import APP_ID
from automation.sandbox.hubspot.schema import KINDS as HUBSPOT_KINDS
from automation.sandbox.hubspot.schema import PRIMARY, UNLABELLED
from automation.sandbox.pipedrive.schema import KINDS as PIPEDRIVE_KINDS
from automation.sandbox.records import ADDITIONAL, Change, Record, Source, Store, Write, addresses_of, milliseconds

PEOPLE = Source("CRM_UI", "userId:1", by_api=False)
OUR_APP = Source("INTEGRATION", str(APP_ID), by_api=True)
ONE_PRIMARY = frozenset({"contacts", "deals", "tickets", "leads"})  # a company is the first of many
UNSET = object()
FIRST_NEW_ID = 900_000_001  # of what is made through the API: far above what players and tests take


@dataclass(frozen=True)
class Happening:
    """Something that happened to a record, for whoever tells others of it."""

    vendor: str
    kind: str
    id: str
    verb: str
    at: datetime
    source: Source
    changed: dict[str, Any] = field(default_factory=dict)
    previous: dict[str, Any] = field(default_factory=dict)
    others: tuple[tuple[str, str], ...] = ()
    """Kinds and ids of what it was merged from, or linked with."""
    primary: bool = False


class World:
    """Records by vendor, kind and id. Safe to use from several threads."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.search_lag = timedelta(0)
        self.hubspot: dict[str, Store] = {kind: Store() for kind in HUBSPOT_KINDS}
        self.pipedrive: dict[str, Store] = {kind: Store() for kind in PIPEDRIVE_KINDS}
        self.listeners: list[Callable[[Happening], None]] = []
        """Called with each happening, under the lock: the journal and the players."""
        self.calculate: Callable[[str, str, dict[str, Any]], dict[str, Any]] = lambda _vendor, _kind, _properties: {}
        """What a vendor makes itself of a record's properties: called with vendor, kind and these. No webhook tells of it."""
        self.new_ids = itertools.count(FIRST_NEW_ID)
        self._orders = itertools.count(1)

    def put(
        self, vendor: str, kind: str, number: str, properties: dict[str, Any], *, at: datetime | None = None,
        source: Source = PEOPLE, in_bulk: bool = False,
    ) -> Record:  # fmt: skip
        """Creates or changes a record as the vendor's own users would, not through the API.

        Only values that differ count as a change. `at` dates it: for histories that are played in one go.

        Raises:
            ValueError: the record is archived, or `at` is before its last change.
        """
        with self.lock:
            store = self.store(vendor, kind)
            if number in store.archived:
                raise ValueError(f"{vendor} {kind} {number} is archived")
            record = store.live.get(number)
            if record is None:
                return self._create(vendor, kind, number, properties, at or self.now(), source)
            changed = {name: value for name, value in properties.items() if record.properties.get(name, UNSET) != value}
            if changed:
                self._change(vendor, kind, record, changed, self._moment(record, at), source, in_bulk=in_bulk)
            return record

    def write(self, vendor: str, kind: str, number: str, properties: dict[str, Any], *, through: str) -> Record:
        """The same through the API; remembered as a write."""
        with self.lock:
            record = self.put(vendor, kind, number, properties, source=OUR_APP)
            record.writes.append(Write(self.now(), through, dict(properties)))
            return record

    def archive(self, vendor: str, kind: str, number: str, *, at: datetime | None = None, source: Source = PEOPLE) -> Record | None:
        """Moves a record to the recycle bin. None where there is none."""
        with self.lock:
            store = self.store(vendor, kind)
            if (record := store.live.get(number)) is None:
                return None
            moment = self._moment(record, at)
            store.archive(record, moment)
            self._tell(Happening(vendor, kind, number, "deleted", moment, source, previous=dict(record.properties)))
            return record

    def restore(self, vendor: str, kind: str, number: str, *, at: datetime | None = None) -> Record | None:
        """Takes a record back from the recycle bin. None where it is not there."""
        with self.lock:
            store = self.store(vendor, kind)
            if (record := store.archived.get(number)) is None:
                return None
            moment = self._moment(record, at)
            store.restore(record, moment, seen_at=self._seen_at())
            self._tell(Happening(vendor, kind, number, "restored", moment, PEOPLE))
            return record

    def erase(self, vendor: str, kind: str, number: str, *, source: Source = PEOPLE) -> bool:
        """Deletes a record and its history for good, its links too. False where there is none."""
        with self.lock:
            store = self.store(vendor, kind)
            if (record := store.live.get(number) or store.archived.get(number)) is None:
                return False
            for other, ids in record.links.items():
                for far in ids:
                    if (end := self.store(vendor, other).live.get(far)) is not None:
                        end.links.get(kind, {}).pop(number, None)
            store.drop(record)
            self._tell(Happening(vendor, kind, number, "erased", self.now(), source))
            return True

    def merge(self, vendor: str, kind: str, stays: str, gone: Sequence[str], *, at: datetime | None = None) -> Record:
        """Records become one with another: what only they had goes over to it, with their links.

        Raises:
            KeyError: one of them does not exist.
        """
        with self.lock:
            store = self.store(vendor, kind)
            record, losers = store.live[stays], [store.live[number] for number in gone]
            moment = self._moment(record, at)
            for loser in losers:
                missing = {n: v for n, v in loser.properties.items() if record.properties.get(n) in (None, "")}
                if (vendor, kind) == ("hubspot", "contacts"):
                    missing |= _addresses_beside(record, loser, missing)
                for other, ids in loser.links.items():
                    for far in ids:
                        self._join(vendor, (kind, stays), (other, far))
                if vendor == "hubspot":
                    store.merge(record, loser, moment)
                else:
                    store.archive(loser, moment)
                self._change(vendor, kind, record, missing, moment, PEOPLE, in_bulk=False, told=False)
            others = tuple((kind, number) for number in gone)
            self._tell(Happening(vendor, kind, stays, "merged", moment, PEOPLE, others=others))
            return record

    def link(self, near: tuple[str, str], far: tuple[str, str], *, primary: bool = False, source: Source = PEOPLE) -> None:
        """Associates two HubSpot records, (kind, id) each. `primary`: the far one is the near one's first of its kind.

        Raises:
            KeyError: one of them does not exist, or HubSpot has no such association.
        """
        with self.lock:
            self._connect(near, far, primary=primary)
            self._connect(far, near, primary=primary)
            self._tell(Happening("hubspot", *near, "associated", self.now(), source, others=(far,), primary=primary))

    def unlink(self, near: tuple[str, str], far: tuple[str, str], *, source: Source = PEOPLE) -> None:
        with self.lock:
            for (kind, number), (other, end) in ((near, far), (far, near)):
                if (record := self.hubspot[kind].live.get(number)) is not None:
                    record.links.get(other, {}).pop(end, None)
            self._tell(Happening("hubspot", *near, "dissociated", self.now(), source, others=(far,)))

    def take_part(self, deal: str, person: str) -> None:
        """A person takes part in a Pipedrive deal beside its contact person: no webhook tells of it.

        Raises:
            KeyError: one of them does not exist.
        """
        with self.lock:
            self._join("pipedrive", ("deals", deal), ("persons", person))

    def leave(self, deal: str, person: str) -> None:
        """Takes part no more, of which no webhook tells either."""
        with self.lock:
            for kind, number, other, end in (("deals", deal, "persons", person), ("persons", person, "deals", deal)):
                if (record := self.pipedrive[kind].live.get(number)) is not None:
                    record.links.get(other, {}).pop(end, None)

    def get(self, vendor: str, kind: str, number: str) -> Record | None:
        with self.lock:
            return self.store(vendor, kind).live.get(number)

    def by_email(self, email: str) -> Record | None:
        with self.lock:
            return self.hubspot["contacts"].with_email(email)

    def records(self, vendor: str, kind: str) -> list[Record]:
        with self.lock:
            return list(self.store(vendor, kind).live.values())

    def store(self, vendor: str, kind: str) -> Store:
        return (self.hubspot if vendor == "hubspot" else self.pipedrive)[kind]

    def _create(self, vendor: str, kind: str, number: str, properties: dict[str, Any], at: datetime, source: Source) -> Record:
        order = int(number) if number.isdigit() else next(self._orders)
        whole = {**self.calculate(vendor, kind, properties), **properties}
        record = Record(number, dict(whole), at, at, order, changes=[Change(at, source, whole)])
        self.store(vendor, kind).add(record, seen_at=self._seen_at())
        self._tell(Happening(vendor, kind, number, "created", at, source, changed=dict(properties)))
        return record

    def _change(
        self, vendor: str, kind: str, record: Record, changed: dict[str, Any], at: datetime, source: Source, *,
        in_bulk: bool, told: bool = True,
    ) -> None:  # fmt: skip
        previous = {name: record.properties.get(name) for name in changed}
        made = self.calculate(vendor, kind, {**record.properties, **changed})
        moved = {name: value for name, value in made.items() if record.properties.get(name) != value} | changed
        record.changes.append(Change(at, source, moved, in_bulk))
        self.store(vendor, kind).change(record, moved, at, seen_at=self._seen_at())
        if told:
            self._tell(Happening(vendor, kind, record.id, "changed", at, source, changed, previous))

    def _join(self, vendor: str, one: tuple[str, str], other: tuple[str, str]) -> None:
        for near, far in ((one, other), (other, one)):
            if vendor == "hubspot":
                self._connect(near, far, primary=False)
            else:
                self.pipedrive[near[0]].live[near[1]].links.setdefault(far[0], {}).setdefault(far[1], set())

    def _connect(self, near: tuple[str, str], far: tuple[str, str], *, primary: bool) -> None:
        pair = (near[0], far[0])
        ends = self.hubspot[near[0]].live[near[1]].links.setdefault(far[0], {})
        ends.setdefault(far[1], set()).add(UNLABELLED[pair])
        if primary and (first := PRIMARY.get(pair)) is not None:
            if near[0] in ONE_PRIMARY:
                for types in ends.values():
                    types.discard(first)
            ends[far[1]].add(first)

    def _moment(self, record: Record, at: datetime | None) -> datetime:
        if at is not None and at < record.updated_at:
            raise ValueError(f"{record.id} was changed at {record.updated_at}: nothing can happen to it at {at}")
        return at or max(self.now(), record.updated_at)

    def _seen_at(self) -> int:
        return milliseconds(self.now() + self.search_lag)

    def _tell(self, happening: Happening) -> None:
        for listener in self.listeners:
            listener(happening)


def _addresses_beside(record: Record, loser: Record, moved: dict[str, Any]) -> dict[str, Any]:
    """HubSpot keeps the addresses of a merged contact beside the first one, and finds the record by each of them.

    https://knowledge.hubspot.com/records/merge-records
    """
    first = str(record.properties.get("email") or moved.get("email") or "").lower()
    found = dict.fromkeys(address for each in (record, loser) for address in addresses_of(each.properties) if address != first)
    return {ADDITIONAL: ";".join(found)} if found else {}
