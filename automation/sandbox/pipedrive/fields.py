"""The fields of each kind, in both versions: with their names, types and options.

https://developers.pipedrive.com/docs/api/v1/PersonFields (and v2 tab): `key`, `name` and `edit_flag` there are `field_code`,
`field_name` and `is_custom_field` here.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from automation.sandbox.pipedrive.lists import bad, pagination
from automation.sandbox.pipedrive.schema import BY_FIELDS, FIELDS, FIELDS_OF, KINDS
from automation.sandbox.pipedrive.wire import older_instant
from automation.sandbox.state import Sandbox

PAGE, MOST = 100, 500
LABELS = "label_ids"
SUBFIELDS = {"monetary": ("value", "currency"), "address": ("value", "country"), "daterange": ("value", "until")}


def list_newer(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    kind = _kind(request)
    start, size = _number(request, "cursor", 0), _number(request, "limit", PAGE)
    rows = _fields(sandbox, kind)
    following = str(start + size) if len(rows) > start + size else None
    shown = [_newer(*field) for field in rows[start : start + size]]
    return JSONResponse({"success": True, "data": shown, "additional_data": {"next_cursor": following}})


def list_older(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    kind = _kind(request)
    start, size = _number(request, "start", 0), min(_number(request, "limit", PAGE), MOST)
    rows = _fields(sandbox, kind)
    shown = [_older(place, *field) for place, field in enumerate(rows, 1)][start : start + size]
    more = len(rows) > start + size
    return JSONResponse({"success": True, "data": shown, "additional_data": pagination(start, size, more=more)})


def create_newer(sandbox: Sandbox, request: Request, body: Any) -> Response:
    made = _made(sandbox, request, body, "field_name")
    return made if isinstance(made, Response) else JSONResponse({"success": True, "data": _newer(made, custom=True)})


def create_older(sandbox: Sandbox, request: Request, body: Any) -> Response:
    made = _made(sandbox, request, body, "name")
    return (
        made
        if isinstance(made, Response)
        else JSONResponse({"success": True, "data": _older(1000, made, custom=True)}, _status(request))
    )


def _made(sandbox: Sandbox, request: Request, body: Any, name: str) -> dict[str, Any] | Response:
    kind, given = _kind(request), body if isinstance(body, dict) else {}
    if missing := [each for each in (name, "field_type") if not given.get(each)]:
        return bad(f"Validation failed: {missing[0]}: Required")
    options = tuple(str(option["label"]) for option in given.get("options") or ())
    key = sandbox.define_pipedrive_field(kind, given[name], given["field_type"], options)
    return sandbox.pipedrive_account.fields[FIELDS_OF[kind]][key]


def _fields(sandbox: Sandbox, kind: str) -> list[tuple[dict[str, Any], bool]]:
    """Pipedrive's own fields, then the account's; each with whether it is the account's."""
    labels = {LABELS: sandbox.pipedrive_account.labels.get(kind)}
    own = [({"key": key, "name": name, "type": type_, "options": labels.get(key)}, False) for key, name, type_ in FIELDS[kind]]
    return own + [(field, True) for field in sandbox.pipedrive_account.fields[FIELDS_OF[kind]].values()]


def lead_labels(sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    """A lead's labels are no field of it. https://developers.pipedrive.com/docs/api/v1/LeadLabels"""
    made = older_instant(sandbox.now())
    rows = sandbox.pipedrive_account.labels.get("leads", ())
    shown = [{"id": row["id"], "name": row["label"], "color": "blue", "add_time": made, "update_time": made} for row in rows]
    return JSONResponse({"success": True, "data": shown})


def _newer(field: dict[str, Any], custom: bool) -> dict[str, Any]:  # noqa: FBT001
    parts = SUBFIELDS.get(field["type"])
    return {
        "field_name": field["name"], "field_code": field["key"], "field_type": field["type"], "options": field["options"],
        "subfields": [{"field_code": part, "field_name": part, "field_type": "varchar"} for part in parts] if parts else None,
        "is_custom_field": custom, "is_optional_response_field": False,
    }  # fmt: skip


def _older(place: int, field: dict[str, Any], custom: bool) -> dict[str, Any]:  # noqa: FBT001
    shown = {
        "id": place, "key": field["key"], "name": field["name"], "field_type": field["type"], "order_nr": place,
        "active_flag": True,
        "edit_flag": custom, "mandatory_flag": False, "bulk_edit_allowed": True, "important_flag": False,
    }  # fmt: skip
    return {**shown, "options": field["options"]} if field["options"] else shown


def _kind(request: Request) -> str:
    """The routes name only fields that there are."""
    return BY_FIELDS[request.url.path.rsplit("/", 1)[-1]]


def _status(request: Request) -> int:
    return KINDS[_kind(request)].made


def _number(request: Request, name: str, otherwise: int) -> int:
    given = request.query_params.get(name, "")
    return int(given) if given.isdigit() else otherwise
