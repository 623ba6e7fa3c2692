"""Learns a calibration on rows that the learner had not seen.

Three ways, the simplest that is as good: none; sigmoid (Platt 1999); isotonic (Zadrozny and Elkan 2002).
"""

from collections.abc import Sequence

import numpy as np
from sklearn.isotonic import IsotonicRegression

from ml.calibration import Calibration, CalibrationKind
from ml.learners.base import log_odds, probability
from ml.preparation.base import Floats, Ints

# The sigmoid is drawn towards "none" as if so many rows had said so: a few dozen rows must not bend it.
SIGMOID_PRIOR_ROWS = 20.0
STEEPEST = 10.0
MOST_STEPS, SMALLEST_STEP = 100, 1e-8
# Steps of an isotonic curve are averages: below this they are averages of too few.
FEWEST_FOR_ISOTONIC = 1_000
CURVE_POINTS = 200
CURVE_DIGITS = 4  # points nearer to each other than this, in log-odds, would only make the curve steep
NEVER_SURER = 1e-4  # however many rows there are
BELOW_BASE_RATE = 0.1  # where the outcome is rarer than that, the base rate itself must stay sayable, and a tenth of it


def bounds(labels: Ints) -> tuple[float, float]:
    """The surest that so many rows allow: one more row of the other outcome must always be thinkable."""
    rows = max(len(labels), 1)
    rarer = min(labels.sum(), rows - labels.sum()) / rows
    surest = max(1.0 / (rows + 2), min(NEVER_SURER, BELOW_BASE_RATE * rarer))
    return float(log_odds(surest)), float(log_odds(1 - surest))


def fit(kind: CalibrationKind, margins: Floats, labels: Ints) -> Calibration:
    """Learns one way from log-odds of unseen rows."""
    least, most = bounds(labels)
    if kind is CalibrationKind.SIGMOID:
        slope, intercept = _sigmoid(margins, labels)
        return Calibration(kind=kind, slope=slope, intercept=intercept, least=least, most=most)
    if kind is CalibrationKind.ISOTONIC:
        xs, ys = _isotonic(margins, labels, least, most)
        return Calibration(kind=kind, xs=xs, ys=ys, least=least, most=most)
    return Calibration(least=least, most=most)


def choose(margins: Floats, labels: Ints, places: list[tuple[Ints, Ints]]) -> tuple[Calibration, dict[str, float]]:
    """The way that rows not used to fit it prefer; each of `places` is (rows to fit on, rows to judge by).

    Returns the calibration fitted on all rows, and the log-loss of each way.
    """
    losses: dict[CalibrationKind, Floats] = {}
    for kind in CalibrationKind:
        if kind is CalibrationKind.ISOTONIC and len(labels) < FEWEST_FOR_ISOTONIC:
            continue
        parts = [row_losses(fit(kind, margins[a], labels[a]).apply(margins[b]), labels[b]) for a, b in places]
        losses[kind] = np.concatenate(parts) if parts else np.zeros(0)
    means = {kind.value: float(loss.mean()) for kind, loss in losses.items() if len(loss)}
    return fit(_preferred(losses), margins, labels), means


def _preferred(losses: dict[CalibrationKind, Floats]) -> CalibrationKind:
    """The sigmoid, with which the ladder judged, unless none does better; a curve of many steps must do clearly so."""
    straight = CalibrationKind.SIGMOID
    none, sigmoid, isotonic = (losses.get(kind, np.zeros(0)) for kind in CalibrationKind)
    if len(none) and none.mean() <= sigmoid.mean():
        straight = CalibrationKind.NONE
    if len(isotonic) and simplest([losses[straight], isotonic]) == 1:
        return CalibrationKind.ISOTONIC
    return straight


def simplest(losses: Sequence[Floats], *, folds: int | None = None) -> int:
    """The first (simplest) whose mean loss is within one standard error of the best's, row by row (Breiman and others 1984).

    With `folds`, the error of few rows is widened by what folds have in common (Nadeau and Bengio 2003, "Inference for
    the generalization error"): models of overlapping rows agree more than chance would have them.
    """
    best = int(np.argmin([loss.mean() for loss in losses]))
    if len(losses[best]) < 2:  # one row says nothing on how far apart they are
        return 0
    for place, loss in enumerate(losses[:best]):
        more = loss - losses[best]
        if more.mean() <= _standard_error(more, folds):
            return place
    return best


def _standard_error(differences: Floats, folds: int | None) -> float:
    plain = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    return plain if folds is None else plain * float(np.sqrt(1 + folds / (folds - 1)))


def row_losses(margins: Floats, labels: Ints) -> Floats:
    """Log-loss of each row, from log-odds, without overflow."""
    return np.logaddexp(0, np.where(labels == 1, -margins, margins))


def _sigmoid(margins: Floats, labels: Ints) -> tuple[float, float]:
    """Slope and intercept of the least loss. It has one minimum, so where that lies beyond a bound, the best lies on the bound."""
    slope, intercept = _newton(margins, labels, None)
    if not 0 <= slope <= STEEPEST:
        slope, intercept = _newton(margins, labels, min(max(slope, 0.0), STEEPEST))
    return slope, intercept


def _newton(margins: Floats, labels: Ints, slope: float | None) -> tuple[float, float]:
    """Newton's steps, each halved until it lowers the loss; with a slope given, only the intercept is learned."""
    weight = SIGMOID_PRIOR_ROWS / max(len(labels), 1) / 8  # a row's curvature is at most a quarter; half of it each
    free = np.array([slope is None, True])
    ones = np.column_stack([margins, np.ones_like(margins)])

    def loss(at: Floats) -> float:
        return float(row_losses(ones @ at, labels).mean() + weight * (at[0] - 1) ** 2 + weight * at[1] ** 2)

    at = np.array([1.0 if slope is None else slope, 0.0])
    now = loss(at)
    for _ in range(MOST_STEPS):
        chance = probability(ones @ at)
        slopes = ones.T @ (chance - labels) / len(labels) + 2 * weight * (at - [1, 0])
        bend = (ones * (chance * (1 - chance))[:, None]).T @ ones / len(labels) + 2 * weight * np.eye(2)
        step = np.zeros(2)
        step[free] = np.linalg.solve(bend[np.ix_(free, free)], slopes[free])
        while (after := loss(at - step)) > now and abs(step).max() > SMALLEST_STEP:
            step /= 2
        if after > now:
            break
        at, now = at - step, after
        if abs(step).max() <= SMALLEST_STEP:
            break
    return float(at[0]), float(at[1])


def _isotonic(margins: Floats, labels: Ints, least: float, most: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    curve = IsotonicRegression(out_of_bounds="clip").fit(margins, labels)
    xs = np.unique(np.quantile(margins, np.linspace(0, 1, CURVE_POINTS)).round(CURVE_DIGITS))
    ys = np.clip(log_odds(curve.predict(xs)), least, most)
    return tuple(xs.tolist()), tuple(ys.tolist())
