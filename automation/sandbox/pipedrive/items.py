"""Single records: read, create, change, delete. API v2 nests custom fields; v1 has a lead's beside the others.

https://developers.pipedrive.com/docs/api/v1/Persons (v2 tab), .../Leads, .../Notes
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from automation.sandbox.http import Handler
from automation.sandbox.pipedrive.lists import bad, newer_page, not_found, older_page
from automation.sandbox.pipedrive.schema import ARCHIVABLE, FIELDS_OF, KINDS
from automation.sandbox.pipedrive.wire import number_of, row
from automation.sandbox.state import Sandbox
from automation.sandbox.world import OUR_APP

KindHandler = Callable[[Sandbox, str, Request, Any], Response]
NEEDED = {"deals": "title", "leads": "title", "activities": "subject", "notes": "content"}
BY_V2, BY_V1 = "v2", "v1"


def of_kind(through: str) -> Callable[[KindHandler], Handler]:
    """Names the kind that a path speaks of; 404 where that version of the API does not have it."""

    def named(handler: KindHandler) -> Handler:
        @wraps(handler)
        def checked(sandbox: Sandbox, request: Request, body: Any) -> Response:
            kind = request.path_params["kind"]
            if kind not in KINDS or KINDS[kind].v1 != (through == BY_V1):
                return not_found()
            return bad("the body is no JSON object") if not isinstance(body, dict) else handler(sandbox, kind, request, body)

        return checked

    return named


@of_kind(BY_V2)
def list_newer(sandbox: Sandbox, kind: str, request: Request, _body: Any) -> Response:
    return newer_page(sandbox, kind, request)


@of_kind(BY_V1)
def list_older(sandbox: Sandbox, kind: str, request: Request, _body: Any) -> Response:
    return older_page(sandbox, kind, request)


@of_kind(BY_V2)
def list_archived_newer(sandbox: Sandbox, kind: str, request: Request, _body: Any) -> Response:
    return newer_page(sandbox, kind, request, archived=True) if kind in ARCHIVABLE else not_found()


@of_kind(BY_V1)
def list_archived_older(sandbox: Sandbox, kind: str, request: Request, _body: Any) -> Response:
    return older_page(sandbox, kind, request, archived=True) if kind in ARCHIVABLE else not_found()


def get_one(sandbox: Sandbox, kind: str, request: Request, _body: Any) -> Response:
    """What was deleted, too, for as long as it is in the recycle bin; leads have none."""
    store, number = sandbox.store("pipedrive", kind), request.path_params["number"]
    record = store.live.get(number) or (None if kind == "leads" else store.archived.get(number))
    return not_found() if record is None else JSONResponse({"success": True, "data": row(sandbox, kind, record)})


def create(sandbox: Sandbox, kind: str, _request: Request, body: Any) -> Response:
    needed = NEEDED.get(kind, "name")
    if not body.get(needed):
        return bad(f"Validation failed: {needed}: Required")
    number = str(next(sandbox.new_ids))
    number = str(uuid5(NAMESPACE_URL, number)) if kind == "leads" else number
    return _written(sandbox, kind, number, body, status=KINDS[kind].made)


def change(sandbox: Sandbox, kind: str, request: Request, body: Any) -> Response:
    number = request.path_params["number"]
    if sandbox.get("pipedrive", kind, number) is None:
        return not_found()
    return _written(sandbox, kind, number, body, status=200)


def delete(sandbox: Sandbox, kind: str, request: Request, _body: Any) -> Response:
    number = request.path_params["number"]
    if sandbox.archive("pipedrive", kind, number, source=OUR_APP) is None:
        return not_found()
    said = True if kind == "notes" else {"id": number_of(kind, number)}
    return JSONResponse({"success": True, "data": said})


def _written(sandbox: Sandbox, kind: str, number: str, body: dict[str, Any], *, status: int) -> Response:
    """Under the fields' names, which is how the records have them."""
    names = {key: field["name"] for key, field in sandbox.pipedrive_account.fields[FIELDS_OF[kind]].items()}
    v1 = KINDS[kind].v1
    custom = {key: value for key, value in body.items() if key in names} if v1 else body.get("custom_fields") or {}
    if unknown := sorted(custom.keys() - names.keys()):
        return bad(f"Validation failed: custom_fields: unknown {unknown[0]}")
    plain = {name: value for name, value in body.items() if name != "custom_fields" and name not in custom}
    named = {names[key]: value for key, value in custom.items()}
    record = sandbox.write("pipedrive", kind, number, {**plain, **named}, through=BY_V1 if v1 else BY_V2)
    return JSONResponse({"success": True, "data": row(sandbox, kind, record)}, status)
