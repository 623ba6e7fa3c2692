"""The models over HTTP: what serves, what could, and what changes it."""

from fastapi import APIRouter

from api.dependencies import LoopDep, needs
from api.models.schemas import ModelDetailOut, ModelOut, PredictionSchemaOut, PromoteIn, TrafficIn
from automation import models
from automation.pipeline.context import Loop
from data.settings import Scope
from ml.models.registry import schema_of

router = APIRouter(prefix="/models", tags=["models"])
READS, CHANGES = needs(Scope.READ), needs(Scope.ADMIN)


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
def post_promote(model: str, body: PromoteIn, loop: LoopDep) -> ModelDetailOut:
    """Makes a version champion. 409 if the gate did not let it pass, 404 if there is none, 503 if MLflow is away."""
    models.promote(loop, model, body.version, force=body.force)
    return _detail(loop, model)


@router.post("/{model}/rollback", dependencies=[CHANGES])
def post_rollback(model: str, loop: LoopDep) -> ModelDetailOut:
    """Puts the champion before this one back. 409 if there is none, 503 if MLflow is away."""
    models.rollback(loop, model)
    return _detail(loop, model)


@router.post("/{model}/reload", dependencies=[CHANGES])
def post_reload(model: str, loop: LoopDep) -> ModelDetailOut:
    """Looks for a new champion now; `load_error` says if it cannot be loaded."""
    models.reload(loop, model)
    return _detail(loop, model)


@router.put("/{model}/traffic", dependencies=[CHANGES])
def put_traffic(model: str, body: TrafficIn, loop: LoopDep) -> ModelDetailOut:
    """Gives the challenger its share of the entities: `live`, in `shadow`, or `off`. 409 if there is no challenger."""
    models.set_traffic(loop, model, body.mode, body.challenger)
    return _detail(loop, model)


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
