"""Door 3. The prediction comes back with its event; both are checked against each other, each entry for itself."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.deliveries.schemas import DeliveryOut
from api.dependencies import LoopDep, needs
from automation.pipeline.collect_predictions import Refused, Taken, collect_predictions
from automation.pipeline.prediction_entries import read
from data.domain.event import Driver
from data.settings import Scope

router = APIRouter(tags=["predictions"], dependencies=[needs(Scope.PREDICTIONS)])
MOST_ENTRIES = 1000


class RejectedOut(BaseModel):
    index: int
    event_id: int | None
    status: int
    title: str
    detail: str
    field: str | None = None


class PredictionsOut(BaseModel):
    """What was taken, what not and why, and the deliveries that the caller may now carry, under one lease."""

    accepted: int
    rejected: list[RejectedOut]
    lease_id: str | None
    lease_until: datetime | None
    deliveries: list[DeliveryOut]


@router.post("/collect/predictions", status_code=202, response_model=PredictionsOut)
def post_predictions(body: Annotated[list[Any], Field(max_length=MOST_ENTRIES)], loop: LoopDep) -> PredictionsOut:
    """Takes predictions for stored events: `[{event, predictions}]`, each by the schema of its model (docs/predictions.md).

    Unknown event, model or version 404, whatever does not fit 422, each entry for itself; it is set aside as a dead letter.
    """
    taken = collect_predictions(loop, [read(item) for item in body], Driver.N8N) if body else Taken()
    return PredictionsOut(
        accepted=taken.accepted,
        rejected=[_rejected(refused) for refused in sorted(taken.refused, key=lambda one: one.index)],
        lease_id=taken.lease_id if taken.deliveries else None,
        lease_until=max((row.lease_until for row in taken.deliveries if row.lease_until), default=None),
        deliveries=[DeliveryOut.of(row) for row in taken.deliveries],
    )


def _rejected(refused: Refused) -> RejectedOut:
    error = refused.error
    return RejectedOut(
        index=refused.index,
        event_id=refused.event_id,
        status=error.status,
        title=error.title,
        detail=error.detail,
        field=error.field,
    )
