"""One version in memory, ready to answer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.domain.prediction import Factor, Prediction, grade, label
from ml.features.build import build
from ml.features.inputs import typed_rows
from ml.learners.base import probability
from ml.preparation.base import Floats
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
        built = [build(self.card.model, row) for row in rows]
        shares = self.version.scorer.contributions(typed_rows(self.card.inputs, built, strictly=strictly))
        return [self._prediction(row, parts) for row, parts in zip(built, shares.tolist(), strict=True)]

    def scores(self, rows: Sequence[Mapping[str, Any]], *, strictly: bool = False) -> Floats:
        """One score per row, without its factors."""
        built = [build(self.card.model, row) for row in rows]
        return probability(self.version.scorer.margins(typed_rows(self.card.inputs, built, strictly=strictly)))

    def knows_nothing_of(self, row: Mapping[str, Any]) -> bool:
        """Whether every feature of this row is missing or unseen: a score of it would say nothing."""
        typed = typed_rows(self.card.inputs, [build(self.card.model, row)])
        return not any(self.version.scorer.knows(name, typed[name]) for name in typed.columns)

    def _prediction(self, row: Mapping[str, Any], parts: list[float]) -> Prediction:
        *each, base = parts
        score = 1 / (1 + math.exp(-(base + math.fsum(each))))
        names = [column.name for column in self.card.inputs]
        factors = [Factor(feature=name, value=row.get(name), contribution=part) for name, part in zip(names, each, strict=True)]
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
