"""Associations, version 4: read for many records at once, made and taken away one by one.

https://developers.hubspot.com/docs/api-reference/latest/crm/associations/association-details: at most 1,000 inputs, pages of 500
for each of them; a record with no association comes as an error of the batch.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from automation.sandbox.http import AsciiJson
from automation.sandbox.hubspot.objects import not_found
from automation.sandbox.hubspot.schema import KINDS, NAMES, PRIMARY, UNLABELLED
from automation.sandbox.hubspot.wire import batch, error, row_error
from automation.sandbox.records import Record
from automation.sandbox.state import Sandbox
from automation.sandbox.world import OUR_APP

MOST, PAGE = 1000, 500


def batch_read(sandbox: Sandbox, request: Request, body: Any) -> Response:
    pair = _pair(request.path_params["near"], request.path_params["far"])
    inputs = (body or {}).get("inputs", [])
    if pair is None or len(inputs) > MOST:
        return error(400, "VALIDATION_ERROR", f"Unable to infer object types, or more than {MOST} inputs")
    found, errors = [], []
    for row in inputs:
        number, after = str(row["id"]), str(row.get("after") or "0")
        record = sandbox.get("hubspot", pair[0], number)
        rows = [] if record is None else linked(record, pair)
        if rows:
            found.append({"from": {"id": number}, **_page(rows, int(after))})
        else:
            errors.append(_none(pair, number))
    return batch(found, errors, sandbox.now())


def list_page(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    pair = _pair(request.path_params["near"], request.path_params["far"])
    record = None if pair is None else sandbox.get("hubspot", pair[0], request.path_params["number"])
    if pair is None or record is None:
        return not_found()
    query = request.query_params
    page = _page(linked(record, pair), int(query.get("after", "0")), min(int(query.get("limit", str(PAGE))), PAGE))
    return AsciiJson({"results": page.pop("to"), **page})


def make_default(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    pair, ends = _pair(request.path_params["near"], request.path_params["far"]), _ends(request)
    if pair is None or not _both(sandbox, pair, ends):
        return not_found()
    sandbox.link((pair[0], ends[0]), (pair[1], ends[1]), source=OUR_APP)
    results = [
        {"from": {"id": one}, "to": {"id": other}, "associationSpec": _spec(UNLABELLED[each])}
        for each, one, other in ((pair, *ends), (pair[::-1], *ends[::-1]))
    ]
    return batch(results, [], sandbox.now())


def make_labelled(sandbox: Sandbox, request: Request, body: Any) -> Response:
    pair, ends = _pair(request.path_params["near"], request.path_params["far"]), _ends(request)
    if pair is None or not _both(sandbox, pair, ends):
        return not_found()
    wanted = {int(row["associationTypeId"]) for row in body or []}
    if not wanted <= {UNLABELLED[pair], PRIMARY.get(pair)}:
        return error(400, "VALIDATION_ERROR", f"one or more association types of {sorted(wanted)} do not exist")
    sandbox.link((pair[0], ends[0]), (pair[1], ends[1]), primary=PRIMARY.get(pair) in wanted, source=OUR_APP)
    singulars = {"fromObjectTypeId": KINDS[pair[0]].type_id, "toObjectTypeId": KINDS[pair[1]].type_id}
    return AsciiJson({**singulars, "fromObjectId": int(ends[0]), "toObjectId": int(ends[1]), "labels": []}, 201)


def take_away(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    pair, ends = _pair(request.path_params["near"], request.path_params["far"]), _ends(request)
    if pair is not None and _both(sandbox, pair, ends):
        sandbox.unlink((pair[0], ends[0]), (pair[1], ends[1]), source=OUR_APP)
    return Response(status_code=204)


def linked(record: Record, pair: tuple[str, str]) -> list[dict[str, Any]]:
    """A record's associations of one kind, each with its types."""
    labels = {PRIMARY.get(pair): "Primary"}
    return [
        {
            "toObjectId": int(number),
            "associationTypes": [
                {"category": "HUBSPOT_DEFINED", "typeId": type_, "label": labels.get(type_)} for type_ in sorted(types)
            ],
        }
        for number, types in record.links.get(pair[1], {}).items()
    ]


def _page(rows: list[dict[str, Any]], start: int, size: int = PAGE) -> dict[str, Any]:
    more = len(rows) > start + size
    return {"to": rows[start : start + size], **({"paging": {"next": {"after": str(start + size)}}} if more else {})}


def _none(pair: tuple[str, str], number: str) -> dict[str, Any]:
    near, far = KINDS[pair[0]].singular, KINDS[pair[1]].singular
    context = {"fromObjectId": [number], "fromObjectType": [near], "toObjectType": [far]}
    message = f"No {far} is associated with {near} {number}."
    return row_error("OBJECT_NOT_FOUND", message, context, subCategory="crm.associations.NO_ASSOCIATIONS_FOUND")


def _pair(near: str, far: str) -> tuple[str, str] | None:
    """The kinds of both ends, where HubSpot associates them."""
    pair = NAMES.get(near.lower(), ""), NAMES.get(far.lower(), "")
    return pair if pair in UNLABELLED else None


def _ends(request: Request) -> tuple[str, str]:
    return request.path_params["number"], request.path_params["other"]


def _both(sandbox: Sandbox, pair: tuple[str, str], ends: tuple[str, str]) -> bool:
    return all(sandbox.get("hubspot", kind, number) is not None for kind, number in zip(pair, ends, strict=True))


def _spec(type_: int) -> dict[str, Any]:
    return {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_}
