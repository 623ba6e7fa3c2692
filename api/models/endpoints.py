"""The models over HTTP: what serves, what could, and what changes it."""

from contextlib import AbstractContextManager
from typing import Any

from fastapi import APIRouter

from api.dependencies import ADMIN, Admin, LoopDep, needs
from api.models.schemas import ModelDetailOut, ModelOut, PredictionSchemaOut, PromoteIn, TrafficIn
from automation import audit, models
from automation.access import Caller
from automation.pipeline.context import Loop
from data.domain.audit import Action
from data.settings import Scope
from ml.models.registry import schema_of
from ml.version import CHAMPION

router = APIRouter(prefix="/models", tags=["models"])
READS, CHANGES = needs(Scope.READ), ADMIN


@router.get("", dependencies=[READS])
def get_models(loop: LoopDep) -> list[ModelOut]:
    """Every model that is known here."""
    served = loop.predictor.served()
    return [ModelOut.of(state, served.get(state.model)) for state in models.states(loop)]


@router.get("/{model}", dependencies=[READS])
def get_model(model: str, loop: LoopDep) -> ModelDetailOut:
    """One model with its versions, the gate's decisions, and the verdict of the outcomes."""
    return _detail(loop, model)


@router.post("/{model}/promote", dependencies=[CHANGES])
def post_promote(model: str, body: PromoteIn, loop: LoopDep, caller: Admin) -> ModelDetailOut:
    """Makes a version champion. 409 if the gate did not let it pass, 404 if there is none, 503 if MLflow is away."""
    with _recorded(loop, caller, Action.PROMOTE, model, version=body.version, force=body.force):
        models.promote(loop, model, body.version, force=body.force)
    return _detail(loop, model)


@router.post("/{model}/rollback", dependencies=[CHANGES])
def post_rollback(model: str, loop: LoopDep, caller: Admin) -> ModelDetailOut:
    """Puts the champion before this one back. 409 if there is none, 503 if MLflow is away."""
    with _recorded(loop, caller, Action.ROLLBACK, model) as details:
        details["version"] = models.rollback(loop, model).aliases.get(CHAMPION)
    return _detail(loop, model)


@router.post("/{model}/reload", dependencies=[CHANGES])
def post_reload(model: str, loop: LoopDep, caller: Admin) -> ModelDetailOut:
    """Looks for a new champion now; `load_error` says if it cannot be loaded."""
    with _recorded(loop, caller, Action.RELOAD, model) as details:
        details["version"] = models.reload(loop, model).serving
    return _detail(loop, model)


@router.put("/{model}/traffic", dependencies=[CHANGES])
def put_traffic(model: str, body: TrafficIn, loop: LoopDep, caller: Admin) -> ModelDetailOut:
    """Gives the challenger its share of the entities: `live`, in `shadow`, or `off`. 409 if there is no challenger."""
    with _recorded(loop, caller, Action.TRAFFIC, model, mode=body.mode, share=body.challenger):
        models.set_traffic(loop, model, body.mode, body.challenger)
    return _detail(loop, model)


def _recorded(loop: Loop, caller: Caller, action: Action, model: str, **details: Any) -> AbstractContextManager[dict[str, Any]]:
    return audit.recorded(loop.database, loop.clock, caller.name, action, model, **details)


def _detail(loop: Loop, model: str) -> ModelDetailOut:
    state = models.state(loop, model)
    shown = ModelOut.of(state, loop.predictor.served().get(model))
    return ModelDetailOut(
        **shown.model_dump(),
        versions=models.versions(loop, model),
        verdict=models.compared(loop, model),
        monitoring=models.monitored(loop, model),
        prediction_schema=PredictionSchemaOut.of(schema_of(model)),
    )
