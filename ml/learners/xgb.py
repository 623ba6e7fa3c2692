"""Gradient-boosted trees by XGBoost: native categories, native missing values, exact TreeSHAP contributions.

References: Chen and Guestrin 2016, "XGBoost: A Scalable Tree Boosting System"; Lundberg and others 2020, "From
local explanations to global understanding with explainable AI for trees" (the contributions).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from ml.learners.base import Examples, Params, threads_for
from ml.preparation.base import Column, Floats, Form, Matrix

# The documented baseline: shallow trees, a slow rate, a hundred of them.
BASELINE: Params = {"max_depth": 5, "learning_rate": 0.1, "n_estimators": 100, "min_child_weight": 5}
# For tables of unknown size: shallower and slower, each tree on part of the rows and columns, as many as still help.
CAUTIOUS: Params = {
    "max_depth": 4, "learning_rate": 0.05, "n_estimators": 1000, "min_child_weight": 5,
    "subsample": 0.8, "colsample_bytree": 0.8, "reg_lambda": 3.0, "early_stopping_rounds": 40,
}  # fmt: skip
# Where tuning begins: what tables of fine grain want.
BOLD: Params = {
    "max_depth": 6, "learning_rate": 0.05, "min_child_weight": 1.0, "subsample": 0.85, "colsample_bytree": 0.7, "reg_lambda": 3.0,
    "reg_alpha": 0.01,
}  # fmt: skip
# A level of a category that is hardly ever seen must not get a leaf of its own.
ALWAYS: Params = {"max_cat_to_onehot": 8, "tree_method": "hist", "objective": "binary:logistic"}
REFUSED = str.maketrans("[]<", "() ")
# Rounds that boosting goes on without a better log-loss on the watched rows; without this parameter it does not watch.
PATIENCE = "early_stopping_rounds"


@dataclass(frozen=True)
class Booster:
    """A trained booster. Its numbers are 32-bit; the base value takes up what they lose, so that contributions add up."""

    booster: xgboost.Booster
    columns: tuple[Column, ...]

    @property
    def rounds(self) -> int:
        return int(self.booster.num_boosted_rounds())

    def cut(self, rounds: int) -> "Booster":
        return Booster(self.booster[: max(1, min(rounds, self.rounds))], self.columns)

    def margins(self, matrix: Matrix) -> Floats:
        return np.asarray(self._predict(matrix, output_margin=True), dtype=np.float64)

    def contributions(self, matrix: Matrix) -> Floats:
        if not len(matrix):
            return np.zeros((0, len(self.columns) + 1))
        data = dmatrix(self.columns, matrix)
        shares = np.asarray(self.booster.predict(data, pred_contribs=True), dtype=np.float64)
        shares[:, -1] = np.asarray(self.booster.predict(data, output_margin=True), dtype=np.float64) - shares[:, :-1].sum(axis=1)
        return shares

    def save(self, path: Path) -> None:
        """Writes XGBoost's own JSON format."""
        self.booster.save_model(path)

    def _predict(self, matrix: Matrix, **how: Any) -> Any:
        return self.booster.predict(dmatrix(self.columns, matrix), **how) if len(matrix) else np.zeros(0)


@dataclass(frozen=True)
class Xgb:
    name: str = "xgb"
    form: Form = Form.NATIVE
    file: str = "model.json"
    fewest_rows: int = 200
    settings: tuple[Params, ...] = (CAUTIOUS,)
    bold: Params = field(default_factory=lambda: BOLD)

    def fit(self, examples: Examples, params: Params, *, seed: int, watch: Examples | None = None) -> Booster:
        rest = {name: value for name, value in params.items() if name not in ("n_estimators", PATIENCE)}
        watched = watch is not None and PATIENCE in params
        evals = [(dmatrix(watch.columns, watch.matrix, watch), "watched")] if watch is not None and watched else []
        booster = xgboost.train(
            {**ALWAYS, **rest, "seed": seed, "nthread": threads_for(len(examples.labels))},
            dmatrix(examples.columns, examples.matrix, examples),
            num_boost_round=params["n_estimators"],
            evals=evals,
            early_stopping_rounds=params[PATIENCE] if evals else None,
            verbose_eval=False,
        )
        fitted = Booster(booster, examples.columns)
        return fitted.cut(booster.best_iteration + 1) if evals else fitted

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Parameters to try next, within what has worked on many tables."""
        return {
            "n_estimators": 2000,
            PATIENCE: CAUTIOUS[PATIENCE],
            "max_depth": trial.suggest_int("max_depth", 2, 8),
            "learning_rate": trial.suggest_float("learning_rate", 0.015, 0.15, log=True),
            "min_child_weight": trial.suggest_float("min_child_weight", 1, 50, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.3, 50, log=True),
            "reg_alpha": trial.suggest_float("reg_alpha", 0.01, 10, log=True),
        }

    def load(self, path: Path) -> Booster:
        """For serving: one thread, since requests are many and rows are few."""
        booster = xgboost.Booster(model_file=path)
        booster.set_param({"nthread": 1})
        return Booster(booster, read_columns(booster))


def read_columns(booster: xgboost.Booster) -> tuple[Column, ...]:
    """The columns that a booster's own file names."""
    names, kinds = booster.feature_names or [], booster.feature_types or []
    return tuple(Column(name=name, input=name, levels=int(kind == "c")) for name, kind in zip(names, kinds, strict=True))


def _names(columns: tuple[Column, ...]) -> list[str]:
    """The columns' names, without the characters that XGBoost refuses and each of them once."""
    names = [column.name.translate(REFUSED) for column in columns]
    return names if len(set(names)) == len(names) else [f"{name} #{place}" for place, name in enumerate(names)]


def dmatrix(columns: tuple[Column, ...], matrix: Matrix, labelled: Examples | None = None) -> xgboost.DMatrix:
    return xgboost.DMatrix(
        matrix,
        label=None if labelled is None else labelled.labels,
        missing=np.nan,
        feature_names=_names(columns),
        feature_types=["c" if column.levels else "float" for column in columns],
        enable_categorical=True,
        nthread=threads_for(len(matrix)) or None,
    )


LEARNER = Xgb()
