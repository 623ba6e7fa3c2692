"""TABLE of what predictions look like: one schema for each kind of answer. Each model names its own.

A model that answers with a value, a time or a class gets a shape of its own here, and the checks that go with it.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from data.domain.prediction import Prediction
from data.errors import BadInput, LeadloopError
from ml.models.prediction_checks import OF_A_PROBABILITY, OF_ANY_PREDICTION, Check, Given, fault_of


@dataclass(frozen=True)
class PredictionSchema:
    """`shape` has the fields with their types and ranges; `checks` are what must hold between them, in their order."""

    name: str
    means: str
    shape: type[Prediction]
    checks: tuple[Check, ...]

    def read(self, raw: Any) -> Prediction:
        """A prediction from JSON.

        Raises:
            BadInput: a field is missing, or of another type or range; `field` names it.
        """
        try:
            return self.shape.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise BadInput(first["msg"], field=".".join(map(str, first["loc"])) or None) from None

    def fault(self, given: Given) -> LeadloopError | None:
        """What is wrong with a prediction of this shape, or None; `field` names the place."""
        return fault_of(self.checks, given)


PROBABILITY = PredictionSchema(
    "probability",
    "The probability that something comes about, with a label, a grade and the factors that make it up.",
    Prediction,
    (*OF_ANY_PREDICTION, *OF_A_PROBABILITY),
)

SCHEMAS: dict[str, PredictionSchema] = {schema.name: schema for schema in (PROBABILITY,)}
