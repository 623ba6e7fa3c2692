"""Asks one model about one entity, outside the loop: nothing is stored and nothing is delivered."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict

from automation import knowledge
from automation.pipeline.context import Loop, properties_of
from data.domain.entity import EntityRef
from data.domain.prediction import Factor, Grade, Label, Observed, Probability, grade, label
from data.domain.traffic import Variant
from data.errors import NotFound
from data.warehouse import entities
from ml import copies
from ml.features.build import build, needs_related
from ml.features.facts import EXAMPLES
from ml.models.registry import MODELS
from ml.serving.predictor import Choice, Served


class Answered(BaseModel):
    """One version's answer; `base_value` and `factors` are None where no explanation was asked for."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    prediction: Probability
    confidence: Probability
    label: Label
    grade: Grade
    threshold: Probability
    model: str
    model_version: str
    variant: Variant
    base_value: float | None = None
    factors: tuple[Factor, ...] | None = None
    learner: str
    """Which made the version; `prior` is the base rate alone."""
    observed: Observed | None
    """How unseen rows of this grade turned out."""


def ask(loop: Loop, model: str, *, entity: EntityRef | None, features: Mapping[str, Any] | None, explain: bool) -> Answered:
    """By the features given (a wrong type is an error), or by what is known of the entity.

    Raises:
        NotReady: the model has no champion. NotFound: no such model, or nothing is known of the entity. BadInput: names the field.
    """
    _check_that_it_is_one(loop, model)
    choice = loop.predictor.choose(model, None if entity is None else str(entity))
    row, strictly = (_known(loop, choice.served, entity), False) if features is None else (features, True)
    if explain:
        found = choice.served.predict([row], strictly=strictly)[0]
        told = found.model_dump(include=TAKEN)
        return Answered(prediction=found.score, **{**told, **_behind(choice, found.grade), "variant": choice.variant})
    return _unexplained(choice, float(choice.served.scores([row], strictly=strictly)[0]))


def _check_that_it_is_one(loop: Loop, model: str) -> None:
    """A model that may yet get a champion is not ready; a name that nobody has given to one is a mistake."""
    if model in MODELS or model in loop.predictor.served():
        return
    if model not in (known := copies.models(loop.settings.models_dir)):
        raise NotFound(f"there is no such model; there are {', '.join(sorted({*MODELS, *known}))}", field="model")


TAKEN = set(Answered.model_fields) - {"prediction"}


def _unexplained(choice: Choice, score: float) -> Answered:
    card, threshold = choice.served.card, choice.served.threshold
    letter = grade(score, card.base_rate)
    return Answered(
        prediction=score,
        confidence=max(score, 1 - score),
        label=label(score, threshold),
        grade=letter,
        threshold=threshold,
        model=card.model,
        model_version=card.version,
        variant=choice.variant,
        **_behind(choice, letter),
    )


def _behind(choice: Choice, letter: Grade) -> dict[str, Any]:
    """What made the answer, and how far it can be trusted."""
    return {"learner": choice.served.card.learner, "observed": choice.served.observed(letter)}


def _known(loop: Loop, served: Served, entity: EntityRef | None) -> Mapping[str, Any]:
    """The features of an entity as of now."""
    if entity is not None:
        inputs = served.card.input_names
        with loop.database.read() as session:
            if (found := entities.find(session, entity)) is not None and found.id is not None:
                related = needs_related(served.card.model, inputs)
                facts = knowledge.recall(session, [found.id], properties_of([served]), related=related)
                asked = pl.DataFrame([(found.id, loop.clock.now())], schema=EXAMPLES, orient="row")
                return dict(build(served.card.model, asked, facts, wanted=inputs, norms=served.card.norms).row(0, named=True))
    raise NotFound(f"nothing is known of {entity}: send its features", field="entity")
