"""Door 3. The prediction comes back with its event; both are checked against each other, each entry for itself."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api.deliveries.schemas import DeliveryOut
from api.dependencies import LoopDep, needs
from automation.pipeline.collect_predictions import Entry, Taken, collect_predictions
from data.db import unstorable
from data.domain.entity import EntityRef
from data.domain.event import Driver
from data.domain.prediction import Prediction
from data.errors import BadInput, LeadloopError
from data.settings import Scope

router = APIRouter(tags=["predictions"], dependencies=[needs(Scope.PREDICTIONS)])
MOST_ENTRIES = 1000


class EntryEvent(BaseModel):
    model_config = ConfigDict(extra="ignore")

    event_id: Annotated[int, Field(ge=0, lt=2**63, strict=True)]
    entity: EntityRef | None = None


class EntryIn(BaseModel):
    """One event, and the predictions made for it."""

    model_config = ConfigDict(extra="ignore")

    event: EntryEvent
    predictions: Annotated[list[Prediction], Field(min_length=1, max_length=50)]


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
    """Takes predictions for stored events: `[{event, predictions}]`. Unknown model or version 404, another entity 422."""
    entries: list[Entry] = []
    places: list[int] = []
    rejected: list[RejectedOut] = []
    for index, raw in enumerate(body):
        try:
            entries.append(_entry(raw))
            places.append(index)
        except BadInput as error:
            rejected.append(_rejected(index, _event_id(raw), error))
    taken = collect_predictions(loop, entries, Driver.N8N) if entries else Taken()
    rejected += [_rejected(places[refused.index], refused.event_id, refused.error) for refused in taken.refused]
    return PredictionsOut(
        accepted=taken.accepted,
        rejected=sorted(rejected, key=lambda row: row.index),
        lease_id=taken.lease_id if taken.deliveries else None,
        lease_until=max((row.lease_until for row in taken.deliveries if row.lease_until), default=None),
        deliveries=[DeliveryOut.of(row) for row in taken.deliveries],
    )


_adapter = TypeAdapter(EntryIn)


def _entry(raw: Any) -> Entry:
    if (reason := unstorable(raw)) is not None:
        raise BadInput(f"cannot be stored: it has {reason}")
    try:
        entry = _adapter.validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{field}: {first['msg']}", field=field) from None
    claimed = entry.event.entity
    for prediction in entry.predictions:
        if claimed is not None and prediction.entity != claimed:
            raise BadInput(f"the event is about {claimed}, the prediction about {prediction.entity}", field="predictions.entity")
    return Entry(entry.event.event_id, tuple(entry.predictions))


def _event_id(raw: Any) -> int | None:
    event = raw.get("event") if isinstance(raw, dict) else None
    number = event.get("event_id") if isinstance(event, dict) else None
    return number if isinstance(number, int) and abs(number) < 2**63 else None


def _rejected(index: int, event_id: int | None, error: LeadloopError) -> RejectedOut:
    return RejectedOut(
        index=index, event_id=event_id, status=error.status, title=error.title, detail=error.detail, field=error.field
    )
