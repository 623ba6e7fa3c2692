"""An entity is what an event is about: a contact, a company or a deal, as its source names it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

VendorId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]


class EntityKind(StrEnum):
    CONTACT = "contact"
    COMPANY = "company"
    DEAL = "deal"


class EntityRef(BaseModel):
    """The name of an entity: its source, its kind and the source's own id for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    kind: EntityKind
    id: VendorId

    def __str__(self) -> str:
        return f"{self.source} {self.kind} {self.id}"


class Known(BaseModel):
    """What is known of an entity: its properties, and since when each has its value."""

    model_config = ConfigDict(frozen=True)

    values: dict[str, Any] = {}
    times: dict[str, str] = {}

    def merged(self, changes: dict[str, Any], at: datetime) -> "Known":
        """The same with changes that were true at a moment. A value that is known to be newer stays.

        Times are ISO 8601 in UTC with microseconds, so they order as text does.
        """
        moment = stamp(at)
        newer = {name: value for name, value in changes.items() if self.times.get(name, "") <= moment}
        return Known(values={**self.values, **newer}, times={**self.times, **dict.fromkeys(newer, moment)})


def merged(known: Known, facts: Iterable[tuple[dict[str, Any], datetime]]) -> Known:
    """What is known after several facts, in any order of arrival."""
    for properties, at in facts:
        known = known.merged(properties, at)
    return known


def stamp(moment: datetime) -> str:
    """An instant as text of one fixed width, which sorts as the instants do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
