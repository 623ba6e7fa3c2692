"""How sure a difference between two models is: the bootstrap over rows, or over groups of rows that belong together.

Rows are drawn as weights (how often each was drawn), so that nothing is copied and the AUC is sorted once: a hundred
thousand rows take some 3 s for a thousand rounds. Efron and Tibshirani 1993, "An Introduction to the Bootstrap".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ml.preparation.base import Floats, Ints
from ml.training.calibrate import row_losses

ROUNDS = 1000  # the ends of a 95 % interval then move by about a fiftieth of its width from seed to seed
LEVEL = 0.95
Groups = NDArray[Any]


class Difference(BaseModel):
    """Candidate less champion, with its interval and standard error. For log-loss less is better, for AUC more."""

    model_config = ConfigDict(frozen=True)

    champion: float
    candidate: float
    difference: float
    low: float
    high: float
    error: float


@dataclass(frozen=True)
class Differences:
    """`auc` is None where there is one outcome only."""

    log_loss: Difference
    auc: Difference | None


def paired(
    labels: Ints, champion: Floats, candidate: Floats, *, groups: Groups | None = None, rounds: int = ROUNDS, seed: int = 0
) -> Differences:
    """Two models on the same rows: every round draws the rows once and asks both.

    Parameters:
        labels: 0 or 1; champion, candidate: log-odds of each row.
        groups: rows of one group (identity) are drawn together.
    """
    return _differences((labels, champion, groups), (labels, candidate, groups), rounds=rounds, seed=seed, same_draws=True)


def two_samples(
    champion: tuple[Ints, Floats], candidate: tuple[Ints, Floats], *, rounds: int = ROUNDS, seed: int = 0
) -> Differences:
    """Two models on rows of their own: (labels, log-odds) each, drawn apart."""
    return _differences((*champion, None), (*candidate, None), rounds=rounds, seed=seed, same_draws=False)


Sample = tuple[Ints, Floats, Groups | None]


def _differences(champion: Sample, candidate: Sample, *, rounds: int, seed: int, same_draws: bool) -> Differences:
    one, other = _Judged(*champion[:2]), _Judged(*candidate[:2])
    mine = draws(len(champion[0]), champion[2], rounds=rounds, seed=seed)
    theirs = mine if same_draws else draws(len(candidate[0]), candidate[2], rounds=rounds, seed=seed + 1)
    pairs = ((weights, weights) for weights in mine) if same_draws else zip(mine, theirs, strict=True)
    losses, aucs = [], []
    for drawn, drawn_too in pairs:
        losses.append(other.log_loss(drawn_too) - one.log_loss(drawn))
        aucs.append(other.auc(drawn_too) - one.auc(drawn))
    whole, whole_too = np.ones(len(champion[0])), np.ones(len(candidate[0]))
    found = _difference(one.log_loss(whole), other.log_loss(whole_too), np.array(losses))
    assert found is not None
    return Differences(found, _difference(one.auc(whole), other.auc(whole_too), np.array(aucs)))


def draws(rows: int, groups: Groups | None, *, rounds: int, seed: int) -> Iterator[Floats]:
    """For each round how often each row was drawn; with groups, whole groups are drawn."""
    generator = np.random.default_rng(seed)
    places = None if groups is None else np.unique(groups, return_inverse=True)[1]
    units = rows if places is None else int(places.max()) + 1
    for _ in range(rounds):
        weights = np.bincount(generator.integers(0, units, units), minlength=units).astype(np.float64)
        yield weights if places is None else weights[places]


class _Judged:
    """One model's rows, ready to be judged with any weights."""

    def __init__(self, labels: Ints, margins: Floats) -> None:
        self._losses = row_losses(margins, labels)
        levels, self._places = np.unique(margins, return_inverse=True)
        self._count, self._won = len(levels), labels == 1

    def log_loss(self, weights: Floats) -> float:
        return float(weights @ self._losses / weights.sum())

    def auc(self, weights: Floats) -> float:
        """The share of (won, lost) pairs in the right order, ties half; NaN where the weights leave one outcome."""
        won = np.bincount(self._places, weights=weights * self._won, minlength=self._count)
        lost = np.bincount(self._places, weights=weights * ~self._won, minlength=self._count)
        pairs = won.sum() * lost.sum()
        return float(won @ (np.cumsum(lost) - lost / 2) / pairs) if pairs else float("nan")


def _difference(champion: float, candidate: float, rounds: Floats) -> Difference | None:
    """The percentile interval; rounds without a figure are left out."""
    there = rounds[~np.isnan(rounds)]
    if np.isnan(champion) or np.isnan(candidate) or not len(there):
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(there, [tail, 1 - tail])
    return Difference(
        champion=champion, candidate=candidate, difference=candidate - champion, low=float(low), high=float(high),
        error=float(there.std()),
    )  # fmt: skip
