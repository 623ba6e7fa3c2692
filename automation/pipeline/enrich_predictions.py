"""Stage 8: the predictive enrichments, in the registry's order."""

from collections.abc import Mapping
from typing import Any

from automation.predictive_enrichments.base import PredictiveEnrichment, Scored
from automation.predictive_enrichments.registry import PREDICTIVE_ENRICHMENTS
from data.domain.event import OUR_PREFIX


def enrich_predictions(scored: Scored, enrichments: Mapping[str, PredictiveEnrichment] = PREDICTIVE_ENRICHMENTS) -> dict[str, Any]:
    """The `predicted_` fields of a prediction.

    Raises:
        ValueError: an enrichment made a field without the prefix, which could overwrite a customer's own, or another's.
    """
    fields: dict[str, Any] = {}
    for name, enrichment in enrichments.items():
        made = enrichment(scored)
        if strangers := [field for field in made if not field.startswith(OUR_PREFIX)]:
            raise ValueError(f"{name} made fields without {OUR_PREFIX}: {strangers}")
        if twice := sorted(made.keys() & fields.keys()):
            raise ValueError(f"{name} made fields that another has made: {twice}")
        fields |= made
    return fields
