"""Stage 4: the features as known at the event -> the champion or its challenger -> a prediction with its factors."""

from collections.abc import Sequence

from automation.pipeline.context import Case, Loop
from data.domain.prediction import Prediction
from data.domain.traffic import Variant
from data.errors import LeadloopError, Retryable
from data.log import get_logger
from ml.serving.predictor import Choice, Served

log = get_logger("predict")

# A new record is scored by what its event alone says only when the CRM could not be read this often.
LOOK_UP_TRIES = 5


def predict(loop: Loop, cases: list[Case]) -> None:
    """Fills in `case.predictions`, or `case.error` where a model cannot answer (yet); `case.shadows` for the comparison."""
    for model in sorted({model for case in cases for model in case.models}):
        asking = [case for case in cases if model in case.models and case.error is None]
        try:
            chosen = [(case, loop.predictor.choose(model, str(case.ref))) for case in asking]
        except LeadloopError as error:
            for case in asking:
                case.error = error
            continue
        for served, variant, part in _by_version(chosen):
            for case, prediction in _predicted(served, part):
                case.predictions.append(prediction.model_copy(update={"variant": variant}))
        _in_shadow(chosen)


def _by_version(chosen: Sequence[tuple[Case, Choice]]) -> list[tuple[Served, Variant, list[Case]]]:
    """The cases of each version that answers, in their order."""
    found: dict[int, tuple[Served, Variant, list[Case]]] = {}
    for case, choice in chosen:
        found.setdefault(id(choice.served), (choice.served, choice.variant, []))[2].append(case)
    return list(found.values())


def _predicted(served: Served, cases: Sequence[Case]) -> list[tuple[Case, Prediction]]:
    """The cases that can be scored, with what one version says; the others get their error."""
    ready = []
    for case in cases:
        if _look_up_failed(case) or served.knows_nothing_of(case.known.values):
            why = case.notes.get("crm_lookup", "the CRM has none of its inputs")
            case.error = Retryable(f"nothing is known that {served.card.model} could score {case.ref} by: {why}")
        else:
            ready.append(case)
    answers = served.predict([case.known.values for case in ready])
    return [(case, prediction.model_copy(update={"entity": case.ref})) for case, prediction in zip(ready, answers, strict=True)]


def _in_shadow(chosen: Sequence[tuple[Case, Choice]]) -> None:
    """Asks the challengers that run beside, of those whom the champion could score. Their failure is nobody's."""
    beside: dict[int, tuple[Served, list[Case]]] = {}
    for case, choice in chosen:
        if choice.shadow is not None and case.error is None:
            beside.setdefault(id(choice.shadow), (choice.shadow, []))[1].append(case)
    for served, cases in beside.values():
        try:
            answers = served.predict([case.known.values for case in cases])
        except Exception:
            log.exception("predict.shadow.failed", model=served.card.model, version=served.card.version)
            continue
        for case, prediction in zip(cases, answers, strict=True):
            case.shadows.append(prediction.model_copy(update={"entity": case.ref, "variant": Variant.CHALLENGER}))


def _look_up_failed(case: Case) -> bool:
    return "crm_lookup" in case.notes and case.entity.looked_up_at is None and case.event.attempts < LOOK_UP_TRIES
