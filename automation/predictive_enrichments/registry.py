"""TABLE of predictive enrichments, in order. Each adds fields of its own; every name starts with `predicted_`."""

from automation.predictive_enrichments import combined_score, identity, lead_fields, money
from automation.predictive_enrichments.base import PredictiveEnrichment

PREDICTIVE_ENRICHMENTS: dict[str, PredictiveEnrichment] = {
    "lead_fields": lead_fields.enrich,
    "combined_score": combined_score.enrich,
    "money": money.enrich,
    "identity": identity.enrich,
}
