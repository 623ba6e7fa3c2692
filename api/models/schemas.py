"""What the doors to the models take and give."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from automation.models import ModelState, Monitored, VersionState
from data.domain.traffic import Mode, Traffic
from ml.models.prediction_schema import PredictionSchema
from ml.serving.predictor import Served
from ml.training.verdict import Verdict


class ModelOut(BaseModel):
    """A model and the version that serves now; `champion` is the one that should, where it could not be loaded."""

    model_config = ConfigDict(protected_namespaces=())

    model: str
    version: str | None
    learner: str | None
    threshold: float | None
    base_rate: float | None
    inputs: list[str]
    metrics: dict[str, float]
    trained_at: datetime | None
    champion: str | None
    challenger: str | None
    traffic: Traffic | None
    load_error: str | None

    @classmethod
    def of(cls, state: ModelState, served: Served | None) -> "ModelOut":
        found = state.model_dump(include={"model", "champion", "challenger", "traffic", "load_error"})
        if served is None:
            nothing = dict.fromkeys(("version", "learner", "threshold", "base_rate", "trained_at"))
            return cls.model_validate({**found, **nothing, "inputs": [], "metrics": {}})
        fields = served.card.model_dump(include={"version", "learner", "base_rate", "metrics", "trained_at"})
        inputs = served.card.input_names
        return cls.model_validate({**found, **fields, "threshold": served.threshold, "inputs": inputs})


class CheckOut(BaseModel):
    """One thing that must hold of a prediction; `status` of what does not pass."""

    name: str
    means: str
    status: int


class PredictionSchemaOut(BaseModel):
    """What the model's predictions look like (`shape`, a JSON Schema), and what is checked of one that is handed in."""

    name: str
    means: str
    shape: dict[str, Any]
    checks: list[CheckOut]

    @classmethod
    def of(cls, schema: PredictionSchema) -> "PredictionSchemaOut":
        checks = [CheckOut(name=check.name, means=check.means, status=check.status) for check in schema.checks]
        return cls(name=schema.name, means=schema.means, shape=schema.shape.model_json_schema(), checks=checks)


class ModelDetailOut(ModelOut):
    """The same with the versions that are here, what the gate said of each, and what the outcomes say so far.

    `monitoring`: drift (the worst input first) and live performance at the last look, and the last training with its reason.
    `prediction_schema`: what `POST /collect/predictions` takes for this model.
    """

    versions: list[VersionState]
    verdict: Verdict | None
    monitoring: Monitored
    prediction_schema: PredictionSchemaOut


class PromoteIn(BaseModel):
    """`force`: against the gate's decision."""

    version: Annotated[str, Field(pattern=r"^[0-9]{1,18}$", description="A number, as the registry has it")]
    force: bool = False


class TrafficIn(BaseModel):
    """`challenger`: its share of the entities, 0 to 1."""

    challenger: Annotated[float, Field(ge=0, le=1)]
    mode: Mode
