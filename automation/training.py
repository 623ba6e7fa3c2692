"""A training from the warehouse, from its examples to a registered version. Nothing is printed: the command line and the
process that trains by itself share it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from automation import audit, knowledge
from automation.history import history
from data.clock import Clock
from data.db import Database
from data.domain.audit import Action
from data.errors import BadInput, LeadloopError
from data.migrations import upgrade
from data.settings import Settings
from ml import model_registry, tracking
from ml.features.build import made_columns
from ml.features.momentum import Norms
from ml.model_registry import Registered
from ml.models.base import Model
from ml.models.registry import MODELS
from ml.training.labels import HORIZON, Labelled
from ml.training.ladder import Tell, silent
from ml.training.own_history import HistoryTable, type_history
from ml.training.train import FEWEST_ROWS, Trained, train
from ml.version import Card

REGISTRY_LOCK = "models"


@dataclass(frozen=True)
class Examples:
    """The warehouse as a table that is ready to train on."""

    labelled: Labelled
    table: HistoryTable
    norms: Norms
    data_hash: str
    features: pl.DataFrame
    """All columns of the examples, before any was left out."""


def read_examples(database: Database, name: str, now: datetime, *, keep: tuple[str, ...] = (), seed: int = 0) -> Examples:
    """All finished examples of a model of the catalogue, typed and without leaks.

    Raises:
        BadInput: there is no such model, or no column to learn from.
        LeadloopError: too few examples, or all with the same outcome.
    """
    if name not in MODELS:
        raise BadInput(f"there is no model {name!r}; the catalogue has {', '.join(MODELS)}")
    found = history(database, name, now)
    examples = found.labelled.examples
    if len(examples) < FEWEST_ROWS or examples["label"].n_unique() < 2:
        raise LeadloopError(
            f"the warehouse has {len(examples)} finished examples for {name}, and two outcomes are needed (a lead counts as lost "
            f"after {HORIZON.days} days): train on the generated table with --sample, or on your own with --csv F --target COLUMN"
        )
    digest = hashlib.sha256(found.features.write_csv().encode() + examples.write_csv().encode()).hexdigest()
    return Examples(
        found.labelled, type_history(found.features, examples, keep=keep, seed=seed), found.norms, digest, found.features
    )


def train_on(
    name: str, examples: Examples, *, now: datetime, budget_seconds: float = 0.0, seed: int = 0, tell: Tell = silent
) -> Trained:
    """One version from these examples. Raises as `ml.training.train` does."""
    table = examples.table
    trained = train(
        MODELS[name], table.typed, moment=table.moment, norms=examples.norms, data_hash=examples.data_hash, now=now,
        budget_seconds=budget_seconds, seed=seed, tell=tell,
    )  # fmt: skip
    return replace(trained, notes=table.notes, findings=table.findings, raw=examples.features)


def registry(settings: Settings) -> Any:
    """MLflow, asked before the training whether it is there to take the result.

    Raises:
        NotReady: it is not.
    """
    mlflow = tracking.connect(settings.mlflow_tracking_uri, settings.mlflow_artifacts_dir)
    tracking.check(mlflow)
    return mlflow


def register(
    settings: Settings,
    mlflow: Any,
    database: Database,
    model: Model,
    trained: Trained,
    clock: Clock,
    *,
    actor: str,
    own_table: bool = False,
    extra: Mapping[str, float] | None = None,
) -> tuple[Registered, str]:
    """Logs it to MLflow and asks the gate; the registered version and the run. Raises as `ml.model_registry.register` does.

    What the gate makes champion is in the audit trail as the deed of `actor`, who had it trained. `own_table`: its inputs are
    the columns of a user's table, and not what the loop makes.
    """
    logged = tracking.log_run(
        mlflow, trained, experiment=model.experiment, artifacts_dir=settings.mlflow_artifacts_dir, extra_metrics=extra or {}
    )
    registered = model_registry.register(
        mlflow,
        trained,
        logged,
        settings.models_dir,
        now=clock.now(),
        served=served_inputs(settings, database, trained.card) if own_table else None,
        lock=partial(database.exclusive, REGISTRY_LOCK),
    )
    if registered.decision.promote:
        version, before = registered.card.version, registered.decision.champion
        audit.record(database, clock, actor, Action.PROMOTE, model.name, version=version, before=before, by="the gate")
    return registered, logged.run_id


def served_inputs(settings: Settings, database: Database, card: Card) -> frozenset[str] | None:
    """The inputs that the loop gives a model of a user's own table, by what is known of contacts so far.

    None where any may come: it answers those who give its inputs themselves, or nothing is known yet.
    """
    if card.model != settings.lead_model:
        return None
    upgrade(database)
    with database.read() as session:
        known = knowledge.names_of_kind(session, card.entity, card.input_names)
    return known | made_columns(card.model) if known else None
