"""Trains one version: the earlier 80 % teach, the newest 20 % judge. With few rows all teach, and the folds judge."""

import subprocess
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import BadInput
from data.settings import ROOT
from ml.learners.base import probability
from ml.models.base import Model
from ml.preparation.base import Floats, Ints
from ml.training import evaluate
from ml.training.fit import Fit, fit_table
from ml.training.ladder import Tell, TypedTable, silent
from ml.training.leakage import Findings
from ml.training.split import FEWEST_FOR_HOLDOUT, HOLDOUT_SHARE
from ml.version import QUANTILES, Card, Version, member_cards

UNREGISTERED = "unregistered"
FEWEST_ROWS = 2


@dataclass(frozen=True)
class Trained:
    """A version before the registry has numbered it, with the unseen rows that judged it and how it came about.

    `times`: each row's moment in days since 1970, oldest first; `notes` of the reader, `findings` of the leak guard.
    """

    version: Version
    fit: Fit
    judges: TypedTable
    scores: Floats
    times: Floats | None = None
    notes: tuple[str, ...] = ()
    findings: Findings | None = None

    @property
    def card(self) -> Card:
        return self.version.card


def cut_of(rows: int) -> int:
    """The row at which the newest part begins; the number of rows where they are too few for one."""
    return int(rows * (1 - HOLDOUT_SHARE)) if rows >= FEWEST_FOR_HOLDOUT else rows


def train(
    model: Model,
    table: TypedTable,
    *,
    data_hash: str,
    now: datetime,
    times: Floats | None = None,
    groups: NDArray[Any] | None = None,
    budget_seconds: float = 0.0,
    most_trials: int | None = None,
    seed: int = 0,
    tell: Tell = silent,
) -> Trained:
    """Trains on the earlier rows, judges by the newest. Without a budget nothing is tuned.

    Raises:
        BadInput: no rows, or one outcome only.
    """
    _check(table)
    cut = cut_of(len(table.labels))
    early = np.arange(cut)
    fit = fit_table(
        table.rows(early),
        times=None if times is None else times[:cut],
        groups=None if groups is None else groups[:cut],
        settings=model.learners,
        budget_seconds=budget_seconds,
        most_trials=most_trials,
        seed=seed,
        tell=tell,
    )
    judges, scores = _judged(fit, table, cut)
    base_rate = float(table.labels[:cut].mean())
    card = Card(
        model=model.name,
        version=UNREGISTERED,
        learner=fit.chosen.learner,
        entity=model.entity,
        target=model.target,
        inputs=table.inputs,
        members=member_cards(fit.scorer),
        intercept=fit.scorer.intercept,
        calibration=fit.scorer.calibration,
        base_rate=base_rate,
        holdout_quantiles=tuple(np.quantile(scores, np.linspace(0, 1, QUANTILES)).tolist()),
        observed=evaluate.by_grade(judges.labels, scores, base_rate),
        # A figure that needs both outcomes is left out where there is one.
        metrics={name: value for name, value in evaluate.figures(judges.labels, scores).items() if np.isfinite(value)},
        params=dict(fit.chosen.params),
        rows_train=cut,
        rows_holdout=len(table.labels) - cut,
        seed=seed,
        data_hash=data_hash,
        code_version=code_version(),
        trained_at=now,
    )
    return Trained(Version(card, fit.scorer), fit, judges, scores, times=times)


def _judged(fit: Fit, table: TypedTable, cut: int) -> tuple[TypedTable, Floats]:
    """The rows that judge, and their scores by models that had not seen them."""
    if cut < len(table.labels):
        judges = table.rows(np.arange(cut, len(table.labels)))
        return judges, probability(fit.scorer.margins(judges.frame))
    unseen: Ints = np.flatnonzero(~np.isnan(fit.chosen.calibrated[0]))
    if not len(unseen):  # nothing could be validated: the base rate, told as such
        return table, probability(fit.scorer.margins(table.frame))
    return table.rows(unseen), probability(fit.chosen.calibrated[0, unseen])


def code_version() -> str:
    """The commit that trained it, or the package's version where there is no git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        from importlib.metadata import version

        return version("leadloop")
    return done.stdout.strip()


def _check(table: TypedTable) -> None:
    rows = len(table.labels)
    if rows < FEWEST_ROWS:
        raise BadInput(f"{rows} rows with an outcome are too few to train on: at least {FEWEST_ROWS} are needed")
    if len(set(table.labels.tolist())) < 2:
        raise BadInput("all rows have the same outcome: nothing to learn from; add rows of the other outcome")
