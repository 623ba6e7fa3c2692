"""Keeps the served versions in step with MLflow's aliases, the local pointers, and the traffic in the database."""

from automation.pipeline.context import Loop
from data.errors import NotReady
from data.log import get_logger
from data.redaction import shortened
from data.warehouse import model_traffic
from ml import model_registry, tracking

log = get_logger("champions")

# How often the local pointers and the traffic are looked at: two small reads.
LOOK_SECONDS = 1.0


def pull(loop: Loop) -> None:
    """Fetches versions whose alias moved, and anew those that cannot be loaded. With MLflow away, serving goes on."""
    settings = loop.settings
    try:
        mlflow = tracking.connect(settings.mlflow_tracking_uri, settings.mlflow_artifacts_dir)
        lacking = [(error.model, error.version) for error in loop.predictor.load_errors()]
        model_registry.pull_champions(mlflow, settings.models_dir, anew=lacking)
    except Exception as error:  # Whatever is wrong with the tracking store must not stop the serving.
        log.warning("champions.pull.failed", reason=shortened(f"{type(error).__name__}: {error}", 300))
    refresh(loop, again=True)


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
