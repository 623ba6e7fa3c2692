"""What every model says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from data.domain.entity import EntityKind
from ml.learners.base import Params
from ml.learners.registry import LEARNERS
from ml.models.prediction_schema import PROBABILITY, PredictionSchema


def _every_learner() -> Mapping[str, Sequence[Params]]:
    return {name: learner.settings for name, learner in LEARNERS.items()}


@dataclass(frozen=True)
class Model:
    """What is predicted, of what, and under which MLflow experiment its trainings are logged.

    `learners`: who may compete, with the parameters to start with. `schema`: what its predictions look like.
    """

    name: str
    title: str
    entity: EntityKind
    target: str
    experiment: str
    learners: Mapping[str, Sequence[Params]] = field(default_factory=_every_learner)
    schema: PredictionSchema = PROBABILITY


def of_user_table(name: str, target: str) -> Model:
    """A model on a user's own table: a lead score of contacts under the user's name for it."""
    return Model(name, f"{target} (own table)", EntityKind.CONTACT, target, experiment=f"Own table {name}")
