"""A version as MLflow's own loaders see it: a user's columns in, scores out, the cleaning included."""

from pathlib import Path
from typing import Any

import polars as pl

from ml.learners.base import probability
from ml.serving.batch import typed_table
from ml.version import Version, load


class Scored:
    """What `mlflow.pyfunc.load_model` wraps."""

    def __init__(self, version: Version) -> None:
        self._version = version

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """A pandas frame of the version's inputs, and of its moments if it has them -> one score a row."""
        return probability(self._version.scorer.margins(typed_table(self._version.card, pl.from_pandas(model_input))))


def _load_pyfunc(path: str) -> Scored:
    """MLflow calls this by its name."""
    return Scored(load(Path(path)))
