"""What several models say of one record, as one number from 0 to 100."""

from collections.abc import Mapping
from typing import Any

from automation.predictive_enrichments.base import Scored
from data.domain.prediction import percent

DECIMALS = 1


def enrich(scored: Scored) -> dict[str, Any]:
    """The weighted mean of the newest predictions of the record, and which they were."""
    counted = counting(scored)
    return {"predicted_combined_score": combined(scored.scores, counted), "predicted_combined_from": told(scored.scores, counted)}


def counting(scored: Scored) -> dict[str, float]:
    """Model -> weight, of the models that have a say about this record; where none has, the one that was asked alone."""
    found = {model: scored.weights.get(model, 0.0) for model in scored.scores}
    return {model: weight for model, weight in found.items() if weight} or {scored.prediction.model: 1.0}


def combined(scores: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The mean of the probabilities, times 100. A weight below 0 counts what speaks against it: one minus the probability.

    >>> combined({"lead_score": 0.8, "churn": 0.4}, {"lead_score": 3.0, "churn": -1.0})
    75.0
    """
    parts = [(scores[model] if weight > 0 else 1 - scores[model], abs(weight)) for model, weight in weights.items()]
    return round(100 * sum(part * weight for part, weight in parts) / sum(weight for _, weight in parts), DECIMALS)


def told(scores: Mapping[str, float], weights: Mapping[str, float]) -> str:
    """What the number was made of, the weightiest first.

    >>> told({"lead_score": 0.8, "churn": 0.4}, {"lead_score": 3.0, "churn": -1.0}), told({"lead_score": 0.8}, {"lead_score": 1.0})
    ('lead_score 80% (weight 3), churn 40% (weight -1)', 'lead_score 80%')
    """
    order = sorted(weights, key=lambda model: (-abs(weights[model]), model))
    if len(order) == 1:
        return f"{order[0]} {percent(scores[order[0]])}"
    return ", ".join(f"{model} {percent(scores[model])} (weight {weights[model]:g})" for model in order)
