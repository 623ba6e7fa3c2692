"""An outcome: what really happened. It is the label that the next model learns from."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Event


class Result(StrEnum):
    WON = "won"
    LOST = "lost"


class Outcome(BaseModel):
    model_config = ConfigDict(frozen=True)

    entity: EntityRef
    result: Result
    occurred_at: datetime


# What a CRM calls the end of a deal: HubSpot's `dealstage`, Pipedrive's `status`.
ENDINGS: dict[tuple[str, str], Result] = {
    ("dealstage", "closedwon"): Result.WON,
    ("dealstage", "closedlost"): Result.LOST,
    ("status", "won"): Result.WON,
    ("status", "lost"): Result.LOST,
}


# HubSpot says of a contact itself that it became a customer, or never will: its deals need not name it.
CONTACT_ENDINGS: dict[tuple[str, str], Result] = {
    ("lifecyclestage", "customer"): Result.WON,
    ("hs_lead_status", "unqualified"): Result.LOST,
}


def outcome_of(event: Event) -> Outcome | None:
    """The outcome that a deal's or contact's event carries, if it does."""
    for name, value in event.properties.items():
        if (result := result_of(event.entity.kind, name, value)) is not None:
            return Outcome(entity=event.entity, result=result, occurred_at=event.occurred_at)
    return None


def result_of(kind: EntityKind, name: str, value: object) -> Result | None:
    """What a property's value says of how a deal or a contact ended, if it does."""
    endings = {EntityKind.DEAL: ENDINGS, EntityKind.CONTACT: CONTACT_ENDINGS}.get(kind, {})
    return endings.get((name, str(value).lower()))
