"""`leadloop train`: from a sample or a user's table to a registered version, with its figures and the gate's decision."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid

from automation import retraining, training
from data.clock import SystemClock
from data.db import Database
from data.errors import BadInput
from data.migrations import upgrade
from data.settings import Settings
from ml.model_registry import Registered
from ml.models.base import Model, of_user_table
from ml.models.registry import MODELS
from ml.monitoring.when import Reason, Why
from ml.training import samples
from ml.training.gate import Decision
from ml.training.leakage import Findings
from ml.training.own_table import Choice, read_own_table
from ml.training.split import HOLDOUT_SHARE
from ml.training.train import Trained, train
from ml.version import REPORT, Card
from scripts.terminal import telling

# A look at the models takes seconds; a training under way is told.
PATIENCE_SECONDS = 30.0
SHOWN = ("auc", "log_loss", "accuracy", "precision", "recall", "f1")


@dataclass(frozen=True)
class Result:
    """A registered version, what the gate said of it, and the best that was reachable where that is known."""

    card: Card
    run_id: str
    decision: Decision
    ceiling: dict[str, float] = field(default_factory=dict)


def train_sample(settings: Settings, name: str, *, seed: int, console: Console, budget_seconds: float = 0.0) -> Result:
    """Trains a catalogue model on its generated table."""
    if name not in MODELS:
        raise BadInput(f"there is no model {name!r}; the catalogue has {', '.join(MODELS)}")
    with console.status("Generating the sample table ..."):
        sample = samples.lead_score(seed)
    console.print(
        f"{len(sample.table.labels):,} rows, {sample.table.labels.mean():.1%} won; "
        f"the earlier {1 - HOLDOUT_SHARE:.0%} teach, the newest judge."
    )
    with telling(console, "Training", budget_seconds) as tell:
        trained = train(
            MODELS[name], sample.table, data_hash=sample.data_hash, now=SystemClock().now(), budget_seconds=budget_seconds,
            seed=seed, tell=tell,
        )  # fmt: skip
    ceiling = {"auc": sample.ceiling_auc, "log_loss": sample.ceiling_log_loss}
    return _register(settings, MODELS[name], trained, ceiling, console)


def train_warehouse(
    settings: Settings, name: str, *, keep: tuple[str, ...], budget_seconds: float, seed: int, console: Console
) -> Result:
    """Trains a catalogue model on what the warehouse has seen; remembered, like those that start by themselves."""
    database = Database(settings.database_url)
    try:
        upgrade(database)
        with retraining.alone(database, patience_seconds=PATIENCE_SECONDS):
            return _train_alone(settings, database, name, keep=keep, budget_seconds=budget_seconds, seed=seed, console=console)
    finally:
        database.dispose()


def train_csv(
    settings: Settings, path: Path, choice: Choice, *, name: str, budget_seconds: float, seed: int, console: Console
) -> Result:
    """Trains a model of its own on a user's table."""
    model = of_user_table(name, choice.target)
    with console.status(f"Reading {path.name} ..."):
        own = read_own_table(path, choice, seed=seed)
    for line in (*own.notes, *_warnings(own.findings)):
        console.print(f"  {line}", markup=False)
    with telling(console, "Training", budget_seconds) as tell:
        trained = train(
            model, own.typed, times=own.times, groups=own.groups, ids=own.ids, moment=own.moment, id_column=choice.id,
            data_hash=own.raw.data_hash, now=SystemClock().now(), budget_seconds=budget_seconds, seed=seed, tell=tell,
        )  # fmt: skip
    trained = replace(trained, notes=own.notes, findings=own.findings)
    return _register(settings, model, trained, {}, console)


def _train_alone(
    settings: Settings,
    database: Database,
    name: str,
    *,
    keep: tuple[str, ...],
    budget_seconds: float,
    seed: int,
    console: Console,
) -> Result:
    clock = SystemClock()
    with console.status("Reading the warehouse ..."):
        found = training.read_examples(database, name, clock.now(), keep=keep, seed=seed)
    rows = found.labelled.examples
    console.print(f"  {len(rows):,} examples of {rows['entity'].n_unique():,} entities; {found.labelled.young:,} too young")
    for line in (*found.table.notes, *_warnings(found.table.findings)):
        console.print(f"  {line}", markup=False)
    with retraining.remembered(database, clock, name, Reason(why=Why.BY_HAND, said="by hand"), len(rows), keep) as diary:
        with telling(console, "Training", budget_seconds) as tell:
            trained = training.train_on(name, found, now=clock.now(), budget_seconds=budget_seconds, seed=seed, tell=tell)
        result, diary.registered = _registered(settings, MODELS[name], trained, {}, console)
    return result


def _warnings(findings: Findings) -> list[str]:
    """The leak guard's findings, each with what was done about it."""
    suspects = [
        f"{suspect.column} {'left out' if suspect.left_out else 'kept'}: {suspect.evidence}"
        + (f" (--keep {suspect.column} overrides)" if suspect.left_out else "")
        for suspect in findings.suspects
    ]
    return [*suspects, *(found.evidence for found in findings.rows)]


def _register(settings: Settings, model: Model, trained: Trained, ceiling: dict[str, float], console: Console) -> Result:
    return _registered(settings, model, trained, ceiling, console)[0]


def _registered(
    settings: Settings, model: Model, trained: Trained, ceiling: dict[str, float], console: Console
) -> tuple[Result, Registered]:
    database = Database(settings.database_url)
    with console.status("Logging to MLflow, and comparing with the champion ..."):
        extra = {f"ceiling_{name}": value for name, value in ceiling.items()}
        registered, run_id = training.register(settings, database, model, trained, SystemClock(), extra=extra)
    database.dispose()
    _show(registered, ceiling, settings, console)
    return Result(registered.card, run_id, registered.decision, ceiling), registered


def _show(registered: Registered, ceiling: dict[str, float], settings: Settings, console: Console) -> None:
    card, decision = registered.card, registered.decision
    grid = Grid(title=f"{card.model} version {card.version}, on {_judges(card)}")
    grid.add_column("figure")
    grid.add_column("this version", justify="right")
    if ceiling:
        grid.add_column("best reachable", justify="right")
    for name in SHOWN:
        best = [f"{ceiling[name]:.4f}" if name in ceiling else ""] if ceiling else []
        grid.add_row(name.replace("_", "-"), _figure(card.metrics.get(name)), *best)
    console.print(grid)
    threshold = card.threshold(settings.hot_threshold, settings.hot_share)
    console.print(f"Base rate {card.base_rate:.1%}; hot above {threshold:.3f}. In {settings.models_dir / card.model}", markup=False)
    console.print(
        "It is champion now:" if decision.promote else f"It stays challenger; champion {decision.champion or '(none)'} goes on:"
    )
    for line in (*decision.reasons, *decision.notes):
        console.print(f"  {line}", markup=False, highlight=False)
    if not decision.promote:
        console.print(f"To promote it all the same: leadloop models promote {card.model} {card.version} --force", markup=False)
    console.print(f"Report: {settings.models_dir / card.model / card.version / REPORT}", markup=False, soft_wrap=True)


def _judges(card: Card) -> str:
    return f"the newest {card.rows_holdout:,} rows" if card.rows_holdout else "rows that it had not seen, by folds"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
