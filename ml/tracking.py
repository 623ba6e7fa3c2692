"""Logs a training run to MLflow. With `model_registry`, the only door to it; mlflow is imported when first used."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.settings import ROOT
from ml.features.inputs import InputKind
from ml.training import plots
from ml.training.report import write_report
from ml.training.train import Trained
from ml.version import Card, save

CARD_FOLDER = "leadloop"
# What loading the model elsewhere takes; mlflow cannot guess xgboost-cpu.
REQUIREMENTS = ["xgboost", "lightgbm", "scikit-learn", "numpy", "pandas", "polars", "pydantic", "pydantic-settings"]


@dataclass(frozen=True)
class Logged:
    """A run in MLflow, the model that it logged, and the report of it."""

    run_id: str
    model_uri: str
    report: str


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
    """Logs parameters, metrics, plots, the report, and the version as one MLflow model with its signature."""
    card = trained.card
    with mlflow.start_run(experiment_id=_experiment(mlflow, experiment, artifacts_dir)) as run:
        mlflow.log_params(
            {**card.params, "learner": card.learner, "rows_train": card.rows_train, "rows_holdout": card.rows_holdout}
        )
        mlflow.log_metrics({**card.metrics, **extra_metrics})
        mlflow.set_tags({"data_hash": card.data_hash, "code_version": card.code_version, "target": card.target})
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            for path in plots.png_files(trained.judges.labels, trained.scores, folder / "plots"):
                mlflow.log_artifact(str(path), "plots")
            native = folder / CARD_FOLDER
            native.mkdir()
            save(trained.version, native)
            report = write_report(trained, native).read_text("utf-8")
            mlflow.log_artifacts(str(native), CARD_FOLDER)
            return Logged(str(run.info.run_id), _log_model(mlflow, trained, native), report)


def _experiment(mlflow: Any, name: str, artifacts_dir: Path) -> str:
    if (found := mlflow.get_experiment_by_name(name)) is not None:
        return str(found.experiment_id)
    local = mlflow.get_tracking_uri().startswith("sqlite")
    return str(mlflow.create_experiment(name, artifact_location=artifacts_dir.as_uri() if local else None))


def _log_model(mlflow: Any, trained: Trained, folder: Path) -> str:
    """The whole version, cleaning included, as a model that takes a user's own columns."""
    info = mlflow.pyfunc.log_model(
        name="model",
        loader_module="ml.pyfunc",
        data_path=str(folder),
        code_paths=[str(ROOT / "ml"), str(ROOT / "data")],
        signature=_signature(mlflow, trained.card),
        pip_requirements=REQUIREMENTS,
    )
    return str(info.model_uri)


def _signature(mlflow: Any, card: Card) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    kinds = {InputKind.NUMBER: "double", InputKind.BOOLEAN: "boolean"}
    inputs = Schema([ColSpec(kinds.get(column.kind, "string"), column.name, required=False) for column in card.inputs])
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double", "score")]))
