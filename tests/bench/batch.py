"""Scoring a million rows of a table against the tree library alone, in the same process and run.

The floor is what the library itself takes for the matrix that our cleaning made: `predict`, and `predict` with exact
contributions. Ours is all that `leadloop score` does between reading and writing: typing, cleaning, scores, grades, words.
`python -m tests.bench batch [ROWS]`
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from data.samples import leads
from ml.features.inputs import typed_frame
from ml.learners import lgbm, xgb
from ml.models.lead_score import MODEL
from ml.serving.batch import score_parts
from ml.training import samples
from ml.training.train import train
from ml.version import Version, load, save

ROWS = 1_000_000
ROUNDS = 2  # the better of them: what else the machine did meanwhile is nobody's
LEARNERS: dict[str, Any] = {
    "xgb": {**xgb.BASELINE},
    "lgbm": {name: value for name, value in lgbm.CAUTIOUS.items() if name != lgbm.PATIENCE} | {"n_estimators": 100},
}


def main(arguments: Sequence[str] = ()) -> int:
    """Prints a row per learner, without and with factors."""
    rows = int(float(arguments[0])) if arguments else ROWS
    frame = leads.table(rows, seed=5).select(leads.COLUMNS)
    grid = Table(title=f"Seconds for {rows:,} rows of {frame.width} columns, the better of {ROUNDS}")
    for column in ("trees", "what", "the library", "Leadloop", "ratio"):
        grid.add_column(column, justify="right" if column not in ("trees", "what") else "left")
    for name in LEARNERS:
        version = loaded(name)
        matrix = version.scorer.preparations[version.scorer.members[0].form].apply(typed_frame(version.card.inputs, frame))
        for what, factors in (("scores", 0), ("scores and factors", 5)):
            floor = best(partial(FLOORS[name], version, matrix, contributions=factors > 0))
            ours = best(partial(scored, version, frame, factors))
            grid.add_row(name, what, f"{floor:.2f}", f"{ours:.2f}", f"{ours / floor:.2f}")
    Console(width=110).print(grid)
    return 0


def loaded(learner: str) -> Version:
    """A version of the sample, stored and loaded again as serving does."""
    sample = samples.lead_score(0)
    model = replace(MODEL, learners={learner: (LEARNERS[learner],)})
    trained = train(model, sample.table, data_hash="", now=datetime.now(UTC))
    if trained.card.learner != learner:
        raise RuntimeError(f"{trained.card.learner} was chosen, {learner} was to be measured")
    with TemporaryDirectory() as folder:
        save(trained.version, Path(folder))
        return load(Path(folder))


def scored(version: Version, frame: pl.DataFrame, factors: int) -> None:
    parts = pl.concat(score_parts(version, frame, threshold=0.5, factors=factors))
    assert len(parts) == len(frame)


def best(run: Callable[[], None]) -> float:
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return min(taken)


def _xgboost(version: Version, matrix: Any, *, contributions: bool) -> None:
    fitted: Any = version.scorer.members[0].fitted
    booster = fitted.booster.copy()
    booster.set_param({"nthread": 0})  # all cores
    booster.predict(xgb.dmatrix(fitted.columns, matrix), pred_contribs=contributions)


def _lightgbm(version: Version, matrix: Any, *, contributions: bool) -> None:
    fitted: Any = version.scorer.members[0].fitted
    fitted.booster.predict(np.ascontiguousarray(matrix), pred_contrib=contributions, num_threads=0)


FLOORS = {"xgb": _xgboost, "lgbm": _lightgbm}
