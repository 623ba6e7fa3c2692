"""TABLE of the catalogue: model name -> model."""

from ml.models import lead_score
from ml.models.base import Model

MODELS: dict[str, Model] = {model.name: model for model in (lead_score.MODEL,)}
