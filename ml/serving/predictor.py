"""The predictor: the served versions in memory, and the one function that turns features into predictions.

Serving starts from local copies under `models_dir`, so it needs neither MLflow nor its server to answer. A new
champion is loaded beside the old one and swapped in by one assignment: a request sees the one or the other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.domain.prediction import Factor, Prediction, grade, label
from data.errors import NotFound, NotReady
from ml.features.build import from_properties
from ml.features.inputs import Input, typed_rows
from ml.serving.batch import with_moments
from ml.serving.explain import points
from ml.version import CHAMPION, Card, Version, is_plain, load, read_card


@dataclass(frozen=True)
class Served:
    """One loaded version with the threshold that applies to it."""

    version: Version
    threshold: float

    @property
    def card(self) -> Card:
        return self.version.card

    @property
    def _columns(self) -> tuple[Input, ...]:
        return self.card.inputs + ((self.card.moment,) if self.card.moment else ())

    def predict(self, rows: Sequence[Mapping[str, Any]], *, strictly: bool = False) -> list[Prediction]:
        """One prediction per row of features. `strictly`: a value of the wrong kind is an error, not missing.

        Raises:
            BadInput: strictly only; names the field.
        """
        if not rows:
            return []
        built = [from_properties(self.card.model, row) for row in rows]
        typed = with_moments(self.card, typed_rows(self._columns, built, strictly=strictly))
        shares = self.version.scorer.contributions(typed)
        moved = points(shares)
        return [self._prediction(*one) for one in zip(built, shares.tolist(), moved.tolist(), strict=True)]

    def knows_nothing_of(self, row: Mapping[str, Any]) -> bool:
        """Whether every feature of this row is missing or unseen: a score of it would say nothing."""
        typed = typed_rows(self.card.inputs, [from_properties(self.card.model, row)])
        return not any(self.version.scorer.knows(name, typed[name]) for name in typed.columns)

    def _prediction(self, row: Mapping[str, Any], parts: list[float], moved: list[float]) -> Prediction:
        *each, base = parts
        score = 1 / (1 + math.exp(-(base + math.fsum(each))))
        names = [column.name for column in self.card.inputs]
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


class Predictor:
    """The champions of all models. Safe to use from many threads."""

    def __init__(self, models_dir: Path, *, hot_threshold: float | str, hot_share: float) -> None:
        self._models_dir = models_dir
        self._hot_threshold, self._hot_share = hot_threshold, hot_share
        self._served: dict[str, Served] = {}

    def champion(self, model: str) -> Served:
        """The served version.

        Raises:
            NotReady: the model has none.
        """
        if (served := self._served.get(model)) is None:
            raise NotReady(f"model {model} has no champion yet: run `leadloop train {model} --sample`, or train on your own table")
        return served

    def served(self) -> dict[str, Served]:
        return dict(self._served)

    def card(self, model: str, version: str) -> Card:
        """The card of any version that this machine has a copy of.

        Raises:
            NotFound: the model or the version is unknown here.
        """
        served = self._served.get(model)
        if served is not None and served.card.version == version:
            return served.card
        folder = self._folder(model, version)
        if folder is None or not (folder / "card.json").is_file():
            raise NotFound(f"model {model!r} has no version {version!r} here")
        return read_card(folder)

    def refresh(self) -> list[str]:
        """Loads what the local champion pointers name; returns the models that changed.

        A version that cannot be loaded leaves the old one in place; its error is raised when the others are loaded.
        """
        changed, broken = [], None
        for pointer in sorted(self._models_dir.glob(f"*/{CHAMPION}")):
            model, version = pointer.parent.name, pointer.read_text().strip()
            if (old := self._served.get(model)) is not None and old.card.version == version:
                continue
            try:
                self._served = {**self._served, model: self._load(pointer.parent / version)}
            except Exception as error:
                broken = broken or error
                continue
            changed.append(model)
        if broken is not None:
            raise broken
        return changed

    def _load(self, folder: Path) -> Served:
        version = load(folder)
        served = Served(version, version.card.threshold(self._hot_threshold, self._hot_share))
        served.predict([{}])  # The first prediction pays for the library's own set-up; a request should not.
        return served

    def _folder(self, model: str, version: str) -> Path | None:
        if not (is_plain(model) and is_plain(version)):
            return None
        return self._models_dir / model / version
