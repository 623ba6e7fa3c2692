"""Trains one version: the earlier 80 % teach, the newest 20 % judge."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import BadInput
from data.settings import ROOT
from ml.features.build import from_properties
from ml.features.inputs import Input, encode_row
from ml.learners import xgb
from ml.learners.registry import LEARNERS
from ml.models.base import Model
from ml.training import evaluate
from ml.version import QUANTILES, Card

TRAIN_SHARE = 0.8
FEWEST_ROWS = 50
UNREGISTERED = "unregistered"


@dataclass(frozen=True)
class Trained:
    """A version before the registry has numbered it, with the hold-out that judged it."""

    card: Card
    booster: Any
    inputs_matrix: NDArray[np.float64]
    holdout_labels: NDArray[np.int64]
    holdout_scores: NDArray[np.float64]


def train(
    model: Model,
    inputs: tuple[Input, ...],
    rows: Sequence[dict[str, Any]],
    labels: NDArray[np.int64],
    *,
    data_hash: str,
    now: datetime,
    seed: int = 0,
    overrides: dict[str, Any] | None = None,
) -> Trained:
    """Fits on the earlier rows, evaluates on the newest. `rows` are in time order.

    Raises:
        BadInput: too few rows, or one class only.
    """
    cut = int(len(rows) * TRAIN_SHARE)
    _check(labels, cut)
    learner = LEARNERS[model.learner]
    params = xgb.parameters(overrides, seed=seed)
    matrix = np.array([encode_row(inputs, from_properties(model.name, row)) for row in rows], dtype=np.float64)
    booster = learner.fit(inputs, matrix[:cut], labels[:cut], params)
    margins = learner.contributions(booster, inputs, matrix[cut:]).sum(axis=1)
    scores = 1 / (1 + np.exp(-margins))
    card = Card(
        model=model.name,
        version=UNREGISTERED,
        learner=model.learner,
        entity=model.entity,
        target=model.target,
        inputs=inputs,
        base_rate=float(labels[:cut].mean()),
        holdout_quantiles=tuple(np.quantile(scores, np.linspace(0, 1, QUANTILES)).tolist()),
        metrics=evaluate.figures(labels[cut:], scores),
        params=params,
        rows_train=cut,
        rows_holdout=len(rows) - cut,
        seed=seed,
        data_hash=data_hash,
        code_version=code_version(),
        trained_at=now,
    )
    return Trained(card, booster, matrix[cut:], labels[cut:], scores)


def code_version() -> str:
    """The commit that trained it, or the package's version where there is no git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        from importlib.metadata import version

        return version("leadloop")
    return done.stdout.strip()


def _check(labels: NDArray[np.int64], cut: int) -> None:
    if len(labels) < FEWEST_ROWS:
        raise BadInput(f"{len(labels)} rows are too few to train on: at least {FEWEST_ROWS} are needed")
    for name, part in (("earlier 80 %", labels[:cut]), ("newest 20 %", labels[cut:])):
        if len(set(part.tolist())) < 2:
            raise BadInput(f"the {name} of the rows have one outcome only: nothing to learn or to judge by")
