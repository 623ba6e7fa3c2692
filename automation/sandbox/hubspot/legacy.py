"""The older contacts paths, which n8n's HubSpot node calls.

https://legacydocs.hubspot.com/docs/methods/contacts/create_or_update and .../get_contact
"""

from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from automation.sandbox.http import AsciiJson
from automation.sandbox.hubspot.objects import unknown
from automation.sandbox.hubspot.text import text
from automation.sandbox.hubspot.wire import error
from automation.sandbox.state import Sandbox


def upsert(sandbox: Sandbox, request: Request, body: Any) -> Response:
    properties = {row["property"]: row["value"] for row in body.get("properties", [])}
    if missing := unknown(sandbox, "contacts", properties):
        return _refused("PROPERTY_DOESNT_EXIST", missing)
    types = {name: row["type"] for name, row in sandbox.hubspot_account.properties["contacts"].items()}
    if late := [name for name in properties if types[name] == "datetime" and not str(properties[name]).isdigit()]:
        # The older API takes a datetime as milliseconds only.
        return _refused("INVALID_LONG", late)
    email = request.path_params["email"]
    record = sandbox.by_email(email)
    number = record.id if record else str(next(sandbox.new_ids))
    texts = {name: text(value) for name, value in properties.items()}
    new = {} if record else {"email": email}  # one that was found by a further address keeps its first one
    sandbox.write("hubspot", "contacts", number, {**new, **texts}, through="v1")
    return AsciiJson({"vid": int(number), "isNew": record is None})


def profile(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    record = sandbox.get("hubspot", "contacts", request.path_params["number"])
    if record is None:
        return error(404, "OBJECT_NOT_FOUND", "contact does not exist")
    values = {name: {"value": text(value)} for name, value in record.properties.items()}
    return AsciiJson({"vid": int(record.id), "canonical-vid": int(record.id), "properties": values})


def _refused(error: str, names: list[str]) -> Response:
    results = [{"isValid": False, "message": f"{name}: {error}", "error": error, "name": name} for name in names]
    message = "Property values were not valid"
    body = {"status": "error", "message": message, "correlationId": str(uuid4()), "validationResults": results}
    return AsciiJson(body, 400)
