"""Logs a training run to MLflow. With `model_registry`, the only door to it; mlflow is imported when first used."""

import logging
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from data.errors import LeadloopError, NotFound, NotReady
from data.lock import file_lock
from data.redaction import shortened
from data.settings import ROOT, SQLITE
from ml.features.inputs import InputKind
from ml.training import plots
from ml.training.report import write_report
from ml.training.train import Trained, save_trained
from ml.version import Card

CARD_FOLDER = "leadloop"
# Whose errors mean that the tracking store is not as it should be, and not that our code is wrong.
MLFLOW_AND_ITS = {"mlflow", "sqlalchemy", "sqlite3", "psycopg", "requests", "urllib3"}
DAMAGED = ("malformed", "not a database")  # SQLite's words
FULL = ("disk is full", "No space left", "File too large")
# What loading the model elsewhere takes; mlflow cannot guess xgboost-cpu.
REQUIREMENTS = ["xgboost", "lightgbm", "scikit-learn", "numpy", "pandas", "polars", "pydantic", "pydantic-settings"]


@dataclass(frozen=True)
class Logged:
    """A run in MLflow, the model that it logged, and the report of it."""

    run_id: str
    model_uri: str
    report: str


def connect(tracking_uri: str, artifacts_dir: Path) -> Any:
    """mlflow, pointed at the tracking store; local experiments keep their artefacts under `artifacts_dir`.

    Raises:
        NotReady: the local store cannot be opened. A server is not asked yet.
    """
    import os

    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # By default a server that is away is asked for several minutes before MLflow says so.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    import mlflow

    for name in ("mlflow", "urllib3"):  # what goes wrong is raised, and told once in one line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    local = tracking_uri.startswith(SQLITE)
    if local:
        artifacts_dir.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(tracking_uri)
    if local:
        _ensure_tables(tracking_uri)
    return mlflow


def check(mlflow: Any) -> None:
    """Asks the tracking store whether it is there, before hours of training are spent.

    Raises:
        NotReady: it is away.
    """
    with answering():
        mlflow.MlflowClient().search_experiments(max_results=1)


@cache
def _ensure_tables(tracking_uri: str) -> None:
    """MLflow makes its tables at the first use, and two processes that do so at once are in each other's way."""
    import mlflow

    path = tracking_uri.removeprefix(SQLITE)
    with answering(), file_lock(Path(f"{path}.lock")):
        client = mlflow.MlflowClient()
        client.search_experiments(max_results=1)
        client.search_registered_models(max_results=1)


@contextmanager
def answering() -> Iterator[None]:
    """What MLflow and its libraries raise inside becomes one of our errors.

    Raises:
        NotFound: it has no such thing. NotReady: it is away, or its disk takes nothing more.
    """
    try:
        yield
    except LeadloopError:
        raise
    except Exception as error:
        if not (isinstance(error, OSError) or type(error).__module__.split(".")[0] in MLFLOW_AND_ITS):
            raise
        if getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
            raise NotFound(f"MLflow: {in_short(error)}") from error
        raise NotReady(
            f"MLflow ({_address()}) or the disk cannot be used now: {in_short(_root(error))}; {_remedy(error)}. "
            "What was served before goes on"
        ) from error


def _root(error: Exception) -> Exception:
    """What the operating system or the database said, beneath what was raised over it."""
    beneath = error.__cause__ or error.__context__
    if not isinstance(beneath, Exception):
        return error
    root = _root(beneath)
    return root if isinstance(root, OSError) or type(root).__module__ == "sqlite3" else error


def _remedy(error: Exception) -> str:
    if any(words in str(error) for words in FULL):
        return "make room on it and try again"
    if any(words in str(error) for words in DAMAGED):
        return "its file is damaged: put back a copy of it, or move it away to begin with an empty one"
    return "try again when it is back, or set LEADLOOP_MLFLOW_TRACKING_URI"


def _address() -> str:
    """Where MLflow is looked for, without a password."""
    import mlflow

    return re.sub(r"//[^/@]*@", "//", str(mlflow.get_tracking_uri()))


def in_short(error: Exception) -> str:
    """An error's kind and the first line of what it says."""
    return shortened(f"{type(error).__name__}: {error}".strip().splitlines()[0], 300)


def log_run(mlflow: Any, trained: Trained, *, experiment: str, artifacts_dir: Path, extra_metrics: Mapping[str, float]) -> Logged:
    """Logs parameters, metrics, plots, the report, and the version as one MLflow model with its signature.

    Raises:
        NotReady: MLflow is away.
    """
    card = trained.card
    with answering(), mlflow.start_run(experiment_id=_experiment(mlflow, experiment, artifacts_dir)) as run:
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
            save_trained(trained, native)
            report = write_report(trained, native).read_text("utf-8")
            mlflow.log_artifacts(str(native), CARD_FOLDER)
            return Logged(str(run.info.run_id), _log_model(mlflow, trained, native), report)


def _experiment(mlflow: Any, name: str, artifacts_dir: Path) -> str:
    if (found := mlflow.get_experiment_by_name(name)) is not None:
        return str(found.experiment_id)
    local = mlflow.get_tracking_uri().startswith("sqlite")
    try:
        return str(mlflow.create_experiment(name, artifact_location=artifacts_dir.as_uri() if local else None))
    except mlflow.exceptions.MlflowException:
        if (found := mlflow.get_experiment_by_name(name)) is None:
            raise
        return str(found.experiment_id)  # another training has just made it


def _log_model(mlflow: Any, trained: Trained, folder: Path) -> str:
    """The whole version, cleaning included, as a model that takes a user's own columns."""
    with warnings.catch_warnings():
        # It asks for an example of the input: customers' rows have no place in a registry.
        warnings.filterwarnings("ignore", message=".*input example was not provided.*")
        info = mlflow.pyfunc.log_model(
            name="model",
            loader_module="ml.pyfunc",
            data_path=str(folder),
            code_paths=_code(folder.parent),
            signature=_signature(trained.card),
            pip_requirements=REQUIREMENTS,
        )
    return str(info.model_uri)


def _code(scratch: Path) -> list[str]:
    """What it takes to load a version elsewhere: our modules alone. `data/` also holds what is written at run time."""
    found = []
    for name in ("ml", "data"):
        for source in (ROOT / name).rglob("*.py"):
            place = source.relative_to(ROOT)
            if place.parts[:2] != ("data", "var"):
                (scratch / "code" / place.parent).mkdir(parents=True, exist_ok=True)
                shutil.copy(source, scratch / "code" / place)
        found.append(str(scratch / "code" / name))
    return found


def _signature(card: Card) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    kinds = {InputKind.NUMBER: "double", InputKind.BOOLEAN: "boolean"}
    inputs = Schema([ColSpec(kinds.get(column.kind, "string"), column.name, required=False) for column in card.columns])
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double", "score")]))
