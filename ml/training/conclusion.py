"""What is to be thought of a version, from rows that it had not seen: figures with intervals, and a verdict in plain words."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ml.learners.base import log_odds
from ml.preparation.base import Floats, Ints
from ml.training import evaluate
from ml.training.calibrate import row_losses

# Below this share of the base rate's log-loss a gain is real, perhaps, but hardly changes whom anybody calls first: it is
# that of an AUC of about 0.6.
LITTLE_GAIN = 0.02
# Fewer rows than this are judged too kindly by a bootstrap, which knows no other rows than these.
FEWEST_TO_TRUST = 100
# Below this mean gap nobody acts differently, however sure it is: three points, or a tenth of a rate that is low itself.
SMALL_GAP, SMALL_SHARE = 0.03, 0.1
# By this much the outcome must have become more or less frequent before it is worth a sentence.
CHANGED_SHARE = 0.2
FEWEST_ROUNDS, MOST_DRAWN = 200, 20_000_000  # rounds of resampling, and rows drawn in all of them


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """`gain` is the share of the base rate's log-loss that the version takes away; `auc` is None with one outcome only.

    `gap_by_chance`: the calibration error that true probabilities would stay under 19 times of 20 on so many rows.
    """

    rows: int
    rate: float
    base_rate: float
    log_loss: Interval
    base_log_loss: float
    gain: Interval
    auc: Interval | None
    brier: float
    base_brier: float
    gap: float
    gap_by_chance: float

    @property
    def is_calibrated(self) -> bool:
        return self.gap <= max(self.gap_by_chance, min(SMALL_GAP, SMALL_SHARE * self.rate))

    def rate_has_changed(self, rows_train: int) -> bool:
        """Whether the outcome is surely, and by a good deal, more or less frequent than in the rows that taught."""
        before = evaluate.rate_interval(self.base_rate * rows_train, rows_train)
        now = evaluate.rate_interval(self.rate * self.rows, self.rows)
        apart = before[1] < now[0] or now[1] < before[0]
        return apart and abs(self.rate - self.base_rate) > CHANGED_SHARE * self.base_rate


class Trust(StrEnum):
    GOOD = "good"
    RANKS_ONLY = "ranks_only"  # the order is right, the percentages are not
    LITTLE = "little"
    WORSE = "worse"  # than the base rate, on the newest rows
    NONE = "none"  # the base rate for everybody


TITLES = {
    Trust.GOOD: "This model can be trusted",
    Trust.RANKS_ONLY: "Its order can be trusted, its percentages cannot",
    Trust.LITTLE: "This model says little",
    Trust.WORSE: "Do not use this model",
    Trust.NONE: "No signal: everybody gets the base rate",
}


def measure(labels: Ints, scores: Floats, base_rate: float, *, seed: int = 0) -> Figures:
    """The figures of unseen rows. `base_rate` is that of the rows that taught: what would be said without a model."""
    told = min(max(base_rate, 1 / (len(labels) + 2)), 1 - 1 / (len(labels) + 2))
    losses, plain = row_losses(log_odds(scores), labels), row_losses(log_odds(np.full(len(labels), told)), labels)
    auc_of = _ranked(labels, scores)

    def three(rows: Ints) -> tuple[float, float, float]:
        mean = float(losses[rows].mean())
        return mean, 1 - mean / float(plain[rows].mean()), auc_of(rows)

    log_loss, gain, auc = _intervals(three, len(labels), seed)
    return Figures(
        rows=len(labels),
        rate=float(labels.mean()),
        base_rate=base_rate,
        log_loss=log_loss,
        base_log_loss=float(plain.mean()),
        gain=gain,
        auc=None if np.isnan(auc.value) else auc,
        brier=float(((scores - labels) ** 2).mean()),
        base_brier=float(((told - labels) ** 2).mean()),
        gap=evaluate.ece(labels, scores),
        gap_by_chance=evaluate.ece_by_chance(scores, seed=seed),
    )


def trust(figures: Figures, *, is_prior: bool) -> Trust:
    """The verdict. What the intervals do not show is not claimed."""
    if is_prior:
        return Trust.NONE
    if figures.gain.high < 0:
        return Trust.WORSE
    if figures.gain.low <= 0 or figures.gain.value < LITTLE_GAIN or figures.rows < FEWEST_TO_TRUST:
        return Trust.LITTLE
    return Trust.GOOD if figures.is_calibrated else Trust.RANKS_ONLY


def _ranked(labels: Ints, scores: Floats) -> Callable[[Ints], float]:
    """The AUC of any rows, the scores sorted once: the share of (yes, no) pairs in the right order, ties half."""
    levels, places = np.unique(scores, return_inverse=True)
    keys, width = 2 * places + labels, 2 * len(levels)

    def auc(rows: Ints) -> float:
        counts = np.bincount(keys[rows], minlength=width)
        nos, yeses = counts[::2], counts[1::2]
        pairs = float(yeses.sum()) * float(nos.sum())
        return float(yeses @ (np.cumsum(nos) - nos / 2) / pairs) if pairs else float("nan")

    return auc


def _intervals(figures: Callable[[Ints], tuple[float, ...]], rows: int, seed: int) -> list[Interval]:
    """Percentile intervals of several figures of the same resampled rows; rounds without a figure are left out."""
    generator = np.random.default_rng(seed)
    rounds = min(evaluate.BOOTSTRAP_ROUNDS, max(FEWEST_ROUNDS, MOST_DRAWN // rows))
    drawn = np.array([figures(generator.integers(0, rows, rows)) for _ in range(rounds)])
    found = []
    for value, column in zip(figures(np.arange(rows)), drawn.T, strict=True):
        there = column[~np.isnan(column)]
        low, high = np.quantile(there, [0.025, 0.975]) if len(there) else (float("nan"), float("nan"))
        found.append(Interval(value, float(low), float(high)))
    return found
