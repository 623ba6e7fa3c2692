"""The served models over HTTP."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.dependencies import LoopDep, needs
from data.errors import NotFound
from data.settings import Scope
from ml.serving.predictor import Served

router = APIRouter(prefix="/models", tags=["models"], dependencies=[needs(Scope.READ)])


class ModelOut(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    model: str
    version: str
    learner: str
    threshold: float
    base_rate: float
    inputs: list[str]
    metrics: dict[str, float]
    trained_at: datetime


@router.get("")
def get_models(loop: LoopDep) -> list[ModelOut]:
    """Every model with a champion."""
    return [_out(served) for served in loop.predictor.served().values()]


@router.get("/{model}")
def get_model(model: str, loop: LoopDep) -> ModelOut:
    """One model's champion."""
    if (served := loop.predictor.served().get(model)) is None:
        names = ", ".join(loop.predictor.served()) or "none yet"
        raise NotFound(f"no model {model[:80]!r} is served here; the served ones are {names}")
    return _out(served)


def _out(served: Served) -> ModelOut:
    fields = served.card.model_dump(include={"model", "version", "learner", "base_rate", "metrics", "trained_at"})
    inputs = [column.name for column in served.card.inputs]
    return ModelOut.model_validate({**fields, "threshold": served.threshold, "inputs": inputs})
