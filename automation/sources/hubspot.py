"""HubSpot webhooks: up to a hundred (or more) events in a JSON array, in no promised order.

`eventId` is not unique and a redelivery raises `attemptNumber`, so a repeat is known by everything else:
https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide

Subscriptions are named by the object (`contact.creation`), or, as apps have them since 2025, by `object.creation` with an
`objectTypeId`. Both mean the same here.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from automation.sources.base import VALIDATE, Parsed, dedupe_key, parse_items
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import OUR_PREFIX, Event
from data.domain.event_type import VERBS, Verb, type_of
from data.errors import Rejected

NAME = "hubspot"

# HubSpot's name of an object, the number of its type, and what we call it. Whatever is not here is OTHER, and its id begins
# with HubSpot's name or number: ids are unique within a type only.
OBJECTS: tuple[tuple[str, str, EntityKind], ...] = (
    ("contact", "0-1", EntityKind.CONTACT),
    ("company", "0-2", EntityKind.COMPANY),
    ("deal", "0-3", EntityKind.DEAL),
    ("ticket", "0-5", EntityKind.TICKET),
    ("product", "0-7", EntityKind.PRODUCT),
    ("task", "0-27", EntityKind.TASK),
    ("note", "0-46", EntityKind.NOTE),
    ("meeting", "0-47", EntityKind.MEETING),
    ("call", "0-48", EntityKind.CALL),
    ("email", "0-49", EntityKind.EMAIL),
    ("user", "0-115", EntityKind.USER),
    ("lead", "0-136", EntityKind.LEAD),
)
KINDS: dict[str, EntityKind] = {name: kind for names in OBJECTS for name, kind in ((names[0], names[2]), (names[1], names[2]))}
GENERIC = "object"
ACTIONS: dict[str, Verb] = {
    "creation": Verb.CREATED,
    "propertyChange": Verb.CHANGED,
    "deletion": Verb.DELETED,
    "privacyDeletion": Verb.ERASED,
    "merge": Verb.MERGED,
    "restore": Verb.RESTORED,
    "associationChange": Verb.ASSOCIATED,
}
OBJECT_NAME = re.compile(r"[a-z][a-z_]{1,39}")
BETWEEN = "_to_"  # of `DEAL_TO_LINE_ITEM`
T = TypeVar("T")
Number = Annotated[StrictInt, Field(ge=0, lt=2**63)]


class Item(BaseModel):
    """One event as HubSpot sends it. What we do not use may change without notice, so it is let through."""

    model_config = ConfigDict(extra="ignore")

    subscriptionType: StrictStr
    occurredAt: Number
    portalId: Number
    eventId: Number
    objectId: Number | None = None  # not with an association
    objectTypeId: StrictStr | None = None
    subscriptionId: Number | None = None
    propertyName: Annotated[StrictStr, Field(min_length=1, max_length=255)] | None = None
    propertyValue: Any = None
    changeSource: StrictStr | None = None
    sourceId: StrictStr | None = None
    # A merge makes a new record, or goes on with the primary one.
    newObjectId: Number | None = None
    primaryObjectId: Number | None = None
    mergedObjectIds: list[Number] = []
    # An association is told twice, once from each side.
    fromObjectId: Number | None = None
    toObjectId: Number | None = None
    fromObjectTypeId: StrictStr | None = None
    toObjectTypeId: StrictStr | None = None
    associationType: StrictStr | None = None
    associationRemoved: StrictBool = False
    isPrimaryAssociation: StrictBool | None = None


def parse(body: bytes, *, app_id: str = "") -> Parsed:
    """A webhook's body -> events.

    Raises:
        Rejected: the body is not a JSON array.
    """
    return parse_items(body, lambda item: _event(Item.model_validate(item), app_id), one_allowed=False)


def entity_of(name: str, number: int | str) -> EntityRef:
    """A record by HubSpot's name or number of its type.

    >>> str(entity_of("0-3", 7)), str(entity_of("line_item", 7))
    ('hubspot deal 7', 'hubspot other line_item:7')
    """
    kind = KINDS.get(name, EntityKind.OTHER)
    return EntityRef(source=NAME, kind=kind, id=f"{name}:{number}" if kind is EntityKind.OTHER else str(number))


def _event(item: Item, app_id: str) -> Event:
    name, _, action = item.subscriptionType.partition(".")
    verb = ACTIONS.get(action)
    unknown = f"subscriptionType: {item.subscriptionType[:80]!r} is none that we know; docs/events.md has all of them"
    if verb is None or not OBJECT_NAME.fullmatch(name):
        raise Rejected(VALIDATE, unknown)
    if verb is Verb.ASSOCIATED and item.associationRemoved:
        verb = Verb.DISSOCIATED
    entity, targets = _whom(item, name, verb)
    if verb not in VERBS[entity.kind]:
        raise Rejected(VALIDATE, unknown)
    if verb is Verb.CHANGED and item.propertyName is None:
        raise Rejected(VALIDATE, "propertyName: missing from a propertyChange")
    changed = item.propertyName if verb is Verb.CHANGED else None
    return Event(
        dedupe_key=_key(item, changed),
        type=type_of(entity.kind, verb),
        entity=entity,
        occurred_at=_instant(item.occurredAt),
        properties=_properties(item, verb, changed),
        targets=targets,
        by_us=bool(changed and changed.startswith(OUR_PREFIX)) or _written_by(item, app_id),
    )


def _key(item: Item, changed: str | None) -> str:
    common = (item.portalId, item.subscriptionId, item.objectId, item.subscriptionType, changed, item.occurredAt, item.eventId)
    extra = (item.objectTypeId, item.fromObjectId, item.toObjectId, item.associationType, item.associationRemoved or None)
    return dedupe_key(*common) if not any(extra) else dedupe_key(*common, *extra)


def _whom(item: Item, name: str, verb: Verb) -> tuple[EntityRef, tuple[EntityRef, ...]]:
    """The entity of an event, and the others that it names."""
    if verb in {Verb.ASSOCIATED, Verb.DISSOCIATED}:
        return _associated(item, name)
    name = _needed(item.objectTypeId, "objectTypeId") if name == GENERIC else name
    if verb is not Verb.MERGED:
        return entity_of(name, _needed(item.objectId, "objectId")), ()
    named = [number for number in (item.newObjectId, item.primaryObjectId, item.objectId) if number is not None]
    left = _needed(named[0] if named else None, "newObjectId")
    gone = dict.fromkeys(number for number in (item.primaryObjectId, *item.mergedObjectIds) if number not in (None, left))
    return entity_of(name, left), tuple(entity_of(name, number) for number in gone if number is not None)


def _associated(item: Item, name: str) -> tuple[EntityRef, tuple[EntityRef, ...]]:
    """Both sides: by the numbers of their types, or by a name such as `DEAL_TO_LINE_ITEM`."""
    one, between, other = (item.associationType or "").lower().partition(BETWEEN)
    if not between:
        one, other = name if name != GENERIC else "", ""
    left, right = item.fromObjectTypeId or one, item.toObjectTypeId or other
    return (
        entity_of(_needed(left or None, "fromObjectTypeId"), _needed(item.fromObjectId, "fromObjectId")),
        (entity_of(_needed(right or None, "associationType"), _needed(item.toObjectId, "toObjectId")),),
    )


def _properties(item: Item, verb: Verb, changed: str | None) -> dict[str, Any]:
    if changed is not None:
        return {changed: item.propertyValue}
    if verb is Verb.ASSOCIATED and item.isPrimaryAssociation is not None:
        return {"is_primary": item.isPrimaryAssociation}
    return {}


def _needed(value: T | None, name: str) -> T:
    if value is None:
        raise Rejected(VALIDATE, f"{name}: missing")
    return value


def _written_by(item: Item, app_id: str) -> bool:
    return bool(app_id) and item.changeSource == "INTEGRATION" and item.sourceId == app_id


def _instant(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise Rejected(VALIDATE, f"occurredAt: {milliseconds} is not a time in milliseconds") from None
