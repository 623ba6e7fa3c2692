"""An event is a canonical, validated fact: something happened to an entity at `occurred_at`."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, field_validator, model_validator

from data.domain.entity import EntityRef
from data.domain.event_type import SHAPES, Carries, EventType, Verb, parts_of

# A CRM's clock may run ahead of ours. An event from further in the future would shadow every true later one.
FUTURE_TOLERANCE = timedelta(days=1)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
OUR_PREFIX = "predicted_"


class EventState(StrEnum):
    NEW = "new"  # waits for a driver, or is in the hands of one while its lease lasts
    DONE = "done"  # every model it asks for has answered, or it asks for none
    DEAD = "dead"  # given up, with a dead letter that says why; replayable


class Driver(StrEnum):
    """Who walks an event through the doors first. Past its grace any event is the worker's."""

    N8N = "n8n"
    WORKER = "worker"


class Event(BaseModel):
    """One fact. `properties` holds the new values, `previous` the old ones as far as the source says them.

    `targets`: the other entities that it names, as the verb has it (`data.domain.event_type.SHAPES`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dedupe_key: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    type: EventType
    entity: EntityRef
    occurred_at: AwareDatetime
    properties: dict[str, Any] = {}
    previous: dict[str, Any] = {}
    targets: tuple[EntityRef, ...] = ()
    by_us: bool = False
    """True when our own write came back to us: such an event asks no model."""

    @property
    def verb(self) -> Verb:
        return parts_of(self.type)[1]

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
        kind, verb = parts_of(self.type)
        if kind is not self.entity.kind:
            raise ValueError(f"type {self.type} does not fit an entity of kind {self.entity.kind}")
        shape = SHAPES[verb]
        if shape.properties is Carries.NEEDED and not self.properties:
            raise ValueError("a change must carry at least one property")
        if shape.properties is Carries.NONE and self.properties:
            raise ValueError(f"{self.type} carries no properties; what it had belongs in `previous`")
        fewest, most = shape.targets
        if not fewest <= len(self.targets) <= most:
            wanted = "no targets" if not most else f"{fewest} to {most} targets" if most > fewest else "one target"
            raise ValueError(f"{self.type} names {wanted}, found {len(self.targets)}")
        for target in self.targets:
            self._check_target(target, verb)
        return self

    def _check_target(self, target: EntityRef, verb: Verb) -> None:
        if target.source != self.entity.source:
            raise ValueError(f"targets: {target} is of another source")
        if target == self.entity:
            raise ValueError(f"targets: {target} is the entity itself")
        if verb is Verb.MERGED and target.kind is not self.entity.kind:
            raise ValueError(f"targets: {target} cannot go into a {self.entity.kind}")


def too_far_ahead(event: Event, received_at: datetime) -> bool:
    """Whether the event claims to lie more than a day in the future."""
    return event.occurred_at > received_at + FUTURE_TOLERANCE
