"""Stage 8: the predictive enrichments, in the registry's order."""

from datetime import datetime
from typing import Any

from automation.predictive_enrichments.registry import PREDICTIVE_ENRICHMENTS
from data.domain.event import OUR_PREFIX
from data.domain.prediction import Prediction


def enrich_predictions(prediction: Prediction, scored_at: datetime) -> dict[str, Any]:
    """The `predicted_` fields of a prediction.

    Raises:
        ValueError: an enrichment made a field without the prefix, which could overwrite a customer's own.
    """
    fields: dict[str, Any] = {}
    for name, enrichment in PREDICTIVE_ENRICHMENTS.items():
        made = enrichment(prediction, scored_at)
        if strangers := [field for field in made if not field.startswith(OUR_PREFIX)]:
            raise ValueError(f"{name} made fields without {OUR_PREFIX}: {strangers}")
        fields |= made
    return fields
