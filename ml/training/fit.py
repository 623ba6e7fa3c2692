"""From a typed table to a scorer: candidates on unseen rows, tuning, an ensemble, the choice, calibration, the final fit."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.calibration import Calibration, CalibrationKind
from ml.learners.base import Params
from ml.learners.registry import LEARNERS
from ml.preparation.base import Form
from ml.preparation.prepare import Preparation
from ml.scorer import Member, Scorer
from ml.training import calibrate, split
from ml.training.choose import choose
from ml.training.ladder import (
    STACK,
    Prepared,
    Tell,
    Tried,
    TypedTable,
    able,
    climb,
    in_order,
    other_rows,
    prepared,
    silent,
    stacked,
    without_level,
)  # fmt: skip
from ml.training.split import Plan
from ml.training.tune import tune

# Kept back from the budget for the final fit.
FINAL_SHARE = 0.15
EVERYTHING: dict[str, Sequence[Params]] = {name: learner.settings for name, learner in LEARNERS.items()}


@dataclass(frozen=True)
class Fit:
    """A scorer, and how it came about. `untried`: learners that the rows allow, for which the time did not last."""

    scorer: Scorer
    chosen: Tried
    tried: tuple[Tried, ...]
    plan: Plan
    calibrations: dict[str, float]
    untried: tuple[str, ...] = ()


def fit_table(
    table: TypedTable,
    *,
    settings: Mapping[str, Sequence[Params]] = EVERYTHING,
    budget_seconds: float = 30.0,
    most_trials: int | None = None,
    seed: int = 0,
    tell: Tell = silent,
) -> Fit:
    """Fits on all rows of the table. With a budget of 0 nothing is tuned, and the same seed gives the same scorer.

    `settings`: learner -> the parameters to start with; the prior always competes.
    """
    started = time.monotonic()
    twins = split.twins(table.frame)
    order = table.order if table.times is None else table.times
    plan = split.plan(table.labels, times=order, groups=table.groups, twins=twins, seed=seed)
    made = Prepared(table, plan.folds, seed)
    if not plan.folds:
        chosen = _nothing_to_validate(table)
        return Fit(_final(table, chosen, Calibration(), seed), chosen, (chosen,), plan, {})
    deadline = started + budget_seconds * (1 - FINAL_SHARE)
    candidates: Mapping[str, Sequence[Params]] = {"prior": ({},), **settings}
    tried = climb(made, plan, candidates, deadline=deadline if budget_seconds else float("inf"), tell=tell)
    untried = tuple(name for name in able(candidates, len(table.labels)) if name not in {one.learner for one in tried})
    if budget_seconds > 0 and most_trials != 0:
        tried = in_order([*tried, *tune(made, plan, tried, deadline=deadline, most_trials=most_trials, seed=seed, tell=tell)])
    if (ensemble := stacked(tried, table.labels, plan)) is not None:
        tried.append(ensemble)
    chosen = choose(tried, plan)
    tell(f"fitting {chosen.learner}")
    calibration, losses = _calibration(chosen, table, plan)
    return Fit(_final(table, chosen, calibration, seed), chosen, tuple(tried), plan, losses, untried)


def _calibration(chosen: Tried, table: TypedTable, plan: Plan) -> tuple[Calibration, dict[str, float]]:
    """Learned on the first repeat's unseen rows; judged on the folds that it did not see, along the time on later ones."""
    margins, labels = without_level(chosen.margins, table.labels, plan)[0], table.labels
    seen = np.flatnonzero(~np.isnan(margins))
    if chosen.learner == "prior":
        return calibrate.fit(CalibrationKind.NONE, margins[seen], labels[seen]), {}
    back = np.full(len(labels), -1)
    back[seen] = np.arange(len(seen))
    places = [
        (back[others], back[fold.judge])
        for number, fold in enumerate(plan.folds)
        if fold.repeat == 0 and len(others := other_rows(plan, number))
    ]
    return calibrate.choose(margins[seen], labels[seen], places)


def _final(table: TypedTable, chosen: Tried, calibration: Calibration, seed: int) -> Scorer:
    parts = chosen.members or (chosen,)
    weights = chosen.weights or (1.0,)
    preparations: dict[Form, Preparation] = {}
    members = []
    examples = {}
    for part, weight in zip(parts, weights, strict=True):
        if chosen.learner == STACK and weight < 1e-3:
            continue  # it has no say
        learner = LEARNERS[part.learner]
        if learner.form not in preparations:
            preparations[learner.form], examples[learner.form] = prepared(learner.form, table, seed)
        fitted = learner.fit(examples[learner.form], part.params, seed=seed)
        members.append(Member(part.learner, learner.form, fitted, weight))
    return Scorer(table.inputs, preparations, tuple(members), chosen.intercept, calibration)


def _nothing_to_validate(table: TypedTable) -> Tried:
    nothing = np.full((1, len(table.labels)), np.nan)
    return Tried("prior", {}, nothing, nothing, np.zeros(0), 0.0)
