"""Pipedrive webhooks v2: one object with `meta`, `data` (null on deletion) and `previous` (what changed, or the last state).

https://pipedrive.readme.io/docs/guide-for-webhooks-v2
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StrictBool

from automation.sources.base import VALIDATE, Parsed, dedupe_key, parse_items
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Event
from data.domain.event_type import VERBS, Verb, type_of
from data.domain.identity import BETWEEN
from data.errors import Rejected

NAME = "pipedrive"
KINDS: dict[str, EntityKind] = {
    "person": EntityKind.CONTACT,
    "organization": EntityKind.COMPANY,
    "deal": EntityKind.DEAL,
    "lead": EntityKind.LEAD,
    "activity": EntityKind.ACTIVITY,
    "note": EntityKind.NOTE,
    "product": EntityKind.PRODUCT,
    "user": EntityKind.USER,
    "pipeline": EntityKind.PIPELINE,
    "stage": EntityKind.STAGE,
}
ACTIONS: dict[str, Verb] = {"create": Verb.CREATED, "change": Verb.CHANGED, "delete": Verb.DELETED}
# These move with every write and say nothing by themselves.
HOUSEKEEPING = frozenset({"update_time", "add_time", "visible_to", "stage_change_time", "next_activity_id"})
ACTIVE = "active_flag"
# A person has several addresses. The primary one is what `emails` says here; the others are beside it, as HubSpot has them.
EMAILS, OTHER_EMAILS = "emails", "other_emails"
LABELS = "label_ids"
# Of a field that holds an amount, the currency stands beside it, as API v1 has it.
CURRENCY = "_currency"

Id = str | int


class Meta(BaseModel):
    """`id` is not unique for users, whose `timestamp` is in seconds. The `merged_` ids are there only with a merge."""

    model_config = ConfigDict(extra="ignore")

    version: Literal["2.0"]
    action: Literal["create", "change", "delete"]
    entity: str
    entity_id: Id
    company_id: Id
    id: Id
    timestamp: AwareDatetime
    is_bulk_edit: StrictBool = False
    merged_to_id: Id | None = None
    merged_from_id: Id | None = None


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

    Custom fields keep their 40-character keys, and options their ids: what they are called belongs to the account and comes
    by look-up.
    """
    fields = {name: value for name, value in record.items() if name != "custom_fields"}
    custom = record.get("custom_fields") or {}
    if not isinstance(custom, dict):
        raise Rejected(VALIDATE, "custom_fields: must be an object")
    fields |= {name: None if value == [] else value for name, value in custom.items()}  # no option is chosen
    fields |= {
        f"{name}{CURRENCY}": value["currency"] for name, value in custom.items() if isinstance(value, dict) and "currency" in value
    }
    money = fields.get("value")
    if isinstance(money, dict) and "amount" in money:  # a lead's; a deal has both beside each other
        fields |= {"value": money["amount"], "currency": money.get("currency")}
    if isinstance(emails := fields.get(EMAILS), list):
        fields[OTHER_EMAILS] = _others(emails)
    if LABELS in fields:
        fields[LABELS] = fields[LABELS] or None  # a record without labels has an empty list of them
    return {name: _plain(value) for name, value in fields.items() if name not in HOUSEKEEPING}


def created_at(record: Mapping[str, Any]) -> datetime | None:
    """When a record was made, where it says so. API v2 writes RFC 3339, API v1 `2026-01-31 12:00:00` in UTC."""
    try:
        moment = datetime.fromisoformat(str(record.get("add_time")))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _event(item: Item) -> Event:
    meta = item.meta
    if (kind := KINDS.get(meta.entity)) is None:
        raise Rejected(VALIDATE, f"meta.entity: {meta.entity[:80]!r} is not one of {', '.join(KINDS)}")
    verb = ACTIONS[meta.action]
    if verb is not Verb.DELETED and item.data is None:
        raise Rejected(VALIDATE, f"data: missing from a {meta.action}")
    now, before = _without_the_same(flat(item.data or {}), flat(item.previous or {}))
    if kind is EntityKind.USER and before.get(ACTIVE) and now.get(ACTIVE) is False:
        verb = Verb.DELETED  # users are never deleted, but switched off
    entity = EntityRef(source=NAME, kind=kind, id=str(meta.entity_id))
    targets: tuple[EntityRef, ...] = ()
    if Verb.MERGED in VERBS[kind]:
        verb, entity, targets = _merged(meta, verb, entity)
    changed = {} if item.data is None else _changed(verb, now, before)
    return Event(
        dedupe_key=dedupe_key(meta.company_id, meta.entity, meta.entity_id, meta.action, meta.timestamp.isoformat(), meta.id),
        type=type_of(kind, verb),
        entity=entity,
        occurred_at=meta.timestamp,
        properties=changed,
        previous=before if verb in {Verb.CHANGED, Verb.DELETED} else {},
        targets=targets,
    )


def _merged(meta: Meta, verb: Verb, entity: EntityRef) -> tuple[Verb, EntityRef, tuple[EntityRef, ...]]:
    """A merge is told twice, in no promised order: the one that goes is deleted, the one that stays is changed."""
    if verb is Verb.DELETED and meta.merged_to_id is not None:
        return Verb.MERGED, entity.model_copy(update={"id": str(meta.merged_to_id)}), (entity,)
    if verb is Verb.CHANGED and meta.merged_from_id is not None:
        return Verb.MERGED, entity, (entity.model_copy(update={"id": str(meta.merged_from_id)}),)
    return verb, entity, ()


def _without_the_same(now: dict[str, Any], before: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record and what it was before.

    Pipedrive tells all of a person's addresses where one of them has changed, and an amount where its currency has.
    """
    currencies = {f"{name}{CURRENCY}": name for name in before if f"{name}{CURRENCY}" in now or f"{name}{CURRENCY}" in before}
    before = {**dict.fromkeys(currencies), **before}
    same = {name for name in (EMAILS, OTHER_EMAILS) if EMAILS in before and now.get(name) == before.get(name)}
    same |= {name for name in (*currencies, *currencies.values()) if now.get(name) == before[name]}
    before = {name: value for name, value in before.items() if name not in same}
    return {name: value for name, value in now.items() if name != OTHER_EMAILS or value is not None or name in before}, before


def _changed(verb: Verb, now: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    if verb is Verb.DELETED:  # a user's, who is only switched off
        return {}
    if verb is Verb.CREATED:
        return now
    changed = {name: now.get(name) for name in before}
    if verb is Verb.CHANGED and not changed:
        return {"id": now.get("id")}  # only housekeeping moved: a fact that asks nothing
    return changed


# A custom field's value says its type: where what it says is not under `value`.
PLACES: dict[str, str] = {"enum": "id", "set": "values", "user": "id", "people": "id", "org": "id"}


def _plain(value: Any) -> Any:
    """A value as API v2 gives it, which webhooks wrap.

    >>> _plain({"type": "monetary", "value": 3, "currency": "EUR"}), _plain({"type": "set", "values": [{"id": 1}, {"id": 2}]})
    (3, [1, 2])
    >>> _plain([{"value": "a@b.c", "primary": False}, {"value": "d@e.f", "primary": True}])
    'd@e.f'
    """
    if isinstance(value, dict):
        place = PLACES.get(str(value.get("type")), "value")
        if value.get("until") is not None:
            return f"{value.get('from', value.get('value'))} to {value['until']}"
        return _ids(value[place]) if place in value else value
    if isinstance(value, list) and value and all(isinstance(item, dict) and "value" in item for item in value):
        return next((item["value"] for item in value if item.get("primary")), value[0]["value"])
    return value


def _others(emails: list[Any]) -> str | None:
    """The addresses that are not the primary one.

    >>> _others([{"value": "a@b.c", "primary": False}, {"value": "d@e.f", "primary": True}, {"value": "g@h.i", "primary": False}])
    'a@b.c;g@h.i'
    """
    every = [str(item["value"]).strip() for item in emails if isinstance(item, dict) and item.get("value")]
    return BETWEEN.join(address for address in dict.fromkeys(every) if address != str(_plain(emails)).strip()) or None


def _ids(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(item, dict) and "id" in item for item in value):
        return [item["id"] for item in value] or None
    return value
