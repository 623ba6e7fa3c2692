"""The shapes of Pipedrive's records: API v2 with nested custom fields, webhooks with each of those wrapped, and API v1.

https://developers.pipedrive.com/docs/api/v1/Persons (v2 tab) and the other kinds' pages,
https://pipedrive.readme.io/docs/guide-for-webhooks-v2 ("custom fields")
"""

from datetime import datetime
from typing import Any

from automation.sandbox.pipedrive.schema import FIELDS_OF, KINDS
from automation.sandbox.records import Record
from automation.sandbox.state import Sandbox

# Where a webhook puts what a field of such a type holds, if not under `value`.
PLACES = {"enum": "id", "user": "id", "people": "id", "org": "id"}


def row(sandbox: Sandbox, kind: str, record: Record) -> dict[str, Any]:
    """A record as the API shows it: v2 where the kind is there, v1 otherwise."""
    plain, custom = _parts(sandbox, kind, record.properties)
    shown = {**_blank(kind), **plain, **_own(kind, record)}
    if not KINDS[kind].custom:
        return shown
    keys = sandbox.pipedrive_account.fields[FIELDS_OF[kind]]
    every = {key: custom.get(key) for key in keys}
    if KINDS[kind].v1:
        return {**shown, **{key: older_value(value) for key, value in every.items()}}
    return {**shown, "custom_fields": every}


def webhook_data(sandbox: Sandbox, kind: str, record: Record) -> dict[str, Any]:
    """A record as webhooks v2 show it."""
    plain, custom = _parts(sandbox, kind, record.properties)
    shown = {**_blank(kind), **plain, **_own(kind, record)}
    return {**shown, "custom_fields": _wrapped(sandbox, kind, custom)} if KINDS[kind].custom else shown


def webhook_values(sandbox: Sandbox, kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """Some of a record's values as webhooks v2 show them: what it was before."""
    plain, custom = _parts(sandbox, kind, values)
    return {**plain, "custom_fields": _wrapped(sandbox, kind, custom)} if custom else plain


def number_of(kind: str, number: str) -> int | str:
    """A lead's id is a UUID; all others are numbers."""
    return number if kind == "leads" else int(number)


def instant(moment: datetime) -> str:
    """As API v2 writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def older_instant(moment: datetime) -> str:
    """As API v1 writes it: UTC, without saying so."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def older_value(value: Any) -> Any:
    """A custom field's value as API v1 has it: of several options the ids with commas between them."""
    several = isinstance(value, list) and not any(isinstance(one, dict) for one in value)
    return ",".join(map(str, value)) if several else value


def _parts(sandbox: Sandbox, kind: str, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pipedrive's own fields, and the account's by key. A person's `email` is the first of several."""
    keys = {field["name"]: key for key, field in sandbox.pipedrive_account.fields[FIELDS_OF[kind]].items()}
    custom = {keys[name]: value for name, value in values.items() if name in keys}
    plain = {name: value for name, value in values.items() if name not in keys}
    for one, many in (("email", "emails"), ("phone", "phones")):
        if one in plain and many in dict(KINDS[kind].blank):
            value = plain.pop(one)
            plain[many] = [{"value": value, "primary": True, "label": "work"}] if value else []
    return plain, custom


def _blank(kind: str) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in KINDS[kind].blank}


def _own(kind: str, record: Record) -> dict[str, Any]:
    """What Pipedrive itself says of a record."""
    made, moved = record.created_at, record.archived_at or record.updated_at
    number = {"id": number_of(kind, record.id)}
    if kind == "leads":
        return {**number, "add_time": _fine(made), "update_time": _fine(moved)}
    if kind == "notes":
        return {
            **number,
            "active_flag": record.archived_at is None,
            "add_time": older_instant(made),
            "update_time": older_instant(moved),
        }
    if kind == "users":
        flags = {
            "active_flag": record.archived_at is None,
            "is_deleted": record.archived_at is not None,
            "is_you": record.id == "1",
        }
        return {**number, **flags, "created": older_instant(made), "modified": older_instant(moved)}
    dated = {**number, "add_time": instant(made), "update_time": instant(moved), "is_deleted": record.archived_at is not None}
    return {**dated, **_milestones(record)} if kind == "deals" else dated


def _milestones(record: Record) -> dict[str, Any]:
    """When a deal came to its stage, and when it was closed."""
    stages = record.history("stage_id")
    found: dict[str, Any] = {"stage_change_time": instant(stages[0][1].at) if len(stages) > 1 else None}
    status, ended = next(((value, change.at) for value, change in record.history("status")), ("open", None))
    if status in {"won", "lost"} and ended is not None:
        found |= {f"{status}_time": instant(ended), "close_time": instant(ended)}
    return found


def _wrapped(sandbox: Sandbox, kind: str, custom: dict[str, Any]) -> dict[str, Any]:
    fields = sandbox.pipedrive_account.fields[FIELDS_OF[kind]]
    return {key: _wrap(fields[key]["type"], value) for key, value in custom.items()}


def _wrap(type_: str, value: Any) -> Any:
    if value is None or isinstance(value, dict):
        return value if value is None else {"type": type_, **value}
    if type_ == "set":
        return {"type": type_, "values": [{"id": each} for each in value]}
    return {"type": type_, PLACES.get(type_, "value"): value}


def _fine(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
