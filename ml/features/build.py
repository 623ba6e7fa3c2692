"""Builds the features of one entity from what is known of it: the same code for training and for serving."""

from collections.abc import Mapping
from typing import Any

from ml.features.sets import SETS


def build(model: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Feature name -> value. A model without a row in SETS takes the properties themselves."""
    if model not in SETS:
        return dict(properties)
    return {feature.__name__: feature(properties) for feature in SETS[model]}
