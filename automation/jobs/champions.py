"""Keeps the served versions in step with MLflow's aliases, the local pointers, and the traffic in the database."""

from functools import partial
from typing import Any

from automation import audit
from automation.pipeline.context import Loop
from automation.training import REGISTRY_LOCK
from data.domain.audit import Action
from data.errors import NotReady
from data.log import get_logger
from data.redaction import shortened
from data.warehouse import model_traffic
from ml import model_registry, tracking
from ml.version import CHAMPION

log = get_logger("champions")

# How often the local pointers and the traffic are looked at: two small reads.
LOOK_SECONDS = 1.0
MLFLOW = "mlflow"  # the actor: who moved an alias there, it does not say


def pull(loop: Loop) -> None:
    """Fetches versions whose alias moved, and anew those that cannot be loaded. With MLflow away, serving goes on."""
    settings = loop.settings
    try:
        mlflow = tracking.connect(settings.mlflow_tracking_uri, settings.mlflow_artifacts_dir)
        lacking = [(error.model, error.version) for error in loop.predictor.load_errors()]
        model_registry.pull_champions(mlflow, settings.models_dir, anew=lacking)
        _record_moves(loop, mlflow)
    except Exception as error:  # Whatever is wrong with the tracking store must not stop the serving.
        log.warning("champions.pull.failed", reason=shortened(f"{type(error).__name__}: {error}", 300))
    refresh(loop, again=True)


def _record_moves(loop: Loop, mlflow: Any) -> None:
    """What was moved in MLflow itself is in the audit trail, too."""
    lock = partial(loop.database.exclusive, REGISTRY_LOCK, timeout_seconds=0.0)
    try:
        moved = model_registry.note_moves(mlflow, loop.settings.models_dir, now=loop.clock.now(), lock=lock)
    except NotReady as error:
        log.info("champions.moves.left", reason=error.detail)
        return
    for model, found in moved:
        version, before = found.aliases.get(CHAMPION), found.previous
        audit.record(
            loop.database, loop.clock, MLFLOW, Action.PROMOTE, model, version=version, before=before, by="its alias in MLflow"
        )


def refresh(loop: Loop, *, again: bool = False) -> None:
    """Loads what the local pointers and the traffic name; a version that cannot be loaded leaves the old one serving."""
    try:
        with loop.database.read() as session:
            loop.predictor.set_traffic(model_traffic.everything(session))
    except NotReady as error:  # the setting that was last seen goes on
        log.warning("champions.traffic.not_read", reason=error.detail)
    before = {(error.model, error.version, error.reason) for error in loop.predictor.load_errors()}
    for model in loop.predictor.refresh(again=again):
        log.info("champions.version.served", model=model, version=loop.predictor.champion(model).card.version)
    for found in loop.predictor.load_errors():
        if (found.model, found.version, found.reason) not in before:
            log.error("champions.load.failed", model=found.model, version=found.version, variant=found.variant, reason=found.reason)
