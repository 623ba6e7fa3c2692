"""A lead's prediction as fields of its CRM record."""

from typing import Any

from automation.predictive_enrichments.base import Scored
from ml.serving.explain import in_words

TOP_FACTORS = 3
SCORE_DIGITS = 6


def enrich(scored: Scored) -> dict[str, Any]:
    """Score, grade, label, the top factors in words, when it was scored, and by which version."""
    prediction = scored.prediction
    return {
        "predicted_score": round(prediction.score, SCORE_DIGITS),
        "predicted_grade": prediction.grade.value,
        "predicted_label": prediction.label.value,
        "predicted_factors": "; ".join(in_words(factor) for factor in prediction.factors[:TOP_FACTORS]),
        "predicted_scored_at": scored.scored_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "predicted_model_version": f"{prediction.model} {prediction.model_version}",
    }
