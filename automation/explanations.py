"""Predictions to be compared: of given features by the champion, or as they were stored for an event."""

from collections.abc import Mapping
from typing import Any

from automation.pipeline.context import Loop
from data.domain.prediction import Prediction
from data.errors import BadInput, NotFound
from data.warehouse import predictions
from ml.models.registry import MODELS
from ml.serving.compare import Comparison, compare
from ml.serving.predictor import Served

# The features of one side, or the id of the event whose stored prediction it is.
Given = Mapping[str, Any] | int


def compared(loop: Loop, model: str, before: Given, after: Given) -> Comparison:
    """Compares two predictions of a model. Both sides of features are asked of one and the same version.

    Raises:
        NotFound: no such model, or no prediction of it for that event.
        NotReady: the model has no champion yet.
        BadInput: a feature of the wrong kind; `field` names side and feature.
    """
    known = model in loop.predictor.served() or model in MODELS
    if not known:
        names = ", ".join(loop.predictor.served()) or "none yet"
        raise NotFound(f"no model {model[:80]!r} is served here; the served ones are {names}", field="model")
    served = None if isinstance(before, int) and isinstance(after, int) else loop.predictor.champion(model)
    return compare(_side(loop, model, served, "before", before), _side(loop, model, served, "after", after))


def _side(loop: Loop, model: str, served: Served | None, name: str, given: Given) -> Prediction:
    if isinstance(given, int):
        return _stored(loop, model, given, field=f"{name}_event_id")
    assert served is not None
    try:
        return served.predict([given], strictly=True)[0]
    except BadInput as error:
        raise BadInput(f"{name}.{error.detail}", field=f"{name}.{error.field}") from None


def _stored(loop: Loop, model: str, event_id: int, *, field: str) -> Prediction:
    with loop.database.read() as session:
        row = predictions.of_event(session, event_id, model)
        if row is None:
            raise NotFound(f"there is no prediction of {model} for event {event_id}", field=field)
        fields = {"model", "model_version", "score", "label", "grade", "threshold", "base_value", "factors"}
        return Prediction.model_validate({**row.model_dump(include=fields), "confidence": max(row.score, 1 - row.score)})
