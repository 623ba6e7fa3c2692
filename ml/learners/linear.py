"""What straight lines learn: one weight per column. Its factors are exact, column by column."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.preparation.base import Floats, Matrix


@dataclass(frozen=True)
class Line:
    """Log-odds = intercept + weights . columns. The columns are centred, so the intercept is the average row's."""

    weights: Floats
    intercept: float

    def margins(self, matrix: Matrix) -> Floats:
        return np.asarray(matrix @ self.weights + self.intercept, dtype=np.float64)

    def contributions(self, matrix: Matrix) -> Floats:
        return np.column_stack([matrix * self.weights, np.full(len(matrix), self.intercept)])

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"weights": self.weights.tolist(), "intercept": self.intercept}))


def load(path: Path) -> Line:
    stored = json.loads(path.read_text())
    return Line(np.array(stored["weights"], dtype=np.float64), float(stored["intercept"]))
