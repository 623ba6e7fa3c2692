"""HubSpot's search: filters, one order, at most 10,000 results, and behind the records by as long as the habit says.

https://developers.hubspot.com/docs/api-reference/latest/crm/search-the-crm: groups are alternatives, filters within one must all
hold; five groups, six filters each, eighteen in all; paging beyond 10,000 results is a 400. What is matched late is when a record
was changed; other values are matched as they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from automation.sandbox.http import AsciiJson
from automation.sandbox.hubspot.filters import Filter, Refused, comparable, read_filters
from automation.sandbox.hubspot.objects import of_kind
from automation.sandbox.hubspot.schema import KINDS
from automation.sandbox.hubspot.wire import error, object_of
from automation.sandbox.records import FIRST, LAST, Key, Order, Record, Store, milliseconds
from automation.sandbox.state import Sandbox

PAGE, MOST, MOST_RESULTS = 10, 200, 10_000
NUMBER = "hs_object_id"


@dataclass(frozen=True)
class Range:
    """A part of one of the store's orders."""

    order: Order
    low: Key
    high: Key

    def __len__(self) -> int:
        return self.order.count(self.low, self.high)


@of_kind
def search(sandbox: Sandbox, kind: str, _request: Request, body: Any) -> Response:
    store = sandbox.hubspot[kind]
    store.refresh_search(milliseconds(sandbox.now()))
    try:
        size, start = _window(body)
        groups = read_filters(body.get("filterGroups") or [], sandbox.hubspot_account.properties[kind])
        name, falling = _sort(body.get("sorts") or [], sandbox.hubspot_account.properties[kind])
    except Refused as refused:
        return error(400, "VALIDATION_ERROR", str(refused))
    query = str(body.get("query") or "").lower()
    types = {name: row["type"] for name, row in sandbox.hubspot_account.properties[kind].items()}
    total, rows = _found(_Search(store, kind, groups, query, types), name, start, size, falling=falling)
    wanted = body.get("properties") or KINDS[kind].shown
    answer: dict[str, Any] = {"total": total, "results": [object_of(kind, record, wanted) for record in rows]}
    if start + len(rows) < total:
        answer["paging"] = {"next": {"after": str(start + len(rows))}}
    return AsciiJson(answer)


@dataclass(frozen=True)
class _Search:
    store: Store
    kind: str
    groups: list[list[Filter]]
    query: str
    types: dict[str, str]

    def orders(self) -> dict[str, Order]:
        """The properties that the store keeps an order of."""
        about, store = KINDS[self.kind], self.store
        return {about.modified: store.searchable, about.created: store.by_created, NUMBER: store.by_id}

    def matches(self, record: Record) -> bool:
        if (seen := self.store.found_at(record)) is None:
            return False
        if self.query and not any(self.query in str(record.properties.get(name, "")).lower() for name in KINDS[self.kind].shown):
            return False
        return not self.groups or any(all(self._holds(each, record, seen) for each in group) for group in self.groups)

    def exact(self, chosen: Range) -> bool:
        """Whether every key of a range is a match by itself."""
        only = [each.name for group in self.groups for each in group]
        return not self.query and chosen.order is self.store.searchable and set(only) <= {KINDS[self.kind].modified}

    def _holds(self, each: Filter, record: Record, seen: int) -> bool:
        about = KINDS[self.kind]
        if each.name == about.modified:
            return each.holds(str(seen))
        if each.name == about.created:
            return each.holds(str(milliseconds(record.created_at)))
        return each.holds(record.id if each.name == NUMBER else record.properties.get(each.name))


def _found(search: _Search, name: str | None, start: int, size: int, *, falling: bool) -> tuple[int, list[Record]]:
    """How many match, and one page of them."""
    orders = search.orders()
    wanted = orders.get(name or KINDS[search.kind].created)
    chosen = _narrowest(search, orders, wanted)
    keys = chosen.order.between(chosen.low, chosen.high, falling=falling and chosen.order is wanted)
    if chosen.order is wanted and search.exact(chosen):
        return len(chosen), [search.store.record(key) for key in islice(keys, start, start + size)]
    matching = [record for record in map(search.store.record, keys) if search.matches(record)]
    if chosen.order is not wanted:
        matching.sort(key=lambda record: _sort_key(search, record, name), reverse=falling)
    return len(matching), matching[start : start + size]


def _narrowest(search: _Search, orders: dict[str, Order], wanted: Order | None) -> Range:
    """The part of an order that has every match and the fewest others; in the wanted order where that is no worse."""
    found = [Range(wanted, FIRST, LAST)] if wanted is not None else [Range(search.store.searchable, FIRST, LAST)]
    if len(search.groups) == 1:
        for name, order in orders.items():
            bounds = [each.bounds() for each in search.groups[0] if each.name == name]
            if bounds and None not in bounds:
                found.append(_range(order, bounds))
    return min(found, key=lambda part: (len(part), part.order is not wanted))


def _range(order: Order, bounds: Iterable[tuple[int, int] | None]) -> Range:
    pairs = [pair for pair in bounds if pair is not None]
    low, high = max(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    return Range(order, (low, -1), (high, -1))


def _sort_key(search: _Search, record: Record, name: str | None) -> tuple[bool, Any, int]:
    """Records without the property come last."""
    about = KINDS[search.kind]
    if name is None or name == about.created:
        return False, milliseconds(record.created_at), record.order
    if name in {about.modified, NUMBER}:
        return False, search.store.found_at(record) if name == about.modified else record.order, record.order
    value = record.properties.get(name)
    key = None if value in {None, ""} else comparable(search.types[name], value)
    return key is None, key or 0, record.order


def _window(body: dict[str, Any]) -> tuple[int, int]:
    """Size and start of the page that is asked for."""
    size, after = body.get("limit") or PAGE, str(body.get("after") or "0")
    if not isinstance(size, int) or not 1 <= size <= MOST:
        raise Refused(f"limit must be between 1 and {MOST}")
    if not after.isdigit():
        raise Refused("after must be a paging cursor")
    if int(after) + size > MOST_RESULTS:
        raise Refused(f"a search gives no more than {MOST_RESULTS} results")
    return size, int(after)


def _sort(sorts: list[Any], properties: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The property to order by, and whether it falls. HubSpot takes one, as a name or with a direction."""
    if not sorts:
        return None, False
    given = sorts[0] if isinstance(sorts[0], dict) else {"propertyName": sorts[0]}
    name = str(given.get("propertyName"))
    falling = name.startswith("-") or given.get("direction") == "DESCENDING"
    if len(sorts) > 1 or name.removeprefix("-") not in properties:
        raise Refused("one sort is supported, by a property that exists")
    return name.removeprefix("-"), falling
