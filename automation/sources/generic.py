"""The generic source: our own JSON, for anything that can POST.

    {"id": "42", "type": "contact.changed", "occurred_at": "2026-01-31T12:00:00Z",
     "entity": {"kind": "contact", "id": "ada@example.com"}, "properties": {"sessions": 4}, "previous": {}, "targets": []}

One object or an array of them. `id` names the event at its sender: the same id again is a repeat. A declared property whose value
is of another type is a mistake of whoever wrote the sender, and is told.
"""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from automation.fitting import misfits
from automation.sources.base import VALIDATE, Parsed, parse_items
from data.domain.entity import EntityKind, EntityRef, VendorId
from data.domain.event import Event
from data.domain.event_type import EventType
from data.errors import Rejected

NAME = "generic"


class ItemEntity(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: EntityKind
    id: VendorId


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, StringConstraints(min_length=1, max_length=256, strict=True)]
    type: EventType
    occurred_at: AwareDatetime
    entity: ItemEntity
    properties: dict[str, Any] = {}
    previous: dict[str, Any] = {}
    targets: tuple[ItemEntity, ...] = ()


def parse(body: bytes, *, app_id: str = "") -> Parsed:
    """A payload -> events.

    Raises:
        Rejected: the body is not JSON.
    """
    return parse_items(body, lambda item: _fitting(event_of(Item.model_validate(item), NAME)), one_allowed=True)


def event_of(item: Item, source: str) -> Event:
    """The event of an item that speaks of a source's records."""

    def ref(entity: ItemEntity) -> EntityRef:
        return EntityRef(source=source, kind=entity.kind, id=entity.id)

    return Event(
        dedupe_key=item.id,
        type=item.type,
        entity=ref(item.entity),
        occurred_at=item.occurred_at,
        properties=item.properties,
        previous=item.previous,
        targets=tuple(map(ref, item.targets)),
    )


def _fitting(event: Event) -> Event:
    for name, must in misfits(event).items():
        raise Rejected(VALIDATE, f"properties.{name}: {must}; correct it, or send it under a name of your own")
    return event
