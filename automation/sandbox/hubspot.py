"""HubSpot's side: CRM v3 objects in batches, properties, and the older contacts paths that n8n's node uses.

Shapes: https://developers.hubspot.com/docs/api-reference (crm-contacts-v3, crm-properties-v3, legacy contacts v1).
"""

import itertools
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from automation.sandbox.http import AsciiJson, route
from automation.sandbox.state import Record, Sandbox

MOST_INPUTS = 100
ALWAYS = ("createdate", "lastmodifieddate", "hs_object_id")
_new_ids = itertools.count(900_000_001)


def routes(sandbox: Sandbox) -> list[Route]:
    """All paths, without the host."""
    table = [
        ("POST", "/crm/v3/objects/{kind}/batch/read", _batch_read),
        ("POST", "/crm/v3/objects/{kind}/batch/update", _batch_update),
        ("GET", "/crm/v3/objects/{kind}/{number}", _get_one),
        ("PATCH", "/crm/v3/objects/{kind}/{number}", _patch_one),
        ("POST", "/crm/v3/objects/{kind}", _create_one),
        ("GET", "/account-info/v3/details", _account),
        ("GET", "/crm/v3/properties/{kind}", _list_properties),
        ("POST", "/crm/v3/properties/{kind}", _create_property),
        ("POST", "/crm/v3/properties/{kind}/groups", _create_group),
        ("POST", "/contacts/v1/contact/createOrUpdate/email/{email}", _v1_upsert),
        ("GET", "/contacts/v1/contact/vid/{number}/profile", _v1_profile),
    ]
    return [route(sandbox, "hubspot", _guard, *row) for row in table]


def _guard(sandbox: Sandbox, request: Request) -> Response | None:
    if request.headers.get("authorization") == f"Bearer {sandbox.tokens['hubspot']}":
        return None
    return _error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")


def _batch_read(sandbox: Sandbox, request: Request, body: Any) -> Response:
    kind, inputs = request.path_params["kind"], body.get("inputs", [])
    if (refused := _check_batch(sandbox, kind, inputs)) is not None:
        return refused
    wanted = [*body.get("properties", []), *ALWAYS]
    found, missing = [], []
    for row in inputs:
        record = sandbox.get("hubspot", kind, str(row["id"]))
        (missing.append(str(row["id"])) if record is None else found.append(_object(record, wanted)))
    errors = [_row_error("OBJECT_NOT_FOUND", "Could not get some objects", {"ids": missing})] if missing else []
    return _batch(found, errors)


def _batch_update(sandbox: Sandbox, request: Request, body: Any) -> Response:
    kind, inputs = request.path_params["kind"], body.get("inputs", [])
    if (refused := _check_batch(sandbox, kind, inputs)) is not None:
        return refused
    if len({str(row["id"]) for row in inputs}) < len(inputs):
        return _error(400, "VALIDATION_ERROR", "Duplicate IDs found in batch input")
    done, errors = [], []
    for row in inputs:
        number, properties = str(row["id"]), row.get("properties", {})
        trace = {"objectWriteTraceId": [row["objectWriteTraceId"]]} if row.get("objectWriteTraceId") else {}
        if sandbox.get("hubspot", kind, number) is None:
            errors.append(_row_error("OBJECT_NOT_FOUND", f"{number} was not found", {"ids": [number], **trace}))
        elif unknown := _unknown(sandbox, kind, properties):
            errors.append(_row_error("VALIDATION_ERROR", _unknown_message(unknown), trace))
        else:
            record = sandbox.write("hubspot", kind, number, properties, through="batch")
            done.append(_object(record, [*properties, *ALWAYS]))
    return _batch(done, errors)


def _get_one(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    record = sandbox.get("hubspot", request.path_params["kind"], request.path_params["number"])
    if record is None:
        return _error(404, "OBJECT_NOT_FOUND", "resource not found")
    wanted = request.query_params.get("properties", "").split(",")
    return AsciiJson(_object(record, [*wanted, *ALWAYS]))


def _patch_one(sandbox: Sandbox, request: Request, body: Any) -> Response:
    kind, number = request.path_params["kind"], request.path_params["number"]
    if sandbox.get("hubspot", kind, number) is None:
        return _error(404, "OBJECT_NOT_FOUND", "resource not found")
    return _written(sandbox, kind, number, body.get("properties", {}), status=200)


def _create_one(sandbox: Sandbox, request: Request, body: Any) -> Response:
    return _written(sandbox, request.path_params["kind"], str(next(_new_ids)), body.get("properties", {}), status=201)


def _written(sandbox: Sandbox, kind: str, number: str, properties: dict[str, Any], *, status: int) -> Response:
    if unknown := _unknown(sandbox, kind, properties):
        return _error(400, "VALIDATION_ERROR", _unknown_message(unknown))
    record = sandbox.write("hubspot", kind, number, properties, through="object")
    return AsciiJson(_object(record, [*properties, *ALWAYS]), status)


def _account(sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    zone = {"timeZone": "Europe/Berlin", "utcOffset": "+01:00", "utcOffsetMilliseconds": 3_600_000}
    place = {"portalId": 62_515, "accountType": "STANDARD", "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1"}
    return AsciiJson({**place, **zone, "companyCurrency": sandbox.currency, "additionalCurrencies": []})


def _list_properties(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    names = sorted(sandbox.hubspot_properties.get(request.path_params["kind"], ()))
    return AsciiJson({"results": [_property({"name": name}) for name in names]})


def _create_property(sandbox: Sandbox, request: Request, body: Any) -> Response:
    missing = [name for name in ("name", "label", "type", "fieldType", "groupName") if not body.get(name)]
    if missing:
        return _error(400, "VALIDATION_ERROR", f"Invalid input JSON: {', '.join(missing)} is required")
    if not sandbox.define_hubspot_property(request.path_params["kind"], body["name"], body["type"]):
        return _error(409, "OBJECT_ALREADY_EXISTS", f"Property {body['name']} already exists")
    return AsciiJson(_property(body), 201)


def _create_group(_sandbox: Sandbox, _request: Request, body: Any) -> Response:
    return AsciiJson({"name": body["name"], "label": body["label"], "displayOrder": -1, "archived": False}, 201)


def _v1_upsert(sandbox: Sandbox, request: Request, body: Any) -> Response:
    properties = {row["property"]: row["value"] for row in body.get("properties", [])}
    if unknown := _unknown(sandbox, "contacts", properties):
        return _v1_refused("PROPERTY_DOESNT_EXIST", unknown)
    if late := [name for name in properties if name in sandbox.hubspot_datetimes and not str(properties[name]).isdigit()]:
        # The older API takes a datetime as milliseconds only.
        return _v1_refused("INVALID_LONG", late)
    email = request.path_params["email"]
    record = sandbox.by_email(email)
    number = record.id if record else str(next(_new_ids))
    texts = {name: _text(value) for name, value in properties.items()}
    sandbox.write("hubspot", "contacts", number, {"email": email, **texts}, through="v1")
    return AsciiJson({"vid": int(number), "isNew": record is None})


def _v1_refused(error: str, names: list[str]) -> Response:
    results = [{"isValid": False, "message": f"{name}: {error}", "error": error, "name": name} for name in names]
    message = "Property values were not valid"
    body = {"status": "error", "message": message, "correlationId": str(uuid4()), "validationResults": results}
    return AsciiJson(body, 400)


def _v1_profile(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    record = sandbox.get("hubspot", "contacts", request.path_params["number"])
    if record is None:
        return _error(404, "OBJECT_NOT_FOUND", "contact does not exist")
    values = {name: {"value": _text(value)} for name, value in record.properties.items()}
    return AsciiJson({"vid": int(record.id), "canonical-vid": int(record.id), "properties": values})


def _check_batch(sandbox: Sandbox, kind: str, inputs: list[Any]) -> Response | None:
    if kind not in sandbox.hubspot:
        return _error(400, "VALIDATION_ERROR", f"Unable to infer object type from: {kind}")
    if len(inputs) > MOST_INPUTS:
        return _error(400, "VALIDATION_ERROR", f"The maximum batch size is {MOST_INPUTS}")
    return None


def _unknown(sandbox: Sandbox, kind: str, properties: dict[str, Any]) -> list[str]:
    return sorted(properties.keys() - sandbox.hubspot_properties[kind])


def _unknown_message(names: list[str]) -> str:
    return "; ".join(f'Property "{name}" does not exist' for name in names)


def _object(record: Record, wanted: list[str]) -> dict[str, Any]:
    now = _stamp(datetime.now(UTC))
    own = {"createdate": _stamp(record.created_at), "lastmodifieddate": now, "hs_object_id": record.id}
    values = {name: _text({**record.properties, **own}.get(name)) for name in wanted if name}
    return {"id": record.id, "properties": values, "createdAt": own["createdate"], "updatedAt": now, "archived": False}


def _batch(results: list[Any], errors: list[Any]) -> Response:
    now = _stamp(datetime.now(UTC))
    body = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if errors:
        return AsciiJson({**body, "numErrors": len(errors), "errors": errors}, 207)
    return AsciiJson(body)


def _row_error(category: str, message: str, context: dict[str, Any]) -> dict[str, Any]:
    return {"status": "error", "category": category, "message": message, "context": context, "links": {}}


def _property(body: dict[str, Any]) -> dict[str, Any]:
    base = {"label": body["name"], "type": "string", "fieldType": "text", "groupName": "contactinformation"}
    return {**base, **body, "description": body.get("description", ""), "options": body.get("options", [])}


def _text(value: Any) -> str | None:
    """HubSpot keeps and gives every value as text."""
    if value is None or isinstance(value, str):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error(status: int, category: str, message: str) -> Response:
    body = {"status": "error", "message": message, "correlationId": str(uuid4()), "category": category}
    return AsciiJson(body, status)
