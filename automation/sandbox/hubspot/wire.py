"""The shapes of HubSpot's answers: objects with and without history, batches with errors row by row, errors.

https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide and .../error-handling; a history's length and
its shape: https://github.com/HubSpot/hubspot-api-nodejs/issues/154
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import uuid4

from starlette.responses import Response

from automation.sandbox.http import AsciiJson
from automation.sandbox.hubspot.schema import KINDS, PRIMARY, UNLABELLED
from automation.sandbox.hubspot.text import stamp, text
from automation.sandbox.records import Record, milliseconds


def object_of(kind: str, record: Record, wanted: Iterable[str], histories: Iterable[str] = ()) -> dict[str, Any]:
    """A record with the properties that were asked for, and those that HubSpot always gives."""
    own = own_properties(kind, record)
    said = {**record.properties, **merged_properties(record), **own}
    values = {name: text(said.get(name)) for name in (*wanted, *own) if name}
    shown = {
        "id": record.id, "properties": values, "createdAt": stamp(record.created_at), "updatedAt": stamp(record.updated_at),
        "archived": record.archived_at is not None,
    }  # fmt: skip
    if record.archived_at is not None:
        shown["archivedAt"] = stamp(record.archived_at)
    if named := [name for name in histories if name]:
        shown["propertiesWithHistory"] = {name: _history(record, name) for name in named}
    return shown


def own_properties(kind: str, record: Record) -> dict[str, str]:
    """What HubSpot itself says of a record: its number, and when it was made and changed last."""
    about = KINDS[kind]
    return {about.created: stamp(record.created_at), about.modified: stamp(record.updated_at), "hs_object_id": record.id}


def merged_properties(record: Record) -> dict[str, str]:
    """Which records went into one, in both of HubSpot's ways; the second one contacts have alone."""
    if not record.merged:
        return {}
    vids = (f"{number}:{milliseconds(at)}" for number, at in record.merged.items())
    return {"hs_merged_object_ids": ";".join(record.merged), "hs_calculated_merged_vids": ";".join(vids)}


def associations_of(kind: str, record: Record, others: Iterable[str]) -> dict[str, Any]:
    """A record's associations by kind, as reads of objects show them: one entry for each type."""
    found = (
        (other, [row for far in record.links.get(other, {}) for row in _associated(kind, record, other, far)]) for other in others
    )
    return {other: {"results": rows} for other, rows in found if rows}


def batch(results: list[Any], errors: list[Any], now: datetime, *, status: int = 200) -> Response:
    """200, or 207 where rows failed."""
    moment = stamp(now)
    body = {"status": "COMPLETE", "results": results, "startedAt": moment, "completedAt": moment}
    if errors:
        return AsciiJson({**body, "numErrors": len(errors), "errors": errors}, 207)
    return AsciiJson(body, status)


def row_error(category: str, message: str, context: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"status": "error", "category": category, "message": message, "context": context, "links": {}, "errors": [], **more}


def error(status: int, category: str, message: str, **more: Any) -> Response:
    body = {"status": "error", "message": message, "correlationId": str(uuid4()), "category": category, **more}
    return AsciiJson(body, status)


def _history(record: Record, name: str) -> list[dict[str, Any]]:
    """The newest first. Who changed it is a user, or an app by its id."""
    return [
        {
            "value": text(value) or "", "timestamp": stamp(change.at), "sourceType": change.source.type,
            "sourceId": change.source.id,
            **({} if change.source.by_api else {"updatedByUserId": 1}),
        }
        for value, change in record.history(name)
    ]  # fmt: skip


def _associated(kind: str, record: Record, other: str, far: str) -> list[dict[str, str]]:
    types, pair = record.links[other][far], (kind, other)
    plain = f"{KINDS[kind].singular}_to_{KINDS[other].singular}"
    if PRIMARY.get(pair) in types:
        return [{"id": far, "type": plain}, {"id": far, "type": f"{plain}_unlabeled"}]
    return [{"id": far, "type": f"{plain}_unlabeled" if pair in PRIMARY and UNLABELLED[pair] in types else plain}]
