"""Pages of records: by cursor in API v2, by position in API v1.

https://pipedrive.readme.io/docs/core-api-concepts-pagination: v2 gives `additional_data.next_cursor`, null at the end; v1 gives
`additional_data.pagination` with `more_items_in_collection` and `next_start`. `updated_since` counts from its moment on,
`updated_until` up to before it. Deals and leads that are archived are in lists of their own, and in no other:
https://developers.pipedrive.com/changelog/post/breaking-change-archived-deals-and-leads-will-not-be-returned-in-existing-endpoints-and-will-not-be-editable
v1 sorts by `sort`, as `update_time DESC`; of the fields that Pipedrive sorts by there are three here, and one at a time.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from automation.sandbox.pipedrive.schema import ARCHIVABLE
from automation.sandbox.pipedrive.wire import row
from automation.sandbox.records import FIRST, LAST, Key, Order, Record, Store, milliseconds
from automation.sandbox.state import Sandbox

PAGE, MOST, MOST_IDS = 100, 500, 100
COUNT = "participants_count"
# Parameters that hold a value which a record must have.
EQUAL = ("owner_id", "person_id", "org_id", "organization_id", "pipeline_id", "stage_id", "deal_id", "lead_id", "user_id")


class Refused(Exception):
    """The query does not fit; the message says why."""


def newer_page(sandbox: Sandbox, kind: str, request: Request, *, archived: bool = False) -> Response:
    """A page of API v2; of those that are archived, or of those that are not."""
    query = dict(request.query_params)
    store = sandbox.pipedrive[kind]
    try:
        size = _size(query)
        found = list(islice((each for each in _matching(store, query) if is_archived(each) is archived), size + 1))
    except Refused as refused:
        return bad(str(refused))
    shown, more = found[:size], len(found) > size
    sort_by = query.get("sort_by", "id")
    cursor = _cursor(_key(shown[-1], sort_by)) if more else None
    counted = kind == "deals" and COUNT in query.get("include_fields", "").split(",")
    rows = [{**row(sandbox, kind, record), **({COUNT: len(taking_part(sandbox, record))} if counted else {})} for record in shown]
    return JSONResponse({"success": True, "data": rows, "additional_data": {"next_cursor": cursor}})


def older_page(sandbox: Sandbox, kind: str, request: Request, *, archived: bool = False) -> Response:
    """A page of API v1; of those that are archived, or of those that are not."""
    query = dict(request.query_params)
    try:
        size, start = _size(query), _whole(query, "start", 0)
        order, falling = _sorting(sandbox.pipedrive[kind], query)
    except Refused as refused:
        return bad(str(refused))
    store = sandbox.pipedrive[kind]
    wanted = {name: query[name] for name in EQUAL if name in query}
    if wanted or kind in ARCHIVABLE:
        every = (store.record(key) for key in order.between(falling=falling))
        fitting = (each for each in every if _has(each, wanted) and is_archived(each) is archived)
        found = list(islice(fitting, start, start + size + 1))
    else:  # the page is found by its position alone
        found = [store.record(key) for key in order.page(start, size + 1, falling=falling)]
    rows = [row(sandbox, kind, record) for record in found[:size]]
    more = len(found) > size
    flat = {"start": start, "limit": size, "more_items_in_collection": more}  # as the API reference has it of leads
    additional = flat if kind == "leads" else pagination(start, size, more=more)
    return JSONResponse({"success": True, "data": rows or None, "additional_data": additional})


def taking_part(sandbox: Sandbox, deal: Record) -> list[Record]:
    """The persons of a deal, its contact person first; those that are deleted are not among them."""
    ids = [str(deal.properties["person_id"])] if deal.properties.get("person_id") else []
    live = (sandbox.get("pipedrive", "persons", number) for number in dict.fromkeys([*ids, *deal.links.get("persons", {})]))
    return [person for person in live if person is not None]


def is_archived(record: Record) -> bool:
    """Whether somebody put it aside, which is not deleting it."""
    return bool(record.properties.get("is_archived"))


def pagination(start: int, size: int, *, more: bool) -> dict[str, Any]:
    """`additional_data` of API v1."""
    following = {"next_start": start + size} if more else {}
    return {"pagination": {"start": start, "limit": size, "more_items_in_collection": more, **following}}


def bad(reason: str) -> Response:
    return JSONResponse({"success": False, "error": reason, "error_info": "", "code": "ERR_SCHEMA_VALIDATION_FAILED"}, 400)


def not_found() -> Response:
    return JSONResponse({"success": False, "error": "Not found", "code": "ERR_NOT_FOUND"}, 404)


def _matching(store: Store, query: dict[str, str]) -> Iterator[Record]:
    """Records in the order that is asked for, from the cursor on."""
    wanted = {name: query[name] for name in EQUAL if name in query}
    statuses = set(query["status"].split(",")) if query.get("status") else set()
    if "ids" in query:
        rows: Iterator[Record] = iter(_by_ids(store, query["ids"]))
    elif statuses == {"deleted"}:
        rows = iter(sorted(store.archived.values(), key=lambda record: record.order))
    else:
        rows = _in_order(store, query)
    since, until = _moments(query)
    return (
        record
        for record in rows
        if _has(record, wanted)
        and (not statuses or statuses == {"deleted"} or record.properties.get("status", "open") in statuses)
        and since <= milliseconds(record.updated_at) < until
    )


def _in_order(store: Store, query: dict[str, str]) -> Iterator[Record]:
    sort_by, falling = query.get("sort_by", "id"), query.get("sort_direction") == "desc"
    if sort_by not in (orders := _orders(store)):
        raise Refused(f"sort_by must be one of {', '.join(orders)}")
    low, high = FIRST, LAST
    if sort_by == "update_time":
        since, until = _moments(query)
        low, high = max(low, (since, -1)), min(high, (until, -1))
    if query.get("cursor"):
        place = _place(query["cursor"])
        low, high = (low, place) if falling else ((place[0], place[1] + 1), high)
    return (store.record(key) for key in orders[sort_by].between(low, high, falling=falling))


def _sorting(store: Store, query: dict[str, str]) -> tuple[Order, bool]:
    """What a list of v1 is sorted by, and whether the last comes first."""
    name, _, direction = query.get("sort", "id").partition(" ")
    if name not in (orders := _orders(store)) or direction.upper() not in {"", "ASC", "DESC"}:
        raise Refused(f"sort must be one of {', '.join(orders)}, and ASC or DESC")
    return orders[name], direction.upper() == "DESC"


def _orders(store: Store) -> dict[str, Order]:
    return {"id": store.by_id, "update_time": store.by_updated, "add_time": store.by_created}


def _by_ids(store: Store, given: str) -> list[Record]:
    ids = [number for number in given.split(",") if number]
    if len(ids) > MOST_IDS:
        raise Refused(f"ids: at most {MOST_IDS}")
    found = [store.live[number] for number in dict.fromkeys(ids) if number in store.live]
    return sorted(found, key=lambda record: record.order)


def _has(record: Record, wanted: dict[str, str]) -> bool:
    return all(str(record.properties.get(name)) == value for name, value in wanted.items())


def _moments(query: dict[str, str]) -> tuple[int, int]:
    """From when on, and up to before when, a record must have changed last."""
    bounds = {"updated_since": FIRST[0], "updated_until": LAST[0]}
    for name in bounds:
        if name in query:
            try:
                moment = datetime.fromisoformat(query[name])
            except ValueError:
                raise Refused(f"{name} must be in RFC 3339") from None
            bounds[name] = milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return bounds["updated_since"], bounds["updated_until"]


def _key(record: Record, sort_by: str) -> Key:
    moments = {"update_time": record.updated_at, "add_time": record.created_at}
    return (milliseconds(moments[sort_by]) if sort_by in moments else record.order), record.order


def _cursor(key: Key) -> str:
    """Opaque, as Pipedrive's are."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _place(cursor: str) -> Key:
    try:
        moment, order = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError, binascii.Error):
        raise Refused("cursor: not one of ours") from None
    return int(moment), int(order)


def _size(query: dict[str, str]) -> int:
    size = _whole(query, "limit", PAGE)
    if not 1 <= size <= MOST:
        raise Refused(f"limit must be between 1 and {MOST}")
    return size


def _whole(query: dict[str, str], name: str, otherwise: int) -> int:
    given = query.get(name, str(otherwise))
    if not given.isdigit():
        raise Refused(f"{name} must be a whole number")
    return int(given)
