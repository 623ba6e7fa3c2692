"""A version as MLflow's own loaders see it: a user's columns in, scores out, the cleaning included."""

from pathlib import Path
from typing import Any

import polars as pl

from ml.features.inputs import typed_frame
from ml.learners.base import probability
from ml.version import Version, load


class Scored:
    """What `mlflow.pyfunc.load_model` wraps."""

    def __init__(self, version: Version) -> None:
        self._version = version

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """A pandas frame of the version's inputs -> one score a row."""
        frame = typed_frame(self._version.card.inputs, pl.from_pandas(model_input))
        return probability(self._version.scorer.margins(frame))


def _load_pyfunc(path: str) -> Scored:
    """MLflow calls this by its name."""
    return Scored(load(Path(path)))
