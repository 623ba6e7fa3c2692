"""Stage 6: the features as of now -> the champion or its challenger -> a prediction with its factors and the inputs it had."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from automation.pipeline.context import Case
from data.domain.prediction import Prediction
from data.domain.traffic import Variant
from data.errors import Retryable
from data.log import get_logger
from ml.features.build import build, given
from ml.features.facts import EXAMPLES
from ml.features.inputs import unread
from ml.serving.predictor import Choice, Served

log = get_logger("predict")

# A new record is scored by what its event alone says only when the CRM could not be read this often.
LOOK_UP_TRIES = 5


def predict(cases: list[Case], facts: pl.DataFrame) -> None:
    """Fills in `case.predictions`, or `case.error` where there is nothing to answer by (yet); `case.shadows` for the comparison.

    `facts`: what was recalled of the cases.
    """
    for model in sorted({model for case in cases for model in case.models}):
        chosen = [(case, case.choices[model]) for case in cases if model in case.choices and case.error is None]
        for served, variant, part in _by_version(chosen):
            for case, prediction in _predicted(served, part, facts):
                case.predictions.append(prediction.model_copy(update={"variant": variant}))
        _in_shadow(chosen, facts)


def _by_version(chosen: Sequence[tuple[Case, Choice]]) -> list[tuple[Served, Variant, list[Case]]]:
    """The cases of each version that answers, in their order."""
    found: dict[int, tuple[Served, Variant, list[Case]]] = {}
    for case, choice in chosen:
        found.setdefault(id(choice.served), (choice.served, choice.variant, []))[2].append(case)
    return list(found.values())


def _predicted(served: Served, cases: Sequence[Case], facts: pl.DataFrame) -> list[tuple[Case, Prediction]]:
    """The cases that can be scored, with what one version says; the others get their error."""
    rows = _features(served, cases, facts)
    for case, row in zip(cases, rows, strict=True):
        if strange := unread(served.card.inputs, row):
            case.notes["features"] = f"not of the kind that {served.card.model} takes, so missing: {', '.join(strange)}"
            log.warning("predict.features.unread", model=served.card.model, event_id=case.event_id, features=strange)
    ready = [(case, row) for case, row in zip(cases, rows, strict=True) if _can_be_scored(served, case, row)]
    answers = served.predict([row for _, row in ready])
    return [(case, _signed(served, case, row, said)) for (case, row), said in zip(ready, answers, strict=True)]


def _in_shadow(chosen: Sequence[tuple[Case, Choice]], facts: pl.DataFrame) -> None:
    """Asks the challengers that run beside, of those whom the champion could score. Their failure is nobody's."""
    beside: dict[int, tuple[Served, list[Case]]] = {}
    for case, choice in chosen:
        if choice.shadow is not None and case.error is None:
            beside.setdefault(id(choice.shadow), (choice.shadow, []))[1].append(case)
    for served, cases in beside.values():
        try:
            rows = _features(served, cases, facts)
            answers = served.predict(rows)
        except Exception:
            log.exception("predict.shadow.failed", model=served.card.model, version=served.card.version)
            continue
        for case, row, said in zip(cases, rows, answers, strict=True):
            case.shadows.append(_signed(served, case, row, said).model_copy(update={"variant": Variant.CHALLENGER}))


def _features(served: Served, cases: Sequence[Case], facts: pl.DataFrame) -> list[dict[str, Any]]:
    examples = pl.DataFrame([(case.event.entity_id, case.as_of) for case in cases], schema=EXAMPLES, orient="row")
    wanted = served.card.input_names
    rows = build(served.card.model, examples, facts, wanted=wanted, norms=served.card.norms).to_dicts()
    return [_as_of(served, case, row) for case, row in zip(cases, rows, strict=True)]


def _as_of(served: Served, case: Case, row: dict[str, Any]) -> dict[str, Any]:
    """A version whose dates are durations up to a moment is told which."""
    return row if served.card.moment is None else {**row, served.card.moment.name: case.as_of}


def _can_be_scored(served: Served, case: Case, row: dict[str, Any]) -> bool:
    """Otherwise says why not."""
    if _look_up_failed(case) or served.knows_nothing_of(row):
        why = case.notes.get("crm_lookup", "the CRM has none of its inputs")
        case.error = Retryable(f"nothing is known that {served.card.model} could score {case.ref} by: {why}")
    return case.error is None


def _signed(served: Served, case: Case, row: dict[str, Any], prediction: Prediction) -> Prediction:
    return prediction.model_copy(
        update={"entity": case.ref, "as_of": case.as_of, "features": given(served.card.inputs, row)},
    )


def _look_up_failed(case: Case) -> bool:
    return "crm_lookup" in case.notes and case.entity.looked_up_at is None and case.event.attempts < LOOK_UP_TRIES
