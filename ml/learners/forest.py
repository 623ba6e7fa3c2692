"""Random forest: many deep trees on resampled rows and columns, grown and explained by XGBoost.

The trees' average is a probability; its TreeSHAP shares add up there, and are carried over to log-odds row by row
(`rescaled`). Breiman 2001, "Random forests".
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost

from ml.learners import xgb
from ml.learners.base import Examples, Params, log_odds, rescaled, threads_for
from ml.preparation.base import Floats, Form, Matrix

ALWAYS: Params = {
    "objective": "reg:squarederror", "learning_rate": 1.0, "reg_lambda": 0.0, "tree_method": "hist", "max_cat_to_onehot": 8
}  # fmt: skip
BAGGED_SHARE = 0.632  # the share of different rows in a bootstrap sample


@dataclass(frozen=True)
class Trees:
    """The forest as a booster of one round that predicts probabilities."""

    booster: xgb.Booster

    def margins(self, matrix: Matrix) -> Floats:
        return log_odds(self.booster.margins(matrix))

    def contributions(self, matrix: Matrix) -> Floats:
        shares = self.booster.contributions(matrix)
        base = shares[:, -1]
        return rescaled(shares, log_odds(base), log_odds(base + shares[:, :-1].sum(axis=1)))

    def save(self, path: Path) -> None:
        self.booster.save(path)


@dataclass(frozen=True)
class Forest:
    name: str = "forest"
    form: Form = Form.NATIVE
    file: str = "forest.json"
    fewest_rows: int = 200
    settings: tuple[Params, ...] = ({"trees": 300, "max_depth": 10, "min_child_weight": 5},)

    def fit(self, examples: Examples, params: Params, *, seed: int, watch: Examples | None = None) -> Trees:
        how = {
            **ALWAYS,
            "max_depth": params["max_depth"],
            "min_child_weight": params["min_child_weight"],
            "num_parallel_tree": params["trees"],
            "subsample": BAGGED_SHARE,
            "colsample_bynode": min(1.0, max(0.3, np.sqrt(len(examples.columns)) / max(len(examples.columns), 1))),
            "base_score": float(examples.labels.mean()),
            "seed": seed,
            "nthread": threads_for(len(examples.labels)),
        }
        data = xgb.dmatrix(examples.columns, examples.matrix, examples)
        return Trees(xgb.Booster(xgboost.train(how, data, num_boost_round=1), examples.columns))

    def load(self, path: Path) -> Trees:
        return Trees(xgb.LEARNER.load(path))


LEARNER = Forest()
