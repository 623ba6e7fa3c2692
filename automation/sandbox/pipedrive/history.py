"""What became of a record: the changelog of its fields, and a deal's or person's flow. Both are of API v1, which serves them still.

https://developers.pipedrive.com/docs/api/v1/Deals#getDealChangelog (by cursor, the newest first) and #getDealUpdates (by position)
"""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from automation.sandbox.pipedrive.lists import not_found, pagination
from automation.sandbox.pipedrive.schema import FIELDS_OF
from automation.sandbox.pipedrive.wire import older_instant, older_value
from automation.sandbox.records import Record
from automation.sandbox.state import Sandbox

KINDS = ("deals", "persons", "organizations")
PAGE, MOST = 50, 500
FLOW_ITEMS = {"deals": "dealChange", "persons": "personChange", "organizations": "organizationChange"}


def changelog(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    kind, record = _record(sandbox, request)
    if record is None:
        return not_found()
    start, size = number_of_query(request, "cursor", 0), min(number_of_query(request, "limit", PAGE), MOST)
    rows = list(_changes(sandbox, kind, record))
    following = str(start + size) if len(rows) > start + size else None
    return JSONResponse({"success": True, "data": rows[start : start + size], "additional_data": {"next_cursor": following}})


def flow(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    kind, record = _record(sandbox, request)
    if record is None:
        return not_found()
    start, size = number_of_query(request, "start", 0), min(number_of_query(request, "limit", PAGE), MOST)
    wanted = request.query_params.get("items")
    rows = list(_changes(sandbox, kind, record)) if wanted is None or FLOW_ITEMS[kind] in wanted.split(",") else []
    shown = [_item(kind, record, place, row) for place, row in enumerate(rows)]
    data = shown[start : start + size]
    extra = pagination(start, size, more=len(shown) > start + size)
    return JSONResponse({"success": True, "data": data, "additional_data": extra, "related_objects": {}})


def number_of_query(request: Request, name: str, otherwise: int) -> int:
    """A number in the query; the other one where there is none."""
    given = request.query_params.get(name, "")
    return int(given) if given.isdigit() else otherwise


def _changes(sandbox: Sandbox, kind: str, record: Record) -> Iterator[dict[str, Any]]:
    """A row for each field of each change, the newest first; how the record was made is none."""
    keys = {field["name"]: key for key, field in sandbox.pipedrive_account.fields[FIELDS_OF[kind]].items()}
    for place in range(len(record.changes) - 1, 0, -1):
        change = record.changes[place]
        for name, value in change.values.items():
            before = next((past.values[name] for past in reversed(record.changes[:place]) if name in past.values), None)
            yield {
                "field_key": keys.get(name, name), "old_value": _text(before), "new_value": _text(value), "actor_user_id": 1,
                "time": older_instant(change.at), "change_source": "api" if change.source.by_api else "app",
                "change_source_user_agent": None, "is_bulk_update_flag": change.in_bulk,
            }  # fmt: skip


def _item(kind: str, record: Record, place: int, row: dict[str, Any]) -> dict[str, Any]:
    data = {
        "id": place + 1, "item_id": int(record.id), "user_id": row["actor_user_id"], "field_key": row["field_key"],
        "old_value": row["old_value"], "new_value": row["new_value"], "is_bulk_update_flag": row["is_bulk_update_flag"],
        "log_time": row["time"], "change_source": row["change_source"], "change_source_user_agent": None, "additional_data": {},
    }  # fmt: skip
    return {"object": FLOW_ITEMS[kind], "timestamp": row["time"], "data": data}


def _record(sandbox: Sandbox, request: Request) -> tuple[str, Record | None]:
    kind = request.path_params["kind"]
    return kind, sandbox.get("pipedrive", kind, request.path_params["number"]) if kind in KINDS else None


def _text(value: Any) -> str | None:
    return None if value is None else str(older_value(value))
