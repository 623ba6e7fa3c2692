"""Trains one version: the earlier 80 % teach, the newest 20 % judge. With few rows all teach, and the folds judge."""

import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from data.errors import BadInput
from data.settings import ROOT
from ml.features.inputs import Input
from ml.features.momentum import Norms
from ml.learners.base import log_odds, probability
from ml.models.base import Model
from ml.monitoring.reference import Reference, refer
from ml.preparation.base import Floats, Ints
from ml.training import evaluate
from ml.training.fit import Fit, fit_table
from ml.training.ladder import Tell, TypedTable, silent
from ml.training.leakage import Findings
from ml.training.rows import Rows, row_keys, write_rows
from ml.training.split import cut_of, judges
from ml.version import QUANTILES, Card, Version, member_cards, save

UNREGISTERED = "unregistered"
FEWEST_ROWS = 2


@dataclass(frozen=True)
class Trained:
    """A version before the registry has numbered it, with the unseen rows that judged it and how it came about.

    `judged`: their places in `table`, of which the first `card.rows_train` taught; `judges`: those rows. `notes` of the
    reader, `findings` of the leak guard. `outcomes`: what the user's table calls the outcome and its opposite. `raw`: the
    table's rows with all of their columns, as they came.
    """

    version: Version
    fit: Fit
    judges: TypedTable
    scores: Floats
    table: TypedTable
    judged: Ints
    notes: tuple[str, ...] = ()
    findings: Findings | None = None
    outcomes: tuple[str, str] = ("yes", "no")
    raw: pl.DataFrame | None = None

    @property
    def card(self) -> Card:
        return self.version.card

    @property
    def rows(self) -> Rows:
        """Which rows taught and which judged, to be kept with the version."""
        keys = keys_of(self.table, self.card, self.table.frame)
        judged = pl.DataFrame({"key": keys[self.judged], "label": self.judges.labels, "margin": log_odds(self.scores)})
        return Rows(judged, keys[: self.card.rows_train])

    @property
    def reference(self) -> Reference:
        """What it learned from, in short, for later rows to be held against."""
        taught, groups = self.card.rows_train, self.table.groups
        return refer(
            self.card.inputs, self.table.frame[:taught], self.scores,
            groups=None if groups is None else groups[:taught],
            score_groups=self.judges.groups,
        )  # fmt: skip


def keys_of(table: TypedTable, card: Card, frame: pl.DataFrame) -> pl.Series:
    """The names of a table's rows for a version with this card, which reads them as `frame`; by moments if it had them."""
    names = card.input_names
    return row_keys(frame, names, ids=table.ids, times=table.times if card.moment else None)


def train(
    model: Model,
    table: TypedTable,
    *,
    data_hash: str,
    now: datetime,
    moment: Input | None = None,
    id_column: str | None = None,
    norms: Norms | None = None,
    budget_seconds: float = 0.0,
    most_trials: int | None = None,
    seed: int = 0,
    tell: Tell = silent,
) -> Trained:
    """Trains on the earlier rows, judges by the newest. Without a budget nothing is tuned.

    `moment`: what a row's own moment is called, where dates are durations up to it. `id_column`: what the user's table calls
    its ids. `norms`: of the facts that the features were computed with.

    Raises:
        BadInput: no rows, or one outcome only.
    """
    _check(table)
    cut = cut_of(len(table.labels))
    fit = fit_table(
        table.rows(np.arange(cut)),
        settings=model.learners,
        budget_seconds=budget_seconds,
        most_trials=most_trials,
        seed=seed,
        tell=tell,
    )
    judged, scores = _judged(fit, table, cut)
    unseen = table.rows(judged)
    base_rate = float(table.labels[:cut].mean())
    card = Card(
        model=model.name,
        version=UNREGISTERED,
        learner=fit.chosen.learner,
        entity=model.entity,
        target=model.target,
        inputs=table.inputs,
        moment=moment,
        id_column=id_column,
        norms=norms or Norms(),
        members=member_cards(fit.scorer),
        intercept=fit.scorer.intercept,
        calibration=fit.scorer.calibration,
        base_rate=base_rate,
        holdout_quantiles=tuple(np.quantile(scores, np.linspace(0, 1, QUANTILES)).tolist()),
        observed=evaluate.by_grade(unseen.labels, scores, base_rate),
        # A figure that needs both outcomes is left out where there is one.
        metrics={name: value for name, value in evaluate.figures(unseen.labels, scores).items() if np.isfinite(value)},
        params=dict(fit.chosen.params),
        rows_train=cut,
        rows_holdout=len(judged) if cut < len(table.labels) else 0,
        seed=seed,
        data_hash=data_hash,
        code_version=code_version(),
        trained_at=now,
    )
    return Trained(Version(card, fit.scorer), fit, unseen, scores, table, judged)


def save_trained(trained: Trained, folder: Path) -> None:
    """Writes the version, which rows it has learned from and was judged by, and what they were like, into an existing folder."""
    save(trained.version, folder, reference=trained.reference)
    write_rows(trained.rows, folder)


def _judged(fit: Fit, table: TypedTable, cut: int) -> tuple[Ints, Floats]:
    """The places of the rows that judge, and their scores by models that had not seen them."""
    if cut < len(table.labels):
        newest = judges(table.labels, table.groups, cut)
        return newest, probability(fit.scorer.margins(table.frame[newest]))
    unseen: Ints = np.flatnonzero(~np.isnan(fit.chosen.calibrated[0]))
    if not len(unseen):  # nothing could be validated: the base rate, told as such
        return np.arange(len(table.labels)), probability(fit.scorer.margins(table.frame))
    return unseen, probability(fit.chosen.calibrated[0, unseen])


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
