"""`leadloop train`: from a sample or a user's table to a registered version, with its figures and the gate's decision."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from automation import audit, retraining, training
from data.clock import SystemClock
from data.db import Database
from data.errors import BadInput
from data.migrations import upgrade
from data.settings import Settings
from ml.model_registry import Registered
from ml.models.base import Model, of_user_table
from ml.models.registry import MODELS
from ml.monitoring.when import Reason, Why
from ml.tables.table import Choice
from ml.training import samples
from ml.training.gate import Decision
from ml.training.leakage import Findings
from ml.training.own_table import read_own_table
from ml.training.report import verdict_of
from ml.training.split import HOLDOUT_SHARE
from ml.training.train import Trained, train
from ml.version import REPORT, Card
from scripts.terminal import plain, telling

SHOWN = {"auc": "right order (AUC)", "log_loss": "error (log-loss)", "ece": "off on average (ECE)"}  # the report's words
CHANCE_AUC = 0.5
LEAST_RATE = 1e-6  # of the rows that taught, if all of them ended alike
# A look at the models takes seconds; a training under way is told.
PATIENCE_SECONDS = 30.0


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
    mlflow = _mlflow(settings, console)
    with telling(console, "Training", budget_seconds) as tell:
        trained = train(
            sample.model, sample.table, data_hash=sample.data_hash, now=SystemClock().now(), budget_seconds=budget_seconds,
            seed=seed, tell=tell,
        )  # fmt: skip
    ceiling = {"auc": sample.ceiling_auc, "log_loss": sample.ceiling_log_loss}
    trained = replace(trained, raw=sample.table.frame)
    return _registered(settings, mlflow, MODELS[name], trained, ceiling, console)[0]


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
        own = read_own_table(path, choice, seed=seed, now=SystemClock().now())
    _print_lines(console, (*own.notes, *_warnings(own.findings)))
    mlflow = _mlflow(settings, console)
    with telling(console, "Training", budget_seconds) as tell:
        trained = train(
            model, own.typed, moment=own.moment, id_column=choice.id, data_hash=own.raw.data_hash, now=SystemClock().now(),
            budget_seconds=budget_seconds, seed=seed, tell=tell,
        )  # fmt: skip
    trained = replace(trained, notes=own.notes, findings=own.findings, outcomes=own.raw.outcomes, raw=own.raw.rows)
    return _registered(settings, mlflow, model, trained, {}, console, own_table=True)[0]


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
    _print_lines(console, (*found.table.notes, *_warnings(found.table.findings)))
    mlflow = _mlflow(settings, console)
    with retraining.remembered(database, clock, name, Reason(why=Why.BY_HAND, said="by hand"), len(rows), keep) as diary:
        with telling(console, "Training", budget_seconds) as tell:
            trained = training.train_on(name, found, now=clock.now(), budget_seconds=budget_seconds, seed=seed, tell=tell)
        result, diary.registered = _registered(settings, mlflow, MODELS[name], trained, {}, console)
    return result


def _warnings(findings: Findings) -> list[str]:
    """The leak guard's findings, each with what was done about it."""
    suspects = [
        f"{suspect.column} {'left out' if suspect.left_out else 'kept'}: {suspect.evidence}"
        + (f" If it is known before the outcome: --keep {suspect.listed}" if suspect.left_out else "")
        for suspect in findings.suspects
    ]
    return [*suspects, *(found.evidence for found in findings.rows)]


def _print_lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(f"  {plain(line)}", markup=False, highlight=False)


def _mlflow(settings: Settings, console: Console) -> Any:
    """MLflow, asked before the training whether it is there to take the result."""
    with console.status("Looking for MLflow ..."):
        return training.registry(settings)


def _registered(
    settings: Settings,
    mlflow: Any,
    model: Model,
    trained: Trained,
    ceiling: dict[str, float],
    console: Console,
    *,
    own_table: bool = False,
) -> tuple[Result, Registered]:
    database = Database(settings.database_url)
    with console.status("Logging to MLflow, and comparing with the champion ..."):
        upgrade(database)
        extra, actor = {f"ceiling_{name}": value for name, value in ceiling.items()}, audit.command_line_actor()
        registered, run_id = training.register(
            settings, mlflow, database, model, trained, SystemClock(), actor=actor, own_table=own_table, extra=extra
        )
    database.dispose()
    title, reasons = verdict_of(trained)
    _show(registered, ceiling, console)
    console.print(f"{title}.", markup=False, highlight=False)
    _print_lines(console, reasons)
    _say_next(registered, settings, console)
    return Result(registered.card, run_id, registered.decision, ceiling), registered


def _show(registered: Registered, ceiling: dict[str, float], console: Console) -> None:
    card = registered.card
    grid = Grid(title=f"{card.model} version {card.version}, on {_judges(card)}")
    grid.add_column("figure")
    grid.add_column("this version", justify="right")
    grid.add_column("base rate for all", justify="right")
    if ceiling:
        grid.add_column("best reachable", justify="right")
    plainly = {"auc": CHANCE_AUC, "log_loss": _base_log_loss(card)}
    for name, words in SHOWN.items():
        best = [_figure(ceiling.get(name))] if ceiling else []
        grid.add_row(words, _figure(card.metrics.get(name)), _figure(plainly.get(name)), *best)
    console.print(grid)


def _say_next(registered: Registered, settings: Settings, console: Console) -> None:
    """Who serves now and why, from which score a lead is hot, and where the report is."""
    card, decision = registered.card, registered.decision
    goes_on = f"champion {decision.champion} goes on" if decision.champion else "so far no version of it scores"
    console.print("It is champion now:" if decision.promote else f"It stays challenger; {goes_on}:")
    _print_lines(console, (*decision.reasons, *decision.notes))
    if not decision.promote:
        console.print(f"To promote it all the same: leadloop models promote {card.model} {card.version} --force", markup=False)
    threshold = card.threshold(settings.hot_threshold, settings.hot_share)
    reached = "" if card.holdout_quantiles[-1] > threshold else (
        f": of the rows that judged none is; LEADLOOP_HOT_THRESHOLD=auto takes the best {settings.hot_share:.0%}"
    )  # fmt: skip
    console.print(f"A lead is hot above a score of {threshold:.1%}{reached}.", markup=False, highlight=False)
    console.print(f"Report: {settings.models_dir / card.model / card.version / REPORT}", markup=False, soft_wrap=True)


def _base_log_loss(card: Card) -> float:
    """What the rows that judge would have cost with the rate of the rows that taught for everybody."""
    rate, told = card.metrics["base_rate"], min(max(card.base_rate, LEAST_RATE), 1 - LEAST_RATE)
    return -(rate * math.log(told) + (1 - rate) * math.log(1 - told))


def _judges(card: Card) -> str:
    return f"the newest {card.rows_holdout:,} rows" if card.rows_holdout else "rows that it had not seen, by folds"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
