"""Logistic regression with a ridge penalty (scikit-learn)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.learners import linear
from ml.learners.base import Examples, Params
from ml.learners.linear import Line
from ml.preparation.base import Form

MOST_ITERATIONS = 2000


@dataclass(frozen=True)
class Logistic:
    name: str = "logistic"
    form: Form = Form.SCALED
    file: str = "logistic.json"
    fewest_rows: int = 10
    # `C`, the inverse of the penalty, against the sum of the losses: small tables need the small ones.
    settings: tuple[Params, ...] = ({"C": 0.01}, {"C": 0.1}, {"C": 1.0})

    def fit(self, examples: Examples, params: Params, *, seed: int, watch: Examples | None = None) -> Line:
        from sklearn.linear_model import LogisticRegression

        fitted = LogisticRegression(C=params["C"], max_iter=MOST_ITERATIONS, random_state=seed)
        fitted.fit(examples.matrix, examples.labels)
        return Line(np.asarray(fitted.coef_[0], dtype=np.float64), float(fitted.intercept_[0]))

    def load(self, path: Path) -> Line:
        return linear.load(path)


LEARNER = Logistic()
