"""Pipedrive's side: API v2 records with nested custom fields, and the fields in both versions.

https://developers.pipedrive.com/docs/api/v1/Persons (v2 tab), .../PersonFields
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from automation.sandbox.http import route
from automation.sandbox.state import PIPEDRIVE_STANDARD, Record, Sandbox

FIELDS = {
    "personFields": "persons",
    "organizationFields": "organizations",
    "dealFields": "deals",
    "productFields": "products",
    "activityFields": "activities",
}
MOST_IDS = 100


def routes(sandbox: Sandbox) -> list[Route]:
    table = [
        ("GET", "/api/v2/{kind:str}", _list),
        ("GET", "/api/v2/{kind}/{number}", _get_one),
        ("PATCH", "/api/v2/{kind}/{number}", _patch),
        ("GET", "/v1/users/me", _me),
        ("GET", "/v1/{fields}", _list_fields),
        ("POST", "/v1/{fields}", _create_field),
    ]
    return [route(sandbox, "pipedrive", _guard, *row) for row in table]


def _guard(sandbox: Sandbox, request: Request) -> Response | None:
    given = request.headers.get("x-api-token") or request.query_params.get("api_token")
    if given == sandbox.tokens["pipedrive"]:
        return None
    return JSONResponse({"success": False, "error": "unauthorized access", "errorCode": 401}, 401)


def _list(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    kind = request.path_params["kind"]
    if kind in FIELDS:
        rows = [{"field_code": key, "field_name": name, "field_type": "varchar"} for key, name in _fields(sandbox, FIELDS[kind])]
        return JSONResponse({"success": True, "data": rows, "additional_data": {"next_cursor": None}})
    if kind not in sandbox.pipedrive:
        return _not_found()
    ids = [number for number in request.query_params.get("ids", "").split(",") if number]
    if len(ids) > MOST_IDS:
        return JSONResponse({"success": False, "error": "too many ids"}, 400)
    found = [record for record in sandbox.records("pipedrive", kind) if not ids or record.id in ids]
    return JSONResponse(
        {"success": True, "data": [_row(sandbox, kind, record) for record in found], "additional_data": {"next_cursor": None}}
    )


def _get_one(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    kind = request.path_params["kind"]
    record = sandbox.get("pipedrive", kind, request.path_params["number"]) if kind in sandbox.pipedrive else None
    return _not_found() if record is None else JSONResponse({"success": True, "data": _row(sandbox, kind, record)})


def _patch(sandbox: Sandbox, request: Request, body: Any) -> Response:
    kind, number = request.path_params["kind"], request.path_params["number"]
    if kind not in sandbox.pipedrive or sandbox.get("pipedrive", kind, number) is None:
        return _not_found()
    keys = sandbox.pipedrive_fields[kind]
    custom = body.get("custom_fields") or {}
    if unknown := sorted(custom.keys() - keys.keys()):
        return JSONResponse({"success": False, "error": f"Validation failed: custom_fields: unknown {unknown[0]}"}, 400)
    named = {keys[key]: value for key, value in custom.items()}
    plain = {name: value for name, value in body.items() if name != "custom_fields"}
    record = sandbox.write("pipedrive", kind, number, {**plain, **named}, through="v2")
    return JSONResponse({"success": True, "data": _row(sandbox, kind, record)})


def _me(sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    user = {"id": 1, "name": "Sales", "email": "sales@example.com", "active_flag": True, "company_id": 31, "lang": 1}
    return JSONResponse({"success": True, "data": {**user, "default_currency": sandbox.currency, "locale": sandbox.locale}})


def _list_fields(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    if (kind := FIELDS.get(request.path_params["fields"])) is None:
        return _not_found()
    rows = [{"key": key, "name": name, "field_type": "varchar"} for key, name in _fields(sandbox, kind)]
    return JSONResponse({"success": True, "data": rows, "additional_data": {"pagination": {"more_items_in_collection": False}}})


def _create_field(sandbox: Sandbox, request: Request, body: Any) -> Response:
    if (kind := FIELDS.get(request.path_params["fields"])) is None:
        return _not_found()
    key = sandbox.define_pipedrive_field(kind, body["name"])
    return JSONResponse({"success": True, "data": {"key": key, "name": body["name"], "field_type": body["field_type"]}}, 201)


def _fields(sandbox: Sandbox, kind: str) -> list[tuple[str, str]]:
    with sandbox.lock:
        return [*((name, name) for name in sorted(PIPEDRIVE_STANDARD)), *sandbox.pipedrive_fields[kind].items()]


def _row(sandbox: Sandbox, kind: str, record: Record) -> dict[str, Any]:
    return wire_record(sandbox, kind, record.id, record.properties)


def wire_record(sandbox: Sandbox, kind: str, number: str, properties: dict[str, Any]) -> dict[str, Any]:
    """A record as API v2 and the webhooks show it: custom fields nested under their keys."""
    keys = {name: key for key, name in sandbox.pipedrive_fields[kind].items()}
    custom = {keys[name]: value for name, value in properties.items() if name in keys}
    plain = {name: value for name, value in properties.items() if name not in keys}
    if email := plain.pop("email", None):
        plain["emails"] = [{"value": email, "primary": True, "label": "work"}]
    return {"id": int(number), **plain, "custom_fields": custom}


def _not_found() -> Response:
    return JSONResponse({"success": False, "error": "Not found", "code": "ERR_NOT_FOUND"}, 404)
