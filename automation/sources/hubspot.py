"""HubSpot webhooks: up to a hundred (or more) events in a JSON array, in no promised order.

`eventId` is not unique and a redelivery raises `attemptNumber`, so a repeat is known by everything else:
https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from automation.sources.base import VALIDATE, Parsed, dedupe_key, parse_items
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import OUR_PREFIX, Event, EventType
from data.errors import Rejected

NAME = "hubspot"
KINDS = {"contact": EntityKind.CONTACT, "company": EntityKind.COMPANY, "deal": EntityKind.DEAL}
VERBS = {"creation": "created", "propertyChange": "changed", "deletion": "deleted", "privacyDeletion": "deleted"}
TYPES: dict[str, EventType] = {
    f"{theirs}.{verb}": EventType(f"{kind}.{ours}")
    for theirs, kind in KINDS.items()
    for verb, ours in VERBS.items()
    if verb != "privacyDeletion" or theirs == "contact"
}
Number = Annotated[StrictInt, Field(ge=0, lt=2**63)]


class Item(BaseModel):
    """One event as HubSpot sends it. What we do not use may change without notice, so it is let through."""

    model_config = ConfigDict(extra="ignore")

    subscriptionType: StrictStr
    objectId: Number
    occurredAt: Number
    portalId: Number
    eventId: Number
    subscriptionId: Number | None = None
    propertyName: Annotated[StrictStr, Field(min_length=1, max_length=255)] | None = None
    propertyValue: Any = None
    changeSource: StrictStr | None = None
    sourceId: StrictStr | None = None


def parse(body: bytes, *, app_id: str = "") -> Parsed:
    """A webhook's body -> events.

    Raises:
        Rejected: the body is not a JSON array.
    """
    return parse_items(body, lambda item: _event(Item.model_validate(item), app_id), one_allowed=False)


def _event(item: Item, app_id: str) -> Event:
    if (kind := TYPES.get(item.subscriptionType)) is None:
        raise Rejected(VALIDATE, f"subscriptionType: {item.subscriptionType[:80]!r} is not one of {', '.join(TYPES)}")
    if kind.verb == "changed" and item.propertyName is None:
        raise Rejected(VALIDATE, "propertyName: missing from a propertyChange")
    name = item.propertyName if kind.verb == "changed" else None
    return Event(
        dedupe_key=dedupe_key(
            item.portalId, item.subscriptionId, item.objectId, item.subscriptionType, name, item.occurredAt, item.eventId
        ),
        type=kind,
        entity=EntityRef(source=NAME, kind=kind.kind, id=str(item.objectId)),
        occurred_at=_instant(item.occurredAt),
        properties={name: item.propertyValue} if name else {},
        by_us=bool(name and name.startswith(OUR_PREFIX)) or _written_by(item, app_id),
    )


def _written_by(item: Item, app_id: str) -> bool:
    return bool(app_id) and item.changeSource == "INTEGRATION" and item.sourceId == app_id


def _instant(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise Rejected(VALIDATE, f"occurredAt: {milliseconds} is not a time in milliseconds") from None
