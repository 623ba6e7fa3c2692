"""Records with their whole history, in every order in which the vendors give them out.

Each order is kept as records come and change, so that a page costs no more than finding where it begins.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Key = tuple[int, int]
FIRST: Key = (-(2**62), -1)
LAST: Key = (2**62, -1)
ADDITIONAL = "hs_additional_emails"  # HubSpot's further addresses of a contact, with semicolons between them


@dataclass(frozen=True, slots=True)
class Source:
    """Who changed a record, in HubSpot's words; `by_api` says whether it was an app of ours."""

    type: str
    id: str
    by_api: bool


@dataclass(frozen=True, slots=True)
class Write:
    """One change of a record that came in through the vendor's API, whether or not it changed a value."""

    at: datetime
    through: str
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """The values that one edit of a record changed."""

    at: datetime
    source: Source
    values: dict[str, Any]
    in_bulk: bool = False


@dataclass
class Record:
    id: str
    properties: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    order: int
    """Where it stands among the records of its kind: its number, or where ids are no numbers, when it came."""
    writes: list[Write] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    archived_at: datetime | None = None
    merged: dict[str, datetime] = field(default_factory=dict)
    """Which records went into this one, and when."""
    links: dict[str, dict[str, set[int]]] = field(default_factory=dict)
    """Kind -> id of what it is associated with -> the types of the association."""

    def history(self, name: str) -> list[tuple[Any, Change]]:
        """A property's values with the changes that set them, the newest first."""
        return [(change.values[name], change) for change in reversed(self.changes) if name in change.values]


class Order:
    """Sorted keys: a moment or a number, and the record's place."""

    def __init__(self) -> None:
        self._keys: list[Key] = []

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: Key) -> None:
        if not self._keys or key > self._keys[-1]:  # what comes now comes last: by far the most
            self._keys.append(key)
        else:
            insort(self._keys, key)

    def discard(self, key: Key) -> None:
        place = bisect_left(self._keys, key)
        if place < len(self._keys) and self._keys[place] == key:
            del self._keys[place]

    def count(self, low: Key = FIRST, high: Key = LAST) -> int:
        """How many keys are at or after `low` and before `high`."""
        return max(bisect_left(self._keys, high) - bisect_left(self._keys, low), 0)

    def between(self, low: Key = FIRST, high: Key = LAST, *, falling: bool = False) -> Iterator[Key]:
        """Those keys, one by one."""
        places = range(bisect_left(self._keys, low), bisect_left(self._keys, high))
        return (self._keys[place] for place in (reversed(places) if falling else places))

    def page(self, start: int, size: int, *, falling: bool = False) -> list[Key]:
        """Keys by their position."""
        if not falling:
            return self._keys[start : start + size]
        end = max(len(self._keys) - start, 0)
        return self._keys[max(end - size, 0) : end][::-1]


class Store:
    """All records of one kind. Not safe by itself: the sandbox holds its lock."""

    def __init__(self) -> None:
        self.live: dict[str, Record] = {}
        self.archived: dict[str, Record] = {}
        self.by_id, self.by_created, self.by_updated = Order(), Order(), Order()
        self.searchable = Order()
        """As `by_updated`, but behind it by as long as the vendor's search is."""
        self._archived_by_id = Order()
        self.merged_into: dict[str, str] = {}
        """Id of one that was merged away -> id of the one that it went into."""
        self._ids: dict[int, str] = {}
        self._emails: dict[str, dict[str, None]] = {}
        self._found_at: dict[str, Key] = {}
        self._unseen: deque[tuple[int, str]] = deque()

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]

    def add(self, record: Record, *, seen_at: int) -> None:
        """A new record. `seen_at`: the millisecond from which on the vendor's search finds it."""
        self._ids[record.order] = record.id
        self._place(record, seen_at)

    def change(self, record: Record, values: dict[str, Any], at: datetime, *, seen_at: int) -> None:
        """New values of a live record: it moves in the orders that go by its last change."""
        self._forget_email(record)
        record.properties.update(values)
        self._remember_email(record)
        self.by_updated.discard((milliseconds(record.updated_at), record.order))
        record.updated_at = at
        self.by_updated.add((milliseconds(at), record.order))
        self._unseen.append((seen_at, record.id))

    def archive(self, record: Record, at: datetime) -> None:
        self.drop(record)
        record.archived_at = at
        self.archived[record.id] = record
        self._archived_by_id.add((record.order, record.order))

    def merge(self, record: Record, gone: Record, at: datetime) -> None:
        """Takes a record out that goes into another one, with all that went into it before."""
        self.drop(gone)
        record.merged |= {**gone.merged, gone.id: at}
        self.merged_into |= dict.fromkeys([*gone.merged, gone.id], record.id)

    def restore(self, record: Record, at: datetime, *, seen_at: int) -> None:
        del self.archived[record.id]
        self._archived_by_id.discard((record.order, record.order))
        record.archived_at, record.updated_at = None, at
        self._place(record, seen_at)

    def drop(self, record: Record) -> None:
        """Takes a record out for good, live or archived."""
        if self.archived.pop(record.id, None) is not None:
            self._archived_by_id.discard((record.order, record.order))
            return
        del self.live[record.id]
        self._forget_email(record)
        self.by_id.discard((record.order, record.order))
        self.by_created.discard((milliseconds(record.created_at), record.order))
        self.by_updated.discard((milliseconds(record.updated_at), record.order))
        if (key := self._found_at.pop(record.id, None)) is not None:
            self.searchable.discard(key)

    def refresh_search(self, now: int) -> None:
        """Lets the search see what it should by `now`, in milliseconds."""
        while self._unseen and self._unseen[0][0] <= now:
            _, number = self._unseen.popleft()
            if (record := self.live.get(number)) is None:
                continue
            if (old := self._found_at.get(number)) is not None:
                self.searchable.discard(old)
            key = self._found_at[number] = (milliseconds(record.updated_at), record.order)
            self.searchable.add(key)

    def found_at(self, record: Record) -> int | None:
        """The last change of a record, in milliseconds, as the vendor's search knows it; None where it has not seen it yet."""
        key = self._found_at.get(record.id)
        return None if key is None else key[0]

    def at(self, number: str) -> Record | None:
        """The live record of an id, or the one that it was merged into."""
        return self.live.get(number) or self.live.get(self.merged_into.get(number, ""))

    def with_email(self, email: str) -> Record | None:
        found = next(iter(self._emails.get(email.lower(), {})), None)
        return None if found is None else self.live[found]

    def record(self, key: Key) -> Record:
        """The live record at a key of an order."""
        return self.live[self._ids[key[1]]]

    def after(self, order: int, size: int, *, archived: bool = False) -> list[Record]:
        """At most `size` records from `order` on, by id."""
        keys, rows = (self._archived_by_id, self.archived) if archived else (self.by_id, self.live)
        places = zip(range(size), keys.between(low=(order, -1)), strict=False)
        return [rows[self._ids[key[1]]] for _, key in places]

    def _place(self, record: Record, seen_at: int) -> None:
        self.live[record.id] = record
        self._remember_email(record)
        self.by_id.add((record.order, record.order))
        self.by_created.add((milliseconds(record.created_at), record.order))
        self.by_updated.add((milliseconds(record.updated_at), record.order))
        self._unseen.append((seen_at, record.id))

    def _remember_email(self, record: Record) -> None:
        for email in addresses_of(record.properties):
            self._emails.setdefault(email, {})[record.id] = None

    def _forget_email(self, record: Record) -> None:
        for email in addresses_of(record.properties):
            if (holders := self._emails.get(email)) is not None:
                holders.pop(record.id, None)
                if not holders:
                    del self._emails[email]


def addresses_of(properties: Mapping[str, Any]) -> list[str]:
    """Every address of a record, in lower case, the first one first.

    >>> addresses_of({"email": "Ada@Acme.io", "hs_additional_emails": "a@home.example;b@old.example"})
    ['ada@acme.io', 'a@home.example', 'b@old.example']
    """
    said = [properties.get("email"), *str(properties.get(ADDITIONAL) or "").split(";")]
    return [address for each in said if (address := str(each or "").strip().lower())]


def milliseconds(moment: datetime) -> int:
    """Since 1970, exactly.

    >>> milliseconds(datetime(1970, 1, 1, 0, 0, 1, 999, tzinfo=UTC))
    1000
    """
    whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * 1000 + whole.microseconds // 1000
