"""The plots where people look: for MLflow as PNG, for the report as inline SVG."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics

from ml.preparation.base import Floats, Ints
from ml.training import evaluate

SIZE = (5.5, 4.2)
DOTS_PER_INCH = 110
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
COLOUR = "#3b6fb6"  # the report's
LOOK = {"axes.spines.top": False, "axes.spines.right": False, "font.family": "sans-serif", "axes.titlesize": "medium"}

Draw = Callable[..., None]


def png_files(labels: Ints, scores: Floats, folder: Path) -> list[Path]:
    """Writes each plot of unseen rows as a PNG file."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in PLOTS.items():
        paths.append(folder / f"{name}.png")
        _drawn(partial(draw, labels=labels, scores=scores), paths[-1], "png")
    return paths


def svg(name: str, labels: Ints, scores: Floats) -> str:
    """One of PLOTS, of unseen rows, as SVG text. No name of a user's column is in it."""
    return _svg(partial(PLOTS[name], labels=labels, scores=scores))


def _roc(axes: Any, labels: Ints, scores: Floats) -> None:
    if len(set(labels.tolist())) > 1:
        false_rate, true_rate, _ = metrics.roc_curve(labels, scores)
        axes.plot(false_rate, true_rate, color=COLOUR)
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title=f"ROC, AUC {evaluate.auc(labels, scores):.3f}")


def _reliability(axes: Any, labels: Ints, scores: Floats) -> None:
    parts = evaluate.reliability(labels, scores)
    observed = np.array([part.observed for part in parts])
    bars = np.array([[part.observed - part.low, part.high - part.observed] for part in parts]).T
    most = max(0.05, max((max(part.predicted, part.high) for part in parts), default=1.0))
    axes.plot([0, most], [0, most], linestyle=":", color="grey")
    axes.errorbar([part.predicted for part in parts], observed, yerr=np.maximum(bars, 0), marker="o", capsize=2, color=COLOUR)
    _percent(axes.xaxis)
    _percent(axes.yaxis)
    axes.set(xlabel="predicted", ylabel="observed, with 95% intervals", title="Predicted against observed")


def _deciles(axes: Any, labels: Ints, scores: Floats) -> None:
    parts = evaluate.deciles(labels, scores)
    lifts = [0 if np.isnan(part.lift) else part.lift for part in parts]
    bars = axes.bar(range(1, len(parts) + 1), lifts, color=COLOUR)
    axes.bar_label(bars, [f"{lift:.1f}" for lift in lifts], padding=2)
    axes.axhline(1, linestyle=":", color="grey")
    axes.set_xticks(range(1, len(parts) + 1))
    axes.set(xlabel="tenth of the rows, highest scores first", ylabel="times the average rate", title="Lift by tenth")


def _percent(axis: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=None))


PLOTS: dict[str, Draw] = {"reliability_curve": _reliability, "lift_by_decile": _deciles, "roc_curve": _roc}


def _svg(draw: Callable[[Any], None]) -> str:
    buffer = io.StringIO()
    _drawn(draw, buffer, "svg")
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _drawn(draw: Callable[[Any], None], to: Any, form: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # Text stays text, in the page's own font. Fixed ids and no date: the same version gives the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "leadloop", **LOOK}):
        figure, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
        draw(axes)
        figure.savefig(to, format=form, dpi=DOTS_PER_INCH, metadata=NO_METADATA if form == "svg" else None)
        pyplot.close(figure)
