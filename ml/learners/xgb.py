"""Gradient-boosted trees by XGBoost: native categories, native missing values, exact TreeSHAP contributions.

References: Chen and Guestrin 2016, "XGBoost: A Scalable Tree Boosting System"; Lundberg and others 2020, "From
local explanations to global understanding with explainable AI for trees" (the contributions).
"""

from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from ml.features.inputs import Input

Matrix = NDArray[np.float64]
FILE = "model.json"

# The documented baseline: shallow trees, a slow rate, a hundred of them.
BASELINE: dict[str, Any] = {"max_depth": 5, "learning_rate": 0.1, "n_estimators": 100}
# A level of a category that is hardly ever seen must not get a leaf of its own.
REGULARISATION: dict[str, Any] = {"min_child_weight": 5, "max_cat_to_onehot": 8, "tree_method": "hist"}


def parameters(overrides: dict[str, Any] | None = None, *, seed: int) -> dict[str, Any]:
    return {**BASELINE, **REGULARISATION, **(overrides or {}), "objective": "binary:logistic", "seed": seed}


def fit(columns: tuple[Input, ...], matrix: Matrix, labels: NDArray[np.int64], params: dict[str, Any]) -> xgboost.Booster:
    """Fits a booster. `matrix` is rows x columns, categories as codes, NaN where missing; `labels` 0 or 1."""
    rest = {name: value for name, value in params.items() if name != "n_estimators"}
    return xgboost.train(rest, _dmatrix(columns, matrix, labels), num_boost_round=params["n_estimators"])


def contributions(booster: xgboost.Booster, columns: tuple[Input, ...], matrix: Matrix) -> Matrix:
    """Log-odds per row and column, the base value in the last column: rows x (columns + 1). A row's sum is its margin."""
    if not len(matrix):
        return np.zeros((0, len(columns) + 1))
    return np.asarray(booster.predict(_dmatrix(columns, matrix), pred_contribs=True), dtype=np.float64)


def save(booster: xgboost.Booster, folder: Path) -> Path:
    """Writes XGBoost's own JSON format."""
    path = folder / FILE
    booster.save_model(path)
    return path


def load(folder: Path) -> xgboost.Booster:
    """Reads it back for serving: one thread, since requests are many and rows are few."""
    booster = xgboost.Booster(model_file=folder / FILE)
    booster.set_param({"nthread": 1})
    return booster


def _dmatrix(columns: tuple[Input, ...], matrix: Matrix, labels: NDArray[np.int64] | None = None) -> xgboost.DMatrix:
    return xgboost.DMatrix(
        matrix,
        label=labels,
        missing=np.nan,
        feature_names=[column.name for column in columns],
        feature_types=[column.xgboost_type for column in columns],
        enable_categorical=True,
    )
