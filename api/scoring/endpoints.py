"""Door 2: a score for a set of features or an entity, and the predictions that stored events ask for."""

import time
from typing import Any

from fastapi import APIRouter

from api.dependencies import LoopDep, needs
from api.scoring.schemas import (
    EventPredictions,
    EventRefOut,
    PredictEventsIn,
    PredictEventsOut,
    PredictIn,
    PredictOut,
    ScoreIn,
    ScoreOut,
)
from automation.ask import ask
from automation.pipeline.run import Answer, predict_events
from data.column_types import unstorable
from data.errors import BadInput
from data.settings import Scope
from ml.serving.explain import in_words, sureness

router = APIRouter(tags=["score"], dependencies=[needs(Scope.SCORE)])


@router.post("/score", response_model=ScoreOut)
def post_score(body: ScoreIn, loop: LoopDep) -> dict[str, Any]:
    """Scores one lead by the champion of the model that LEAD_MODEL names."""
    served = loop.predictor.champion(loop.settings.lead_model)
    if (reason := unstorable(body.model_extra)) is not None:
        raise BadInput(f"the body cannot be used: it has {reason}")
    prediction = served.predict([body.model_extra or {}], strictly=True)[0]
    words = [in_words(factor) for factor in prediction.factors]
    observed = served.observed(prediction.grade)
    return {
        **prediction.model_dump(exclude={"entity", "variant"}),
        "cached": False,
        "factors_in_words": words,
        "learner": served.card.learner,
        "observed": observed,
        "observed_in_words": sureness(prediction.grade, observed),
    }


@router.post("/predict/events", response_model=PredictEventsOut)
def post_predict_events(body: PredictEventsIn, loop: LoopDep) -> PredictEventsOut:
    """Enriches the events and asks every model that each of them asks for."""
    rows = [_out(answer) for answer in predict_events(loop, body.event_ids)]
    return PredictEventsOut(scored=[row for row in rows if row.predictions], unscored=[row for row in rows if not row.predictions])


# After `/predict/events`, which it would take for a model.
@router.post("/predict/{model}")
def post_predict(model: str, body: PredictIn, loop: LoopDep) -> PredictOut:
    """Asks one model about an entity: by the features given, or by what is known of it.

    The entity decides which version answers where a challenger has a share; without one the champion does.
    """
    started = time.perf_counter()
    if (reason := unstorable(body.features)) is not None:
        raise BadInput(f"features: they have {reason}", field="features")
    answered = ask(loop, model, entity=body.entity, features=body.features, explain=body.explain)
    milliseconds = (time.perf_counter() - started) * 1000
    return PredictOut(**answered.model_dump(), processing_ms=milliseconds)


def _out(answer: Answer) -> EventPredictions:
    event = EventRefOut(event_id=answer.event_id)
    if answer.row is not None and answer.entity is not None:
        event = EventRefOut(
            event_id=answer.event_id, source=answer.row.source, type=answer.row.type,
            entity=answer.entity.ref, occurred_at=answer.row.occurred_at.isoformat(), derived=answer.row.derived,
        )  # fmt: skip
    return EventPredictions(event=event, predictions=answer.predictions, error=answer.error)
