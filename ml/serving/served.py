"""One version in memory, ready to answer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from data.domain.prediction import Factor, Grade, Observed, Prediction, grade, label
from ml.features.build import from_properties
from ml.features.inputs import typed_rows
from ml.learners.base import probability
from ml.preparation.base import Floats
from ml.serving.batch import with_moments
from ml.serving.explain import points
from ml.version import Card, Version


@dataclass(frozen=True)
class Served:
    """One loaded version with the threshold that applies to it."""

    version: Version
    threshold: float

    @property
    def card(self) -> Card:
        return self.version.card

    def predict(self, rows: Sequence[Mapping[str, Any]], *, strictly: bool = False) -> list[Prediction]:
        """One prediction per row of features. `strictly`: a value of the wrong kind is an error, not missing.

        Raises:
            BadInput: strictly only; names the field.
        """
        if not rows:
            return []
        built = [from_properties(self.card.model, row) for row in rows]
        shares = self.version.scorer.contributions(self._typed(built, strictly=strictly))
        moved = points(shares)
        return [self._prediction(*one) for one in zip(built, shares.tolist(), moved.tolist(), strict=True)]

    def scores(self, rows: Sequence[Mapping[str, Any]], *, strictly: bool = False) -> Floats:
        """One score per row, without its factors."""
        built = [from_properties(self.card.model, row) for row in rows]
        return probability(self.version.scorer.margins(self._typed(built, strictly=strictly)))

    def knows_nothing_of(self, row: Mapping[str, Any]) -> bool:
        """Whether every feature of this row is missing or unseen: a score of it would say nothing."""
        typed = typed_rows(self.card.inputs, [from_properties(self.card.model, row)])
        return not any(self.version.scorer.knows(name, typed[name]) for name in typed.columns)

    def observed(self, letter: Grade) -> Observed | None:
        """What became of the rows of this grade that judged the version; None where there was none."""
        return next((one for one in self.card.observed if one.grade is letter), None)

    def _typed(self, rows: Sequence[Mapping[str, Any]], *, strictly: bool) -> pl.DataFrame:
        return with_moments(self.card, typed_rows(self.card.columns, rows, strictly=strictly))

    def _prediction(self, row: Mapping[str, Any], parts: list[float], moved: list[float]) -> Prediction:
        *each, base = parts
        score = 1 / (1 + math.exp(-(base + math.fsum(each))))
        names = self.card.input_names
        factors = [
            Factor(feature=name, value=row.get(name), contribution=part, points=by)
            for name, part, by in zip(names, each, moved, strict=True)
        ]
        return Prediction(
            model=self.card.model,
            model_version=self.card.version,
            score=score,
            label=label(score, self.threshold),
            grade=grade(score, self.card.base_rate),
            threshold=self.threshold,
            confidence=max(score, 1 - score),
            base_value=base,
            factors=tuple(sorted(factors, key=lambda factor: -abs(factor.contribution))),
        )
