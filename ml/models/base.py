"""What every model says of itself."""

from dataclasses import dataclass

from data.domain.entity import EntityKind


@dataclass(frozen=True)
class Model:
    """What is predicted, of what, and under which MLflow experiment its trainings are logged."""

    name: str
    title: str
    entity: EntityKind
    target: str
    experiment: str
    learner: str = "xgb"


def of_user_table(name: str, target: str) -> Model:
    """A model on a user's own table: a lead score of contacts under the user's name for it."""
    return Model(name, f"{target} (own table)", EntityKind.CONTACT, target, experiment=f"Own table {name}")
