"""How good a score is on rows that it has not seen: the field's standard figures, and plots where people look."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BOOTSTRAP_ROUNDS = 1000
DECISION = 0.5  # the usual cut for accuracy, precision, recall and F1; alerts use the version's own threshold


def figures(labels: Ints, scores: Floats) -> dict[str, float]:
    """Accuracy, precision, recall, F1 at 0.5; AUC and log-loss of the probabilities; the base rate."""
    called = (scores >= DECISION).astype(np.int64)
    return {
        "accuracy": float(metrics.accuracy_score(labels, called)),
        "precision": float(metrics.precision_score(labels, called, zero_division=0)),
        "recall": float(metrics.recall_score(labels, called, zero_division=0)),
        "f1": float(metrics.f1_score(labels, called, zero_division=0)),
        "auc": auc(labels, scores),
        "log_loss": log_loss(labels, scores),
        "base_rate": float(labels.mean()),
    }


def auc(labels: Ints, scores: Floats) -> float:
    return float(metrics.roc_auc_score(labels, scores)) if len(set(labels.tolist())) > 1 else float("nan")


def log_loss(labels: Ints, scores: Floats) -> float:
    return float(metrics.log_loss(labels, np.clip(scores, 1e-15, 1 - 1e-15), labels=[0, 1]))


def lift(labels: Ints, hot: NDArray[np.bool_]) -> float:
    """Precision among the hot rows over the base rate; 1 is no better than chance."""
    return float(labels[hot].mean() / labels.mean()) if hot.any() and labels.any() else float("nan")


def lift_interval(labels: Ints, hot: NDArray[np.bool_], *, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """A percentile bootstrap interval of the lift, over rows."""
    generator = np.random.default_rng(seed)
    lifts = []
    for _ in range(BOOTSTRAP_ROUNDS):
        rows = generator.integers(0, len(labels), len(labels))
        lifts.append(lift(labels[rows], hot[rows]))
    tail = (1 - level) / 2
    low, high = np.nanquantile(lifts, [tail, 1 - tail])
    return float(low), float(high)


def plots(labels: Ints, scores: Floats, folder: Path) -> list[Path]:
    """Writes the ROC curve, the reliability curve and the lift by decile as PNG files."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    drawings = {"roc_curve": _roc, "reliability_curve": _reliability, "lift_by_decile": _deciles}
    paths = []
    for name, draw in drawings.items():
        figure, axes = pyplot.subplots(figsize=(5.5, 4.5), layout="constrained")
        draw(axes, labels, scores)
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=110)
        pyplot.close(figure)
    return paths


def _roc(axes, labels: Ints, scores: Floats) -> None:  # type: ignore[no-untyped-def]
    false_rate, true_rate, _ = metrics.roc_curve(labels, scores)
    axes.plot(false_rate, true_rate)
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title=f"ROC, AUC {auc(labels, scores):.3f}")


def _reliability(axes, labels: Ints, scores: Floats) -> None:  # type: ignore[no-untyped-def]
    groups = [group for group in np.array_split(np.argsort(scores), 10) if len(group)]
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.plot([scores[g].mean() for g in groups], [labels[g].mean() for g in groups], marker="o")
    axes.set(xlabel="predicted", ylabel="observed", title="Reliability on the newest rows (ten equal groups)")


def _deciles(axes, labels: Ints, scores: Floats) -> None:  # type: ignore[no-untyped-def]
    groups = np.array_split(np.argsort(-scores), 10)
    axes.bar(range(1, 11), [labels[g].mean() / labels.mean() if len(g) else 0 for g in groups])
    axes.axhline(1, linestyle=":", color="grey")
    axes.set(xlabel="decile by score, highest first", ylabel="lift over the base rate", title="Lift by decile")
