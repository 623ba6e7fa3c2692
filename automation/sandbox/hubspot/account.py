"""The account beside its records: properties and groups as they were made, pipelines, users, and the account itself.

https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide, .../crm/pipelines/guide, .../crm/owners/guide,
https://developers.hubspot.com/docs/api-reference/latest/account/account-information/guide
"""

from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from automation.sandbox.http import AsciiJson
from automation.sandbox.hubspot.objects import not_found, of_kind
from automation.sandbox.hubspot.schema import NAMES, definition
from automation.sandbox.hubspot.text import stamp
from automation.sandbox.hubspot.wire import batch, error, row_error
from automation.sandbox.state import Sandbox

NEEDED = ("name", "label", "type", "fieldType", "groupName")
PAGE = 100


@of_kind
def list_properties(sandbox: Sandbox, kind: str, _request: Request, _body: Any) -> Response:
    rows = sandbox.hubspot_account.properties[kind]
    return AsciiJson({"results": [rows[name] for name in sorted(rows)]})


@of_kind
def get_property(sandbox: Sandbox, kind: str, request: Request, _body: Any) -> Response:
    row = sandbox.hubspot_account.properties[kind].get(request.path_params["name"])
    return not_found() if row is None else AsciiJson(row)


@of_kind
def create_property(sandbox: Sandbox, kind: str, _request: Request, body: Any) -> Response:
    if (problem := _problem(sandbox, kind, body)) is not None:
        return error(400, "VALIDATION_ERROR", problem)
    if not sandbox.hubspot_account.define(kind, _dated(sandbox, body)):
        return error(409, "OBJECT_ALREADY_EXISTS", f"Property {body['name']} already exists")
    return AsciiJson(sandbox.hubspot_account.properties[kind][body["name"]], 201)


@of_kind
def create_properties(sandbox: Sandbox, kind: str, _request: Request, body: Any) -> Response:
    done, errors = [], []
    for row in body.get("inputs", []):
        if (problem := _problem(sandbox, kind, row)) is not None:
            errors.append(row_error("VALIDATION_ERROR", problem, {"name": [str(row.get("name"))]}))
        elif not sandbox.hubspot_account.define(kind, _dated(sandbox, row)):
            errors.append(row_error("OBJECT_ALREADY_EXISTS", f"Property {row['name']} already exists", {"name": [row["name"]]}))
        else:
            done.append(sandbox.hubspot_account.properties[kind][row["name"]])
    return batch(done, errors, sandbox.now(), status=201)


@of_kind
def change_property(sandbox: Sandbox, kind: str, request: Request, body: Any) -> Response:
    row = sandbox.hubspot_account.properties[kind].get(request.path_params["name"])
    if row is None:
        return not_found()
    if row["modificationMetadata"]["readOnlyDefinition"]:
        return error(400, "VALIDATION_ERROR", f"Property {row['name']} is read only")
    row.update({name: value for name, value in body.items() if name in row and name != "name"}, updatedAt=stamp(sandbox.now()))
    return AsciiJson(row)


@of_kind
def list_groups(sandbox: Sandbox, kind: str, _request: Request, _body: Any) -> Response:
    return AsciiJson({"results": list(sandbox.hubspot_account.groups[kind].values())})


@of_kind
def create_group(sandbox: Sandbox, kind: str, _request: Request, body: Any) -> Response:
    groups, name = sandbox.hubspot_account.groups[kind], body["name"]
    if name in groups:
        return error(409, "OBJECT_ALREADY_EXISTS", f"Property group {name} already exists")
    groups[name] = {"name": name, "label": body["label"], "displayOrder": body.get("displayOrder", -1), "archived": False}
    return AsciiJson(groups[name], 201)


def list_pipelines(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    rows = sandbox.hubspot_account.pipelines.get(NAMES.get(request.path_params["kind"].lower(), ""))
    return not_found() if rows is None else AsciiJson({"results": rows})


def list_owners(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    query = request.query_params
    rows = [row for row in sandbox.hubspot_account.owners if query.get("email") in (None, row["email"])]
    start, size = int(query.get("after", "0")), int(query.get("limit", str(PAGE)))
    answer: dict[str, Any] = {"results": rows[start : start + size]}
    if len(rows) > start + size:
        answer["paging"] = {"next": {"after": str(start + size)}}
    return AsciiJson(answer)


def get_owner(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    found = [row for row in sandbox.hubspot_account.owners if row["id"] == request.path_params["number"]]
    return AsciiJson(found[0]) if found else not_found()


def details(sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    account = sandbox.hubspot_account
    offset = sandbox.now().astimezone(ZoneInfo(account.time_zone)).utcoffset()
    seconds = int(offset.total_seconds()) if offset else 0
    return AsciiJson(
        {
            "portalId": account.portal_id, "accountType": "DEVELOPER_TEST", "timeZone": account.time_zone,
            "companyCurrency": account.currency, "additionalCurrencies": [], "uiDomain": "app.hubspot.com",
            "utcOffset": f"{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02d}:{abs(seconds) % 3600 // 60:02d}",
            "utcOffsetMilliseconds": seconds * 1000, "dataHostingLocation": "eu1",
        }
    )  # fmt: skip


def _problem(sandbox: Sandbox, kind: str, given: dict[str, Any]) -> str | None:
    if missing := [name for name in NEEDED if not given.get(name)]:
        return f"Invalid input JSON: {', '.join(missing)} is required"
    if given["groupName"] not in sandbox.hubspot_account.groups[kind]:
        return f"Property group {given['groupName']} does not exist"
    return None


def _dated(sandbox: Sandbox, given: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, of what a property has."""
    known, moment = definition(name="").keys(), stamp(sandbox.now())
    kept = {name: value for name, value in given.items() if name in known and value is not None}
    return {**kept, "createdAt": moment, "updatedAt": moment}
