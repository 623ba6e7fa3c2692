"""Linear support-vector machine (scikit-learn's LinearSVC), its distance turned into log-odds by Platt's scaling.

Linear, because the distance then falls apart into the columns exactly. Platt 1999, "Probabilistic outputs for support
vector machines": the sigmoid is fitted on distances to rows that the machine has not seen.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.learners import linear, prior
from ml.learners.base import Examples, Params
from ml.learners.linear import Line
from ml.preparation.base import Form

MOST_ITERATIONS = 5000
SCALING_FOLDS = 3
FEWEST_OF_A_CLASS = 2  # one to learn from, one to scale by
SCALING_PENALTY = 1.0  # keeps the sigmoid's slope finite where few rows are told apart wholly


@dataclass(frozen=True)
class Svm:
    name: str = "svm"
    form: Form = Form.SCALED
    file: str = "svm.json"
    fewest_rows: int = 100
    settings: tuple[Params, ...] = ({"C": 0.01},)

    def fit(self, examples: Examples, params: Params, *, seed: int, watch: Examples | None = None) -> Line:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_predict
        from sklearn.svm import LinearSVC

        rarer = int(np.bincount(examples.labels, minlength=2).min())
        if rarer < FEWEST_OF_A_CLASS:
            return prior.LEARNER.fit(examples, {}, seed=seed)
        machine = LinearSVC(C=params["C"], dual=False, max_iter=MOST_ITERATIONS, random_state=seed)
        folds = StratifiedKFold(min(SCALING_FOLDS, rarer), shuffle=True, random_state=seed)
        distances = cross_val_predict(machine, examples.matrix, examples.labels, cv=folds, method="decision_function")
        sigmoid = LogisticRegression(C=SCALING_PENALTY).fit(distances[:, None], examples.labels)
        slope, shift = float(sigmoid.coef_[0, 0]), float(sigmoid.intercept_[0])
        if slope <= 0:  # on unseen rows it is worse than chance: turned round it would be no better
            return prior.LEARNER.fit(examples, {}, seed=seed)
        machine.fit(examples.matrix, examples.labels)
        weights = np.asarray(machine.coef_[0], dtype=np.float64)
        return Line(slope * weights, slope * float(machine.intercept_[0]) + shift)

    def load(self, path: Path) -> Line:
        return linear.load(path)


LEARNER = Svm()
