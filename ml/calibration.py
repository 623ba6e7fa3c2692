"""Calibration as a version carries it: from a learner's log-odds to log-odds that can be taken at their word."""

from enum import StrEnum

import numpy as np
from pydantic import BaseModel, ConfigDict

from ml.learners.base import carried
from ml.preparation.base import Floats


class CalibrationKind(StrEnum):
    NONE = "none"
    SIGMOID = "sigmoid"
    ISOTONIC = "isotonic"


class Calibration(BaseModel):
    """A monotone map of log-odds. `least` and `most` bound the answer: nothing open is ever shown as 0 or 100 %."""

    model_config = ConfigDict(frozen=True)

    kind: CalibrationKind = CalibrationKind.NONE
    slope: float = 1.0
    intercept: float = 0.0
    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()
    least: float = -13.0
    most: float = 13.0

    def apply(self, margins: Floats) -> Floats:
        if self.kind is CalibrationKind.ISOTONIC:
            bent = np.interp(margins, self.xs, self.ys)
        else:
            bent = self.slope * margins + self.intercept
        return np.clip(bent, self.least, self.most)

    def contributions(self, shares: Floats) -> Floats:
        """Shares of the learner's log-odds, base last -> shares of the calibrated log-odds."""
        bent = carried(shares, self.apply)
        if self.kind is CalibrationKind.ISOTONIC:
            return bent
        # A straight map stretches every row's shares alike, except where the answer is cut off at a bound.
        calibrated = self.apply(shares.sum(axis=1))
        cut_off = (calibrated <= self.least) | (calibrated >= self.most)
        kept = np.where(cut_off[:, None], bent[:, :-1], shares[:, :-1] * self.slope)
        return np.column_stack([kept, calibrated - kept.sum(axis=1)])
