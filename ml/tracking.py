"""Logs a training run to MLflow. With `model_registry`, the only door to it; mlflow is imported when first used."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.learners.registry import LEARNERS
from ml.training import evaluate
from ml.training.train import Trained
from ml.version import write_card

CARD_FOLDER = "leadloop"
REQUIREMENTS = ["xgboost", "numpy", "pandas"]  # what loading the model elsewhere takes; mlflow cannot guess xgboost-cpu


@dataclass(frozen=True)
class Logged:
    """A run in MLflow, and the model that it logged."""

    run_id: str
    model_uri: str


def connect(tracking_uri: str, artifacts_dir: Path) -> Any:
    """mlflow, pointed at the tracking store; local experiments keep their artefacts under `artifacts_dir`."""
    import os

    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    if tracking_uri.startswith("sqlite:///"):
        Path(tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        artifacts_dir.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(tracking_uri)
    return mlflow


def log_run(mlflow: Any, trained: Trained, *, experiment: str, artifacts_dir: Path, extra_metrics: Mapping[str, float]) -> Logged:
    """Logs parameters, metrics, plots, the model with its signature, and its card."""
    card = trained.card
    with mlflow.start_run(experiment_id=_experiment(mlflow, experiment, artifacts_dir)) as run:
        mlflow.log_params(
            {**card.params, "learner": card.learner, "rows_train": card.rows_train, "rows_holdout": card.rows_holdout}
        )
        mlflow.log_metrics({**card.metrics, **extra_metrics})
        mlflow.set_tags({"data_hash": card.data_hash, "code_version": card.code_version, "target": card.target})
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            for path in evaluate.plots(trained.holdout_labels, trained.holdout_scores, folder / "plots"):
                mlflow.log_artifact(str(path), "plots")
            native = folder / CARD_FOLDER
            native.mkdir()
            LEARNERS[card.learner].save(trained.booster, native)
            write_card(card, native)
            mlflow.log_artifacts(str(native), CARD_FOLDER)
        return Logged(str(run.info.run_id), _log_model(mlflow, trained))


def _experiment(mlflow: Any, name: str, artifacts_dir: Path) -> str:
    if (found := mlflow.get_experiment_by_name(name)) is not None:
        return str(found.experiment_id)
    local = mlflow.get_tracking_uri().startswith("sqlite")
    return str(mlflow.create_experiment(name, artifact_location=artifacts_dir.as_uri() if local else None))


def _log_model(mlflow: Any, trained: Trained) -> str:
    import pandas
    from mlflow.models import infer_signature

    names = [column.name for column in trained.card.inputs]
    example = pandas.DataFrame(trained.inputs_matrix[:100], columns=names)
    signature = infer_signature(example, trained.holdout_scores[:100])
    info = mlflow.xgboost.log_model(
        trained.booster, name="model", signature=signature, model_format="json", pip_requirements=REQUIREMENTS
    )
    return str(info.model_uri)
