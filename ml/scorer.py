"""From a typed frame to log-odds and their factors: the members of a version, each with its cleaning, then calibration.

base + sum of the factors = the log-odds of the score, after calibration too.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.calibration import Calibration
from ml.features.inputs import Input
from ml.learners.base import Fitted
from ml.preparation.base import Floats, Form, Matrix
from ml.preparation.prepare import Preparation


@dataclass(frozen=True)
class Member:
    """One learner's part. A version with one member gives it the weight 1."""

    learner: str
    form: Form
    fitted: Fitted
    weight: float = 1.0


@dataclass(frozen=True)
class Scorer:
    """All that turns a row into a score. `intercept` belongs to the weighted sum of the members."""

    inputs: tuple[Input, ...]
    preparations: dict[Form, Preparation]
    members: tuple[Member, ...]
    intercept: float
    calibration: Calibration

    def margins(self, frame: pl.DataFrame) -> Floats:
        """A typed frame -> the calibrated log-odds of each row."""
        return self.calibration.apply(self.raw_margins(frame))

    def raw_margins(self, frame: pl.DataFrame) -> Floats:
        """The log-odds before calibration."""
        matrices = self._matrices(frame)
        total = np.full(len(frame), self.intercept)
        for member in self.members:
            total += member.weight * member.fitted.margins(matrices[member.form])
        return total

    def contributions(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """A typed frame -> rows x (inputs + 1): each input's share of the log-odds, the base value last."""
        matrices = self._matrices(frame)
        total = np.zeros((len(frame), len(self.inputs) + 1))
        total[:, -1] = self.intercept
        for member in self.members:
            shares = member.fitted.contributions(matrices[member.form])
            total += member.weight * (shares @ self._grouping(member.form))
        return self.calibration.contributions(total)

    def knows(self, name: str, values: pl.Series) -> bool:
        """Whether any of an input's values is there and, for a category, one that training had seen."""
        if values.null_count() == len(values):
            return False
        levels = {level for one in self.preparations.values() for level in one.levels_of(name)}
        return not levels or bool(values.is_in(list(levels)).any())

    def _matrices(self, frame: pl.DataFrame) -> dict[Form, Matrix]:
        return {form: self.preparations[form].apply(frame) for form in {member.form for member in self.members}}

    def _grouping(self, form: Form) -> NDArray[np.float64]:
        """(columns + 1) x (inputs + 1), 1 where a column of the matrix comes from an input; the base stays the base."""
        place = {column.name: number for number, column in enumerate(self.inputs)}
        columns = self.preparations[form].columns
        grouping = np.zeros((len(columns) + 1, len(self.inputs) + 1))
        for number, column in enumerate(columns):
            grouping[number, place[column.input]] = 1.0
        grouping[-1, -1] = 1.0
        return grouping
