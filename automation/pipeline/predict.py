"""Stage 5: the features as of now -> the champion -> a prediction with its factors, and with the inputs it was made of."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from automation.pipeline.context import Case, Loop
from data.domain.prediction import Prediction
from data.errors import LeadloopError, Retryable
from ml.features.build import build, given
from ml.features.facts import EXAMPLES
from ml.serving.predictor import Served

# A new record is scored by what its event alone says only when the CRM could not be read this often.
LOOK_UP_TRIES = 5


def predict(loop: Loop, cases: list[Case], facts: pl.DataFrame) -> None:
    """Fills in `case.predictions`, or `case.error` where a model cannot answer (yet). `facts`: what was recalled of the cases."""
    for model in sorted({model for case in cases for model in case.models}):
        asking = [case for case in cases if model in case.models and case.error is None]
        try:
            served = loop.predictor.champion(model)
        except LeadloopError as error:
            for case in asking:
                case.error = error
            continue
        rows = [_as_of(served, case, row) for case, row in zip(asking, _features(served, asking, facts), strict=True)]
        ready = [(case, row) for case, row in zip(asking, rows, strict=True) if _can_be_scored(served, case, row)]
        for (case, row), prediction in zip(ready, served.predict([row for _, row in ready]), strict=True):
            case.predictions.append(_signed(served, case, row, prediction))


def _features(served: Served, cases: Sequence[Case], facts: pl.DataFrame) -> list[dict[str, Any]]:
    examples = pl.DataFrame([(case.event.entity_id, case.as_of) for case in cases], schema=EXAMPLES, orient="row")
    wanted = [column.name for column in served.card.inputs]
    return build(served.card.model, examples, facts, wanted=wanted).to_dicts()


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
