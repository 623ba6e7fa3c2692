"""Builds the features of one entity from what is known of it: the same code for training and for serving."""

from collections.abc import Mapping
from typing import Any

from ml.features.sets import SETS


def build(model: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Feature name -> value. A model without a row in SETS takes the properties themselves."""
    if model not in SETS:
        return dict(properties)
    return {feature.__name__: feature(properties) for feature in SETS[model]}


def served_inputs(model: str) -> frozenset[str] | None:
    """The inputs that serving makes for a model; None where it takes whatever it is given."""
    return frozenset(feature.__name__ for feature in SETS[model]) if model in SETS else None
