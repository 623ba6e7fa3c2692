"""TABLE of the catalogue: model name -> model."""

from ml.models import lead_score
from ml.models.base import Model, of_user_table
from ml.models.prediction_schema import PredictionSchema

MODELS: dict[str, Model] = {model.name: model for model in (lead_score.MODEL,)}


def schema_of(model: str) -> PredictionSchema:
    """What a model's predictions look like; one that is not in the catalogue was trained on a user's own table."""
    return MODELS.get(model, of_user_table(model, model)).schema
