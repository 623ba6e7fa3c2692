"""Single objects and pages of them: list, read, create, change, archive, merge, and delete for privacy.

https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide, .../deals/guide, .../notes/guide and so on
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from automation.sandbox.http import AsciiJson, Handler
from automation.sandbox.hubspot.schema import KINDS, NAMES
from automation.sandbox.hubspot.wire import associations_of, error, object_of
from automation.sandbox.records import Record
from automation.sandbox.state import Sandbox
from automation.sandbox.world import OUR_APP

PAGE, MOST, MOST_WITH_HISTORY = 10, 100, 50
KindHandler = Callable[[Sandbox, str, Request, Any], Response]


def of_kind(handler: KindHandler) -> Handler:
    """Names the kind that a path speaks of: by its plural, its singular or the number of its type."""

    @wraps(handler)
    def named(sandbox: Sandbox, request: Request, body: Any) -> Response:
        kind = NAMES.get(request.path_params["kind"].lower())
        if kind is None:
            return error(400, "VALIDATION_ERROR", f"Unable to infer object type from: {request.path_params['kind']}")
        if body is None:
            return error(400, "VALIDATION_ERROR", "Invalid input JSON")
        return handler(sandbox, kind, request, body)

    return named


@of_kind
def list_page(sandbox: Sandbox, kind: str, request: Request, _body: Any) -> Response:
    query = request.query_params
    histories = names_in(request, "propertiesWithHistory")
    size, most = query.get("limit", str(PAGE)), MOST_WITH_HISTORY if histories else MOST
    if not size.isdigit() or not 1 <= int(size) <= most:
        return error(400, "VALIDATION_ERROR", f"Invalid request: limit must be between 1 and {most}")
    after = query.get("after", "0")
    if not after.isdigit():
        return error(400, "VALIDATION_ERROR", "Invalid request: after must be a paging cursor")
    store = sandbox.hubspot[kind]
    found = store.after(int(after), int(size) + 1, archived=archived_asked(request))
    rows = [shown(sandbox, kind, record, request) for record in found[: int(size)]]
    if len(found) <= int(size):
        return AsciiJson({"results": rows})
    following = str(found[-1].order)
    link = str(request.url.include_query_params(after=following))
    return AsciiJson({"results": rows, "paging": {"next": {"after": following, "link": link}}})


@of_kind
def get_one(sandbox: Sandbox, kind: str, request: Request, _body: Any) -> Response:
    store, number = sandbox.hubspot[kind], request.path_params["number"]
    record = store.archived.get(number) if archived_asked(request) else store.at(number)
    if record is None and request.query_params.get("idProperty") == "email":
        record = store.with_email(number)
    return not_found() if record is None else AsciiJson(shown(sandbox, kind, record, request))


@of_kind
def patch_one(sandbox: Sandbox, kind: str, request: Request, body: Any) -> Response:
    number = request.path_params["number"]
    if sandbox.get("hubspot", kind, number) is None:
        return not_found()
    return _written(sandbox, kind, number, body.get("properties", {}), status=200)


@of_kind
def create_one(sandbox: Sandbox, kind: str, _request: Request, body: Any) -> Response:
    properties = body.get("properties", {})
    email = properties.get("email") if kind == "contacts" else None
    if email and (there := sandbox.by_email(email)) is not None:
        return error(409, "CONFLICT", f"Contact already exists. Existing ID: {there.id}")
    return _written(sandbox, kind, str(next(sandbox.new_ids)), properties, status=201)


@of_kind
def archive_one(sandbox: Sandbox, kind: str, request: Request, _body: Any) -> Response:
    """As HubSpot, to whom it does not matter whether it was there."""
    sandbox.archive("hubspot", kind, request.path_params["number"], source=OUR_APP)
    return Response(status_code=204)


@of_kind
def merge(sandbox: Sandbox, kind: str, _request: Request, body: Any) -> Response:
    stays, gone = str(body.get("primaryObjectId")), str(body.get("objectIdToMerge"))
    live = sandbox.hubspot[kind].live
    if stays not in live or gone not in live:
        return not_found()
    record = sandbox.merge("hubspot", kind, stays, [gone])
    return AsciiJson(object_of(kind, record, KINDS[kind].shown))


def gdpr_delete(sandbox: Sandbox, _request: Request, body: Any) -> Response:
    """A contact for good, by its id or its e-mail address. One that is not there is as good as deleted."""
    number = str((body or {}).get("objectId", ""))
    if (body or {}).get("idProperty") == "email" and (record := sandbox.by_email(number)) is not None:
        number = record.id
    sandbox.erase("hubspot", "contacts", number, source=OUR_APP)
    return Response(status_code=204)


def shown(sandbox: Sandbox, kind: str, record: Record, request: Request) -> dict[str, Any]:
    """A record as the query asks for it."""
    wanted = names_in(request, "properties") or KINDS[kind].shown
    row = object_of(kind, record, wanted, names_in(request, "propertiesWithHistory"))
    others = [NAMES[name.lower()] for name in names_in(request, "associations") if name.lower() in NAMES]
    if others and (found := associations_of(kind, record, others)):
        row["associations"] = found
    return row


def archived_asked(request: Request) -> bool:
    """Python's own SDK says `True`."""
    return request.query_params.get("archived", "").lower() == "true"


def names_in(request: Request, parameter: str) -> list[str]:
    """A list in a query: separated by commas, or named several times."""
    return [name for given in request.query_params.getlist(parameter) for name in given.split(",") if name]


def unknown(sandbox: Sandbox, kind: str, properties: dict[str, Any]) -> list[str]:
    """The names that the account has no property for."""
    return sorted(properties.keys() - sandbox.hubspot_account.properties[kind].keys())


def unknown_message(names: list[str]) -> str:
    return "; ".join(f'Property "{name}" does not exist' for name in names)


def not_found() -> Response:
    return error(404, "OBJECT_NOT_FOUND", "resource not found")


def _written(sandbox: Sandbox, kind: str, number: str, properties: dict[str, Any], *, status: int) -> Response:
    if missing := unknown(sandbox, kind, properties):
        return error(400, "VALIDATION_ERROR", unknown_message(missing))
    record = sandbox.write("hubspot", kind, number, properties, through="object")
    return AsciiJson(object_of(kind, record, properties), status)
