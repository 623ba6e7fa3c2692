"""TABLE of predictive enrichments, in order. Each adds fields; every name starts with `predicted_`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from automation.predictive_enrichments import lead_fields
from data.domain.prediction import Prediction

PredictiveEnrichment = Callable[[Prediction, datetime], dict[str, Any]]

PREDICTIVE_ENRICHMENTS: dict[str, PredictiveEnrichment] = {
    "lead_fields": lead_fields.enrich,
}
