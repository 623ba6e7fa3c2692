"""Gradient-boosted trees by LightGBM: leaf by leaf, native categories, exact TreeSHAP contributions.

Ke and others 2017, "LightGBM: A Highly Efficient Gradient Boosting Decision Tree".
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ml.learners.base import Examples, Params, threads_for
from ml.preparation.base import Floats, Form, Matrix

CAUTIOUS: Params = {
    "num_leaves": 15, "learning_rate": 0.04, "n_estimators": 1000, "min_child_samples": 20, "subsample": 0.8,
    "subsample_freq": 1, "colsample_bytree": 0.8, "reg_lambda": 3.0, "cat_smooth": 20.0, "cat_l2": 20.0,
    "early_stopping_rounds": 40,
}  # fmt: skip
# Where tuning begins: what tables of fine grain want.
BOLD: Params = {
    "num_leaves": 25, "learning_rate": 0.05, "min_child_samples": 8, "subsample": 0.85, "colsample_bytree": 0.9, "reg_lambda": 2.0,
    "reg_alpha": 0.01, "cat_smooth": 20.0, "cat_l2": 20.0,
}  # fmt: skip
ALWAYS: Params = {"objective": "binary", "metric": "binary_logloss", "verbosity": -1, "deterministic": True, "force_row_wise": True}
# Rounds that boosting goes on without a better log-loss on the watched rows; without this parameter it does not watch.
PATIENCE = "early_stopping_rounds"


@dataclass(frozen=True)
class Booster:
    """A trained booster and how many of its rounds count. `threads` 0 lets the library decide."""

    booster: Any  # lightgbm.Booster
    rounds: int
    threads: int = 0

    def cut(self, rounds: int) -> "Booster":
        return Booster(self.booster, max(1, min(rounds, self.rounds)), self.threads)

    def margins(self, matrix: Matrix) -> Floats:
        return np.asarray(self._predict(matrix, raw_score=True), dtype=np.float64)

    def contributions(self, matrix: Matrix) -> Floats:
        width = self.booster.num_feature() + 1
        return np.asarray(self._predict(matrix, pred_contrib=True), dtype=np.float64).reshape(len(matrix), width)

    def save(self, path: Path) -> None:
        """Writes LightGBM's own text format."""
        self.booster.save_model(path, num_iteration=self.rounds)

    def _predict(self, matrix: Matrix, **how: Any) -> Any:
        if not len(matrix):
            return np.zeros(0)
        return self.booster.predict(matrix, num_iteration=self.rounds, num_threads=self.threads, **how)


@dataclass(frozen=True)
class Lgbm:
    name: str = "lgbm"
    form: Form = Form.NATIVE
    file: str = "model.txt"
    fewest_rows: int = 200
    settings: tuple[Params, ...] = (CAUTIOUS,)
    bold: Params = field(default_factory=lambda: BOLD)

    def fit(self, examples: Examples, params: Params, *, seed: int, watch: Examples | None = None) -> Booster:
        import lightgbm

        rest = {name: value for name, value in params.items() if name not in ("n_estimators", PATIENCE)}
        watched = watch if PATIENCE in params else None
        threads = threads_for(len(examples.labels))
        train = _dataset(examples, threads)
        booster = lightgbm.train(
            {**ALWAYS, **rest, "seed": seed, "num_threads": threads},
            train,
            num_boost_round=params["n_estimators"],
            valid_sets=[_dataset(watched, threads, like=train)] if watched is not None else None,
            callbacks=[lightgbm.early_stopping(params[PATIENCE], verbose=False)] if watched is not None else None,
        )
        return Booster(booster, booster.best_iteration if watched is not None else booster.current_iteration(), threads)

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Parameters to try next, within what has worked on many tables."""
        return {
            "n_estimators": 2000,
            PATIENCE: CAUTIOUS[PATIENCE],
            "num_leaves": trial.suggest_int("num_leaves", 4, 96, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.015, 0.15, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 5, 200, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "subsample_freq": 1,
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.3, 50, log=True),
            "reg_alpha": trial.suggest_float("reg_alpha", 0.01, 10, log=True),
            "cat_smooth": trial.suggest_float("cat_smooth", 5, 100, log=True),
            "cat_l2": trial.suggest_float("cat_l2", 1, 100, log=True),
        }

    def load(self, path: Path) -> Booster:
        """For serving: one thread, since requests are many and rows are few."""
        import lightgbm

        booster = lightgbm.Booster(model_file=path)
        return Booster(booster, booster.current_iteration(), threads=1)


def _dataset(examples: Examples, threads: int, like: Any = None) -> Any:
    import lightgbm

    return lightgbm.Dataset(
        examples.matrix,
        label=examples.labels,
        categorical_feature=[place for place, column in enumerate(examples.columns) if column.levels],
        reference=like,
        free_raw_data=False,
        params={"verbosity": -1, "num_threads": threads},
    )


LEARNER = Lgbm()
