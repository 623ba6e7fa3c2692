"""How good scores are on rows that they have not seen: the field's standard figures, with intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, rankdata
from sklearn import metrics

from data.domain.prediction import Grade, Observed, grade
from ml.preparation.base import Floats, Ints

BOOTSTRAP_ROUNDS = 1000
DECISION = 0.5  # the usual cut for accuracy, precision, recall and F1; alerts use the version's own threshold
LEVEL = 0.95
CHANCE_ROUNDS = 300
GROUPS = 10


@dataclass(frozen=True)
class Part:
    """A tenth of the rows by score: how many, the mean score, the observed rate with its interval, the lift."""

    rows: int
    predicted: float
    observed: float
    low: float
    high: float
    lift: float


def figures(labels: Ints, scores: Floats) -> dict[str, float]:
    """Accuracy, precision, recall, F1 at 0.5; AUC, log-loss, Brier and ECE of the probabilities; the base rate."""
    called = (scores >= DECISION).astype(np.int64)
    return {
        "accuracy": float(metrics.accuracy_score(labels, called)),
        "precision": float(metrics.precision_score(labels, called, zero_division=0)),
        "recall": float(metrics.recall_score(labels, called, zero_division=0)),
        "f1": float(metrics.f1_score(labels, called, zero_division=0)),
        "auc": auc(labels, scores),
        "log_loss": log_loss(labels, scores),
        "brier": float(np.mean((scores - labels) ** 2)),
        "ece": ece(labels, scores),
        "base_rate": float(labels.mean()),
    }


def auc(labels: Ints, scores: Floats) -> float:
    return float(metrics.roc_auc_score(labels, scores)) if len(set(labels.tolist())) > 1 else float("nan")


def log_loss(labels: Ints, scores: Floats) -> float:
    return float(metrics.log_loss(labels, np.clip(scores, 1e-15, 1 - 1e-15), labels=[0, 1]))


def ece(labels: Ints, scores: Floats) -> float:
    """Expected calibration error: the mean gap between score and observed rate, over the groups of `reliability`.

    Naeini and others 2015, "Obtaining well calibrated probabilities using Bayesian binning".
    """
    return sum(part.rows * abs(part.predicted - part.observed) for part in reliability(labels, scores)) / max(len(labels), 1)


def ece_by_chance(scores: Floats, *, seed: int = 0, rounds: int = CHANCE_ROUNDS, level: float = LEVEL) -> float:
    """The calibration error that true probabilities stay under with this probability, on rows with these scores."""
    generator = np.random.default_rng(seed)
    places = groups_of(scores)
    counts, predicted = np.bincount(places), np.bincount(places, weights=scores)
    gaps = []
    for _ in range(rounds):
        observed = np.bincount(places, weights=generator.random(len(scores)) < scores, minlength=len(counts))
        gaps.append(np.abs(predicted - observed).sum() / len(scores))
    return float(np.quantile(gaps, level))


def reliability(labels: Ints, scores: Floats) -> list[Part]:
    """Up to ten groups of about equal size, the lowest scores first. Rows of one score are never told apart."""
    places = groups_of(scores)
    return [_part(labels, scores, np.flatnonzero(places == place), labels.mean()) for place in np.unique(places)]


def groups_of(scores: Floats) -> Ints:
    """Which tenth each row is in, 0 to 9; rows of one score are in the same."""
    return np.asarray(GROUPS * (rankdata(scores) - 0.5) / max(len(scores), 1)).astype(np.int64)


def deciles(labels: Ints, scores: Floats) -> list[Part]:
    """Ten equal groups, the highest scores first. Rows of one score stand in no order: each counts as their mean."""
    _, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    expected = (np.bincount(which, weights=labels) / counts)[which] if len(labels) else labels
    groups = [group for group in np.array_split(np.argsort(-scores, kind="stable"), GROUPS) if len(group)]
    return [_part(expected, scores, group, labels.mean()) for group in groups]


def _part(labels: NDArray[Any], scores: Floats, rows: Ints, base_rate: float) -> Part:
    observed = float(labels[rows].mean())
    low, high = rate_interval(float(labels[rows].sum()), len(rows))
    return Part(len(rows), float(scores[rows].mean()), observed, low, high, observed / base_rate if base_rate else float("nan"))


def by_grade(labels: Ints, scores: Floats, base_rate: float) -> tuple[Observed, ...]:
    """How each grade's rows turned out; grades that nobody got are left out."""
    letters = np.array([grade(float(score), base_rate).value for score in scores])
    found = []
    for letter in Grade:
        mine = letters == letter.value
        if mine.any():
            wins, rows = int(labels[mine].sum()), int(mine.sum())
            low, high = rate_interval(wins, rows)
            found.append(Observed(grade=letter, rows=rows, rate=wins / rows, low=low, high=high))
    return tuple(found)


def rate_interval(wins: float, rows: int, level: float = LEVEL) -> tuple[float, float]:
    """Jeffreys's interval of a rate (Brown, Cai and DasGupta 2001)."""
    tail = (1 - level) / 2
    low = 0.0 if wins == 0 else float(beta.ppf(tail, wins + 0.5, rows - wins + 0.5))
    high = 1.0 if wins == rows else float(beta.ppf(1 - tail, wins + 0.5, rows - wins + 0.5))
    return low, high


def lift(labels: Ints, hot: NDArray[np.bool_]) -> float:
    """Precision among the hot rows over the base rate; 1 is no better than chance."""
    return float(labels[hot].mean() / labels.mean()) if hot.any() and labels.any() else float("nan")


def lift_interval(labels: Ints, hot: NDArray[np.bool_], *, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
    """A percentile bootstrap interval of the lift, over rows."""
    return bootstrap(lambda rows: lift(labels[rows], hot[rows]), len(labels), seed=seed, level=level)


def bootstrap(figure: Callable[[Ints], float], rows: int, *, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
    """A percentile interval of a figure of resampled rows; rounds without a figure (one class only) are left out."""
    generator = np.random.default_rng(seed)
    found = [figure(generator.integers(0, rows, rows)) for _ in range(BOOTSTRAP_ROUNDS)]
    tail = (1 - level) / 2
    if np.isnan(found).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(found, [tail, 1 - tail])
    return float(low), float(high)
