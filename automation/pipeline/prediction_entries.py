"""What comes to the third door, read: each entry by itself, each prediction by the schema of its own model."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from automation.sources.base import as_bytes
from data.column_types import unstorable
from data.domain.entity import EntityRef
from data.domain.prediction import Prediction
from data.errors import BadInput, LeadloopError
from ml.models.registry import schema_of

MOST_PREDICTIONS = 50


@dataclass(frozen=True)
class Entry:
    """One event with the predictions that were made for it. `content`: as it came from outside."""

    event_id: int
    predictions: tuple[Prediction, ...]
    content: bytes | None = None


@dataclass(frozen=True)
class Unread:
    """An entry that is none; `event_id` where it names one."""

    event_id: int | None
    error: LeadloopError
    content: bytes


class EventNamed(BaseModel):
    model_config = ConfigDict(extra="ignore")

    event_id: Annotated[int, Field(ge=0, lt=2**63, strict=True)]
    entity: EntityRef | None = None


class EntryShell(BaseModel):
    """An entry before anybody has looked at its predictions, whose shape depends on their models."""

    model_config = ConfigDict(extra="ignore")

    event: EventNamed
    predictions: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_PREDICTIONS)]


def read(raw: Any) -> Entry | Unread:
    """One item of the door's array."""
    content = as_bytes(raw)
    try:
        return _entry(raw, content)
    except BadInput as error:
        return Unread(_event_id(raw), error, content)


def at_prediction(place: int, error: LeadloopError) -> LeadloopError:
    """An error of one prediction, as one of its entry."""
    field = f"predictions.{place}" if error.field is None else f"predictions.{place}.{error.field}"
    return type(error)(f"{field}: {error.detail}", field=field)


def _entry(raw: Any, content: bytes) -> Entry:
    if (reason := unstorable(raw)) is not None:
        raise BadInput(f"cannot be stored: it has {reason}")
    try:
        shell = EntryShell.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{field}: {first['msg']}", field=field) from None
    found = tuple(_prediction(place, each) for place, each in enumerate(shell.predictions))
    for place, prediction in enumerate(found):
        if shell.event.entity is not None and prediction.entity != shell.event.entity:
            said = f"the event is about {shell.event.entity}, the prediction about {prediction.entity or 'nobody'}"
            raise at_prediction(place, BadInput(said, field="entity"))
    return Entry(shell.event.event_id, found, content)


def _prediction(place: int, raw: dict[str, Any]) -> Prediction:
    model = raw.get("model")
    try:
        return schema_of(model if isinstance(model, str) else "").read(raw)
    except BadInput as error:
        raise at_prediction(place, error) from None


def _event_id(raw: Any) -> int | None:
    event = raw.get("event") if isinstance(raw, dict) else None
    number = event.get("event_id") if isinstance(event, dict) else None
    named = isinstance(number, int) and not isinstance(number, bool) and abs(number) < 2**63
    return number if named else None
