"""The first predictions of a version, made before anybody waits for one: they pay for what the libraries set up lazily."""

from typing import Any

import numpy as np

from data.errors import NotReady
from ml.features.inputs import InputKind
from ml.serving.served import Served

# One at a time, as requests come; a few; and as many as the worker takes at once, beyond what is done row by row.
BATCHES = (1, 8, 100)
VALUES = {InputKind.BOOLEAN: True, InputKind.TEXT: "some words", InputKind.DATE: "2026-01-01"}


def warm(served: Served) -> None:
    """Asks a version for everything it will be asked for: alone and in batches, with and without factors.

    Raises:
        NotReady: an answer is no probability; and whatever the version's own parts raise.
    """
    rows = [_full(served), {}]
    for size in BATCHES:
        batch = (rows * size)[:size]
        scores = served.scores(batch)
        explained = np.array([prediction.score for prediction in served.predict(batch)])
        if not (np.isfinite(scores).all() and np.allclose(scores, explained, atol=1e-6)):
            raise NotReady(f"version {served.card.version} of {served.card.model} gives no sound scores")


def _full(served: Served) -> dict[str, Any]:
    """A row with a value for every input."""
    return {column.name: _value(served, column.name, column.kind) for column in served.card.inputs}


def _value(served: Served, name: str, kind: InputKind) -> Any:
    if kind is InputKind.CATEGORY:
        levels = (level for one in served.version.scorer.preparations.values() for level in one.levels_of(name))
        return next(levels, "any")
    return VALUES.get(kind, 1)
