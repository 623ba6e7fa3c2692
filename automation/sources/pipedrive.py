"""Pipedrive webhooks v2: one object with `meta`, `data` (null on deletion) and `previous` (only what changed).

https://pipedrive.readme.io/docs/guide-for-webhooks-v2
"""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StrictBool

from automation.sources.base import VALIDATE, Parsed, dedupe_key, parse_items
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import OUR_PREFIX, Event, EventType
from data.errors import Rejected

NAME = "pipedrive"
KINDS = {"person": EntityKind.CONTACT, "organization": EntityKind.COMPANY, "deal": EntityKind.DEAL}
VERBS = {"create": "created", "change": "changed", "delete": "deleted"}
# These move with every write and say nothing by themselves.
HOUSEKEEPING = frozenset({"update_time", "add_time", "label_ids", "visible_to", "stage_change_time"})


class Meta(BaseModel):
    model_config = ConfigDict(extra="ignore")

    version: Literal["2.0"]
    action: Literal["create", "change", "delete"]
    entity: str
    entity_id: str | int
    company_id: str | int
    id: str | int
    timestamp: AwareDatetime
    is_bulk_edit: StrictBool = False


class Item(BaseModel):
    model_config = ConfigDict(extra="ignore")

    meta: Meta
    data: dict[str, Any] | None = None
    previous: dict[str, Any] | None = None


def parse(body: bytes, *, app_id: str = "") -> Parsed:
    """A webhook's body -> events. Bulk edits arrive one by one, so a lone object is the rule.

    Raises:
        Rejected: the body is not JSON.
    """
    return parse_items(body, lambda item: _event(Item.model_validate(item)), one_allowed=True)


def flat(record: dict[str, Any]) -> dict[str, Any]:
    """A v2 record with its custom fields beside the others, and each value plain.

    Custom fields keep their 40-character keys: their names belong to the account and come by look-up.
    """
    fields = {name: value for name, value in record.items() if name != "custom_fields"}
    custom = record.get("custom_fields") or {}
    if not isinstance(custom, dict):
        raise Rejected(VALIDATE, "custom_fields: must be an object")
    fields |= custom
    return {name: _plain(value) for name, value in fields.items() if name not in HOUSEKEEPING}


def _event(item: Item) -> Event:
    meta = item.meta
    if (kind := KINDS.get(meta.entity)) is None:
        raise Rejected(VALIDATE, f"meta.entity: {meta.entity[:80]!r} is not one of {', '.join(KINDS)}")
    verb = VERBS[meta.action]
    if verb != "deleted" and item.data is None:
        raise Rejected(VALIDATE, f"data: missing from a {meta.action}")
    now, before = flat(item.data or {}), flat(item.previous or {})
    changed = now if verb == "created" else {name: now.get(name) for name in before}
    if verb == "changed" and not changed:
        changed = {"id": now.get("id")}  # only housekeeping moved: a fact that asks nothing
    return Event(
        dedupe_key=dedupe_key(meta.company_id, meta.entity, meta.entity_id, meta.action, meta.timestamp.isoformat(), meta.id),
        type=EventType(f"{kind}.{verb}"),
        entity=EntityRef(source=NAME, kind=kind, id=str(meta.entity_id)),
        occurred_at=meta.timestamp,
        properties=changed,
        previous=before if verb == "changed" else {},
        by_us=bool(changed) and all(name.startswith(OUR_PREFIX) for name in changed),
    )


def _plain(value: Any) -> Any:
    """`{"value": 3, "currency": ...}` -> 3; `[{"value": "a@b.c", "primary": true}]` -> the primary one."""
    if isinstance(value, dict) and "value" in value:
        return value["value"]
    if isinstance(value, list) and value and all(isinstance(item, dict) and "value" in item for item in value):
        return next((item["value"] for item in value if item.get("primary")), value[0]["value"])
    return value
