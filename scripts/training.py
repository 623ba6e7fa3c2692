"""`leadloop train`: from a sample or a user's table to a registered champion, with the figures printed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid

from data.clock import SystemClock
from data.errors import BadInput
from data.settings import Settings
from ml import model_registry, tracking
from ml.features.inputs import typed_frame
from ml.models.base import Model, of_user_table
from ml.models.registry import MODELS
from ml.training import samples
from ml.training.ladder import TypedTable
from ml.training.split import HOLDOUT_SHARE
from ml.training.table import infer_inputs, read_labelled
from ml.training.train import Trained, cut_of, train
from ml.version import REPORT, Card

SHOWN = ("auc", "log_loss", "accuracy", "precision", "recall", "f1")


@dataclass(frozen=True)
class Result:
    """A registered version, and the best that was reachable where that is known."""

    card: Card
    run_id: str
    ceiling: dict[str, float] = field(default_factory=dict)


def train_sample(settings: Settings, name: str, *, seed: int, console: Console) -> Result:
    """Trains a catalogue model on its generated table."""
    if name not in MODELS:
        raise BadInput(f"there is no model {name!r}; the catalogue has {', '.join(MODELS)}")
    with console.status("Generating the sample table ..."):
        sample = samples.lead_score(seed)
    console.print(
        f"{len(sample.table.labels):,} rows, {sample.table.labels.mean():.1%} won; "
        f"the earlier {1 - HOLDOUT_SHARE:.0%} teach, the newest judge."
    )
    with console.status("Training ..."):
        trained = train(MODELS[name], sample.table, data_hash=sample.data_hash, now=SystemClock().now(), seed=seed)
    ceiling = {"auc": sample.ceiling_auc, "log_loss": sample.ceiling_log_loss}
    return _register(settings, MODELS[name], trained, ceiling, console)


def train_csv(
    settings: Settings, path: Path, *, target: str, time: str | None, drop: Sequence[str], name: str, seed: int, console: Console
) -> Result:
    """Trains a model of its own on a user's table."""
    model = of_user_table(name, target)
    with console.status(f"Reading {path.name} ..."):
        table = read_labelled(path, target=target, time=time, drop=drop)
        inputs, left_out = infer_inputs(table, cut_of(len(table.labels)))
    for line in (*table.notes, *left_out):
        console.print(f"  {line}", markup=False)
    with console.status("Training ..."):
        typed = TypedTable(inputs, typed_frame(inputs, table.rows), table.labels)
        trained = train(model, typed, data_hash=table.data_hash, now=SystemClock().now(), seed=seed)
        trained = replace(trained, notes=(*table.notes, *left_out))
    return _register(settings, model, trained, {}, console)


def _register(settings: Settings, model: Model, trained: Trained, ceiling: dict[str, float], console: Console) -> Result:
    with console.status("Logging to MLflow ..."):
        mlflow = tracking.connect(settings.mlflow_tracking_uri, settings.mlflow_artifacts_dir)
        extra = {f"ceiling_{name}": value for name, value in ceiling.items()}
        logged = tracking.log_run(
            mlflow, trained, experiment=model.experiment, artifacts_dir=settings.mlflow_artifacts_dir, extra_metrics=extra
        )
        card = model_registry.register(mlflow, trained, logged, settings.models_dir)
    _show(card, ceiling, settings, console)
    return Result(card, logged.run_id, ceiling)


def _show(card: Card, ceiling: dict[str, float], settings: Settings, console: Console) -> None:
    grid = Grid(title=f"{card.model} version {card.version}, on the newest {card.rows_holdout:,} rows")
    grid.add_column("figure")
    grid.add_column("this version", justify="right")
    if ceiling:
        grid.add_column("best reachable", justify="right")
    for name in SHOWN:
        best = [f"{ceiling[name]:.4f}" if name in ceiling else ""] if ceiling else []
        grid.add_row(name.replace("_", "-"), f"{card.metrics[name]:.4f}", *best)
    console.print(grid)
    threshold = card.threshold(settings.hot_threshold, settings.hot_share)
    console.print(
        f"Base rate {card.base_rate:.1%}; hot above {threshold:.3f}. Champion, in {settings.models_dir / card.model}", markup=False
    )
    console.print(f"Report: {settings.models_dir / card.model / card.version / REPORT}", markup=False, soft_wrap=True)
