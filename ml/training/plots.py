"""The plots where people look: for MLflow as PNG, for the report as inline SVG."""

import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics

from ml.preparation.base import Floats, Ints
from ml.training import evaluate

SIZE = (5.5, 4.2)
DOTS_PER_INCH = 110

Draw = Callable[..., None]


def png_files(labels: Ints, scores: Floats, folder: Path) -> list[Path]:
    """Writes each plot of unseen rows as a PNG file."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in PLOTS.items():
        paths.append(folder / f"{name}.png")
        _drawn(partial(draw, labels=labels, scores=scores), paths[-1], "png")
    return paths


def svg(labels: Ints, scores: Floats) -> dict[str, str]:
    """Each plot of unseen rows as SVG text."""
    return {name: _svg(partial(draw, labels=labels, scores=scores)) for name, draw in PLOTS.items()}


def factors_svg(strengths: Mapping[str, float], most: int = 15) -> str:
    """Bars of the inputs' mean strengths, in log-odds."""
    shown = sorted(strengths.items(), key=lambda item: -item[1])[:most][::-1]

    def draw(axes: Any) -> None:
        axes.barh([name[:40] for name, _ in shown], [value for _, value in shown])
        axes.set(xlabel="mean strength (log-odds)", title="What moves the scores")

    return _svg(draw)


def _roc(axes: Any, labels: Ints, scores: Floats) -> None:
    if len(set(labels.tolist())) > 1:
        false_rate, true_rate, _ = metrics.roc_curve(labels, scores)
        axes.plot(false_rate, true_rate)
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title=f"ROC, AUC {evaluate.auc(labels, scores):.3f}")


def _reliability(axes: Any, labels: Ints, scores: Floats) -> None:
    parts = evaluate.reliability(labels, scores)
    observed = np.array([part.observed for part in parts])
    bars = np.array([[part.observed - part.low, part.high - part.observed] for part in parts]).T
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.errorbar([part.predicted for part in parts], observed, yerr=np.maximum(bars, 0), marker="o", capsize=2)
    axes.set(xlabel="predicted", ylabel="observed, with 95 % intervals", title="Reliability on unseen rows (ten equal groups)")


def _deciles(axes: Any, labels: Ints, scores: Floats) -> None:
    parts = evaluate.deciles(labels, scores)
    axes.bar(range(1, len(parts) + 1), [0 if np.isnan(part.lift) else part.lift for part in parts])
    axes.axhline(1, linestyle=":", color="grey")
    axes.set(xlabel="tenth of the rows, highest scores first", ylabel="lift over the base rate", title="Lift by decile")


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

    figure, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
    draw(axes)
    # Without the date, the same version gives the same file.
    figure.savefig(to, format=form, dpi=DOTS_PER_INCH, metadata={"Date": None} if form == "svg" else None)
    pyplot.close(figure)
