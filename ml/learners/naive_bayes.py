"""Naive Bayes over binned columns (scikit-learn's CategoricalNB): each column's log-likelihood ratio simply adds up."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ml.learners.base import Examples, Params, shift_to_level
from ml.preparation.base import Floats, Form, Ints, Matrix


@dataclass(frozen=True)
class Ratios:
    """Per column, the log-likelihood ratio of each code, less its average in training; the average row's log-odds."""

    tables: tuple[Floats, ...]
    intercept: float

    def margins(self, matrix: Matrix) -> Floats:
        return np.asarray(self.contributions(matrix).sum(axis=1), dtype=np.float64)

    def contributions(self, matrix: Matrix) -> Floats:
        shares = [table[matrix[:, place].astype(np.int64)] for place, table in enumerate(self.tables)]
        return np.column_stack([*shares, np.full(len(matrix), self.intercept)])

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"tables": [table.tolist() for table in self.tables], "intercept": self.intercept}))


@dataclass(frozen=True)
class NaiveBayes:
    name: str = "naive_bayes"
    form: Form = Form.BINNED
    file: str = "naive_bayes.json"
    fewest_rows: int = 10
    # `alpha`: so many made-up rows of each code in each class; columns that repeat each other need many.
    settings: tuple[Params, ...] = ({"alpha": 10.0}, {"alpha": 1.0})

    def fit(self, examples: Examples, params: Params, *, seed: int, watch: Examples | None = None) -> Ratios:
        from sklearn.naive_bayes import CategoricalNB

        codes: Ints = examples.matrix.astype(np.int64)
        levels = [column.levels for column in examples.columns]
        fitted = CategoricalNB(alpha=params["alpha"], min_categories=levels).fit(codes, examples.labels)
        tables = [np.asarray(table[1] - table[0], dtype=np.float64) for table in fitted.feature_log_prob_]
        averages = [float(table[codes[:, place]].mean()) for place, table in enumerate(tables)]
        prior = float(fitted.class_log_prior_[1] - fitted.class_log_prior_[0])
        centred = tuple(table - average for table, average in zip(tables, averages, strict=True))
        counted = Ratios(centred, prior + sum(averages))
        # Columns that say the same are counted as often as they say it, and the level goes astray with them.
        return replace(counted, intercept=counted.intercept + shift_to_level(counted.margins(examples.matrix), examples.labels))

    def load(self, path: Path) -> Ratios:
        stored = json.loads(path.read_text())
        return Ratios(tuple(np.array(table, dtype=np.float64) for table in stored["tables"]), float(stored["intercept"]))


LEARNER = NaiveBayes()
