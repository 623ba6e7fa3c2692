"""A delivery as callers see it."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from data.column_types import unstorable
from data.domain.delivery import Alert, DeliveryKind, DeliveryState, Ending, WriteBack
from data.warehouse.deliveries import DeliveryRow


def _storable(text: str) -> str:
    if (reason := unstorable(text)) is not None:
        raise ValueError(f"has {reason}")
    return text


Storable = AfterValidator(_storable)
Destination = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
LeaseId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class DeliveryOut(BaseModel):
    """`content` is what to send; `state`, `attempts` and `error` say how far it got."""

    delivery_id: str
    event_id: int
    destination: str
    kind: DeliveryKind
    state: DeliveryState
    carrier: str
    content: WriteBack | Alert | Ending
    occurred_at: datetime
    attempts: int
    lease_id: str | None
    lease_until: datetime | None
    receipt: str | None
    error: str | None
    created_at: datetime
    confirmed_at: datetime | None

    @classmethod
    def of(cls, row: DeliveryRow) -> "DeliveryOut":
        return cls.model_validate({**row.model_dump(exclude={"id"}), "delivery_id": row.id})


class LeaseIn(BaseModel):
    destination: Destination
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    lease_seconds: Annotated[float, Field(gt=0, le=3600)] = 60


class LeaseOut(BaseModel):
    lease_id: str
    lease_until: datetime | None
    deliveries: list[DeliveryOut]


class ConfirmIn(BaseModel):
    lease_id: LeaseId
    receipt: Annotated[str, StringConstraints(max_length=256), Storable] | None = None


class FailIn(BaseModel):
    lease_id: LeaseId
    error: Annotated[str, StringConstraints(max_length=10_000), Storable] = "no reason given"
    permanent: bool = False
