"""Keeps the served versions in step with MLflow's champion aliases."""

from automation.pipeline.context import Loop
from data.log import get_logger
from ml import model_registry, tracking

log = get_logger("champions")


def pull(loop: Loop) -> None:
    """Fetches champions that moved. With MLflow away, serving goes on with the copies that it has."""
    settings = loop.settings
    try:
        mlflow = tracking.connect(settings.mlflow_tracking_uri, settings.mlflow_artifacts_dir)
        model_registry.pull_champions(mlflow, settings.models_dir)
    except Exception as error:  # Whatever is wrong with the tracking store must not stop the serving.
        log.warning("champions.pull.failed", reason=f"{type(error).__name__}: {error}"[:300])
    refresh(loop)


def refresh(loop: Loop) -> None:
    """Loads what the local pointers name; a version that cannot be loaded leaves the old one serving."""
    try:
        changed = loop.predictor.refresh()
    except Exception as error:  # A broken copy: the last good version goes on, and the log says so.
        log.error("champions.load.failed", reason=f"{type(error).__name__}: {error}"[:300])
        return
    for model in changed:
        log.info("champions.version.served", model=model, version=loop.predictor.champion(model).card.version)
