"""An entity is what an event is about: a contact, a deal, a note of a call, as its source names it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

VendorId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]


class EntityKind(StrEnum):
    CONTACT = "contact"
    COMPANY = "company"
    DEAL = "deal"
    LEAD = "lead"
    TICKET = "ticket"
    PRODUCT = "product"
    NOTE = "note"
    CALL = "call"
    MEETING = "meeting"
    EMAIL = "email"
    TASK = "task"
    ACTIVITY = "activity"  # Pipedrive's: a call, a meeting, a task, ..., as its `type` says
    USER = "user"  # one of the customer's own people
    PIPELINE = "pipeline"
    STAGE = "stage"
    OTHER = "other"  # of the account's own kinds, or one that we have no word for: its id begins with the source's name for it


class EntityRef(BaseModel):
    """The name of an entity: its source, its kind and the source's own id for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    kind: EntityKind
    id: VendorId

    def __str__(self) -> str:
        return f"{self.source} {self.kind} {self.id}"


@dataclass(frozen=True)
class Known:
    """What is known of an entity now: its properties, and when each was last true for certain."""

    values: dict[str, str | None] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)
