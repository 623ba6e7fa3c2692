"""How good probabilities are, and whether two sets of them differ by more than chance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDS = 2_000
LEVEL = 0.95
NEVER_CERTAIN = 1e-15  # what a probability of exactly 0 or 1 is taken for, so that one wrong row does not cost infinity


class Verdict(StrEnum):
    TIE = "includes zero"
    OURS = "favours us"
    PEER = "favours peer"


@dataclass(frozen=True)
class Difference:
    """Ours less the peer's, with a percentile interval."""

    value: float
    low: float
    high: float

    def verdict(self, *, lower_is_better: bool) -> Verdict:
        if self.low <= 0 <= self.high:
            return Verdict.TIE
        return Verdict.OURS if (self.high < 0) == lower_is_better else Verdict.PEER


def losses(labels: Ints, scores: Floats) -> Floats:
    """The log-loss of each row."""
    kept = np.clip(scores, NEVER_CERTAIN, 1 - NEVER_CERTAIN)
    return np.where(labels == 1, -np.log(kept), -np.log1p(-kept))


def log_loss(labels: Ints, scores: Floats) -> float:
    return float(losses(labels, scores).mean())


def auc(labels: Ints, scores: Floats) -> float:
    """Area under the ROC curve, ties counting half; NaN with one class only."""
    return weighted_auc(labels, scores)(np.ones(len(labels)))


def weighted_auc(labels: Ints, scores: Floats) -> Callable[[Floats], float]:
    """The AUC as a function of the rows' weights: sorted once, then summed for each resample."""
    _, codes = np.unique(scores, return_inverse=True)

    def value(weights: Floats) -> float:
        won = np.bincount(codes, weights * labels)
        lost = np.bincount(codes, weights * (1 - labels))
        pairs = won.sum() * lost.sum()
        return float((won * (np.cumsum(lost) - lost / 2)).sum() / pairs) if pairs else float("nan")

    return value


def ece(labels: Ints, scores: Floats, bins: int) -> float:
    """Expected calibration error over bins of about equal count; rows with the same score share a bin."""
    places = np.searchsorted(np.sort(scores), scores, side="left") * bins // len(scores)
    gaps = np.bincount(places, scores - labels, minlength=bins)
    return float(np.abs(gaps).sum() / len(scores))


def fold_auc(labels: Ints, scores: Floats, folds: Ints) -> float:
    """The mean over folds: scores of different fits are not ranked against each other."""
    return float(np.mean([auc(labels[folds == fold], scores[folds == fold]) for fold in np.unique(folds)]))


def log_loss_difference(labels: Ints, ours: Floats, peer: Floats, *, seed: int = 0) -> Difference:
    """Paired bootstrap over rows of the mean log-loss, ours less the peer's."""
    gaps = losses(labels, ours) - losses(labels, peer)
    generator = np.random.default_rng(seed)
    resampled = [float(_weights(generator, len(gaps)) @ gaps) / len(gaps) for _ in range(ROUNDS)]
    return _difference(float(gaps.mean()), resampled)


def auc_difference(labels: Ints, ours: Floats, peer: Floats, folds: Ints, *, seed: int = 0) -> Difference:
    """Paired bootstrap of the mean AUC over folds, ours less the peer's; rows are drawn anew within each fold."""
    pairs = [
        (weighted_auc(labels[rows], ours[rows]), weighted_auc(labels[rows], peer[rows]), int(rows.sum()))
        for rows in (folds == fold for fold in np.unique(folds))
    ]
    generator = np.random.default_rng(seed)

    def gap(weigh: Callable[[int], Floats]) -> float:
        return float(np.mean([a(weights) - b(weights) for a, b, rows in pairs for weights in [weigh(rows)]]))

    return _difference(gap(np.ones), [gap(lambda rows: _weights(generator, rows)) for _ in range(ROUNDS)])


def mean_difference(values: Sequence[float], *, seed: int = 0) -> Difference:
    """Bootstrap of a mean over draws."""
    array = np.asarray(values)
    generator = np.random.default_rng(seed)
    means = [float(_weights(generator, len(array)) @ array) / len(array) for _ in range(ROUNDS)]
    return _difference(float(array.mean()), means)


def _weights(generator: np.random.Generator, rows: int) -> Floats:
    """How often each row is in a resample of as many rows, drawn with replacement."""
    return np.bincount(generator.integers(0, rows, rows), minlength=rows).astype(np.float64)


def _difference(value: float, resampled: Sequence[float]) -> Difference:
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail])
    return Difference(value, float(low), float(high))
