"""An event is a canonical, validated fact: something happened to an entity at `occurred_at`."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, field_validator, model_validator

from data.domain.entity import EntityKind, EntityRef

# A CRM's clock may run ahead of ours. An event from further in the future would shadow every true later one.
FUTURE_TOLERANCE = timedelta(days=1)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
OUR_PREFIX = "predicted_"


class EventType(StrEnum):
    CONTACT_CREATED = "contact.created"
    CONTACT_CHANGED = "contact.changed"
    CONTACT_DELETED = "contact.deleted"
    COMPANY_CREATED = "company.created"
    COMPANY_CHANGED = "company.changed"
    COMPANY_DELETED = "company.deleted"
    DEAL_CREATED = "deal.created"
    DEAL_CHANGED = "deal.changed"
    DEAL_DELETED = "deal.deleted"

    @property
    def kind(self) -> EntityKind:
        return EntityKind(self.value.partition(".")[0])

    @property
    def verb(self) -> str:
        return self.value.partition(".")[2]


class EventState(StrEnum):
    NEW = "new"  # waits for a driver, or is in the hands of one while its lease lasts
    DONE = "done"  # every model it asks for has answered, or it asks for none
    DEAD = "dead"  # given up, with a dead letter that says why; replayable


class Driver(StrEnum):
    """Who walks an event through the doors first. Past its grace any event is the worker's."""

    N8N = "n8n"
    WORKER = "worker"


class Event(BaseModel):
    """One fact. `properties` holds the new values, `previous` the old ones as far as the source says them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dedupe_key: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    type: EventType
    entity: EntityRef
    occurred_at: AwareDatetime
    properties: dict[str, Any] = {}
    previous: dict[str, Any] = {}
    by_us: bool = False
    """True when our own write came back to us: such an event asks no model."""

    @field_validator("occurred_at")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        if value < EARLIEST:
            raise ValueError(f"lies before {EARLIEST:%Y-%m-%d}: is it in milliseconds?")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise ValueError("lies beyond the calendar") from None

    @model_validator(mode="after")
    def _hangs_together(self) -> "Event":
        if self.type.kind is not self.entity.kind:
            raise ValueError(f"type {self.type} does not fit an entity of kind {self.entity.kind}")
        if self.type.verb == "changed" and not self.properties:
            raise ValueError("a change must carry at least one property")
        return self


def too_far_ahead(event: Event, received_at: datetime) -> bool:
    """Whether the event claims to lie more than a day in the future."""
    return event.occurred_at > received_at + FUTURE_TOLERANCE
