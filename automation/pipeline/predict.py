"""Stage 4: the features as known at the event -> the champion -> a prediction with its factors."""

from automation.pipeline.context import Case, Loop
from data.errors import LeadloopError, Retryable

# A new record is scored by what its event alone says only when the CRM could not be read this often.
LOOK_UP_TRIES = 5


def predict(loop: Loop, cases: list[Case]) -> None:
    """Fills in `case.predictions`, or `case.error` where a model cannot answer (yet)."""
    for model in sorted({model for case in cases for model in case.models}):
        asking = [case for case in cases if model in case.models and case.error is None]
        try:
            served = loop.predictor.champion(model)
        except LeadloopError as error:
            for case in asking:
                case.error = error
            continue
        ready = []
        for case in asking:
            if _look_up_failed(case) or served.knows_nothing_of(case.known.values):
                why = case.notes.get("crm_lookup", "the CRM has none of its inputs")
                case.error = Retryable(f"nothing is known that {model} could score {case.ref} by: {why}")
            else:
                ready.append(case)
        for case, prediction in zip(ready, served.predict([case.known.values for case in ready]), strict=True):
            case.predictions.append(prediction.model_copy(update={"entity": case.ref}))


def _look_up_failed(case: Case) -> bool:
    return "crm_lookup" in case.notes and case.entity.looked_up_at is None and case.event.attempts < LOOK_UP_TRIES
