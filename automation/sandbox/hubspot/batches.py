"""Batches of objects: a hundred inputs each, answered row by row.

https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide; with histories fifty inputs
(https://github.com/activepieces/activepieces/pull/9359 has HubSpot's own words for more).
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from automation.sandbox.hubspot.objects import MOST, MOST_WITH_HISTORY, archived_asked, of_kind, unknown, unknown_message
from automation.sandbox.hubspot.schema import KINDS
from automation.sandbox.hubspot.wire import batch, error, object_of, row_error
from automation.sandbox.records import Record
from automation.sandbox.state import Sandbox
from automation.sandbox.world import OUR_APP

NOT_NOW = "INTERNAL_ERROR"  # the category of a row that fails although there is nothing wrong with it
FEW = "The maximum number of inputs supported in a batch request for property histories is {}"


@of_kind
def read(sandbox: Sandbox, kind: str, request: Request, body: Any) -> Response:
    inputs, histories = body.get("inputs", []), body.get("propertiesWithHistory") or []
    if (refused := _too_long(inputs)) is not None:
        return refused
    if histories and len(inputs) > MOST_WITH_HISTORY:
        return error(400, "VALIDATION_ERROR", FEW.format(MOST_WITH_HISTORY))
    wanted = body.get("properties") or KINDS[kind].shown
    by_email, archived = body.get("idProperty") == "email", archived_asked(request)
    found, missing, errors = [], [], []
    for number in dict.fromkeys(str(row["id"]) for row in inputs):
        record = _find(sandbox, kind, number, by_email=by_email, archived=archived)
        if record is None:
            missing.append(number)
        elif sandbox.faults["hubspot"].refuses_row():
            errors.append(row_error(NOT_NOW, "Internal error", {"ids": [number]}))
        else:
            found.append(record)
    if missing:
        errors.append(row_error("OBJECT_NOT_FOUND", "Could not get some objects", {"ids": missing}))
    rows = {record.id: object_of(kind, record, wanted, histories) for record in found}  # of two that were merged, one
    return batch(list(rows.values()), errors, sandbox.now())


@of_kind
def update(sandbox: Sandbox, kind: str, _request: Request, body: Any) -> Response:
    inputs = body.get("inputs", [])
    if (refused := _too_long(inputs)) is not None:
        return refused
    if len({str(row["id"]) for row in inputs}) < len(inputs):
        return error(400, "VALIDATION_ERROR", "Duplicate IDs found in batch input")
    done, errors = [], []
    for row in inputs:
        number, properties = str(row["id"]), row.get("properties", {})
        if (failed := _row_fails(sandbox, kind, number, row)) is not None:
            errors.append(failed)
        else:
            record = sandbox.write("hubspot", kind, number, properties, through="batch")
            done.append(object_of(kind, record, properties))
    return batch(done, errors, sandbox.now())


@of_kind
def create(sandbox: Sandbox, kind: str, _request: Request, body: Any) -> Response:
    inputs = body.get("inputs", [])
    if (refused := _too_long(inputs)) is not None:
        return refused
    if missing := unknown(sandbox, kind, {name: None for row in inputs for name in row.get("properties", {})}):
        return error(400, "VALIDATION_ERROR", unknown_message(missing))
    made = [sandbox.write("hubspot", kind, str(next(sandbox.new_ids)), row["properties"], through="batch") for row in inputs]
    return batch([object_of(kind, record, record.properties) for record in made], [], sandbox.now(), status=201)


@of_kind
def archive(sandbox: Sandbox, kind: str, _request: Request, body: Any) -> Response:
    inputs = body.get("inputs", [])
    if (refused := _too_long(inputs)) is not None:
        return refused
    for row in inputs:
        sandbox.archive("hubspot", kind, str(row["id"]), source=OUR_APP)
    return Response(status_code=204)


def _too_long(inputs: list[Any]) -> Response | None:
    return error(400, "VALIDATION_ERROR", f"The maximum batch size is {MOST}") if len(inputs) > MOST else None


def _find(sandbox: Sandbox, kind: str, number: str, *, by_email: bool, archived: bool) -> Record | None:
    store = sandbox.hubspot[kind]
    if by_email:
        return store.with_email(number)
    return store.archived.get(number) if archived else store.at(number)


def _row_fails(sandbox: Sandbox, kind: str, number: str, row: dict[str, Any]) -> dict[str, Any] | None:
    trace = {"objectWriteTraceId": [row["objectWriteTraceId"]]} if row.get("objectWriteTraceId") else {}
    if sandbox.get("hubspot", kind, number) is None:
        return row_error("OBJECT_NOT_FOUND", f"{number} was not found", {"ids": [number], **trace})
    if missing := unknown(sandbox, kind, row.get("properties", {})):
        return row_error("VALIDATION_ERROR", unknown_message(missing), trace)
    if sandbox.faults["hubspot"].refuses_row():
        return row_error(NOT_NOW, "Internal error", {"ids": [number], **trace})
    return None
