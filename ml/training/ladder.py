"""The ladder: every learner that the rows allow competes on rows it has not seen, and the simplest that is as good serves.

The same for 5 rows and 500,000: with few of them the base rate is hard to beat, and it is always a candidate.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.calibration import CalibrationKind
from ml.features.inputs import Input
from ml.learners import forest
from ml.learners.base import Examples, Fitted, Params, Tunable, shift_to_level
from ml.learners.registry import LEARNERS
from ml.preparation import prepare
from ml.preparation.base import Floats, Form, Ints
from ml.preparation.prepare import Preparation
from ml.training import stack
from ml.training.calibrate import fit, row_losses
from ml.training.split import Fold, Plan

STACK = "stack"
MOST_MEMBERS = 4
FEWEST_FOR_STACK = 1_000
# Seldom serves, and slows down more than the others on a busy machine: where the time is short it is the one to go without.
SLOW = (forest.LEARNER.name,)

Tell = Callable[[str], None]


def silent(_stage: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class TypedTable:
    """What a training sees: a typed frame in time order, its inputs, and the labels (0 or 1).

    `times`: each row's moment in days since 1970, oldest first; validation then goes along the time. `groups`: rows of one
    group (identity) are never on both sides. `ids`: a name for each row, by which it is known again in a later training.
    `order`: what the rows are sorted by where it is no time, as a running number; validation goes along it too.
    """

    inputs: tuple[Input, ...]
    frame: pl.DataFrame
    labels: Ints
    times: Floats | None = None
    groups: NDArray[Any] | None = None
    ids: pl.Series | None = None
    order: Floats | None = None

    def rows(self, places: Ints) -> "TypedTable":
        return TypedTable(
            self.inputs,
            self.frame[places],
            self.labels[places],
            times=None if self.times is None else self.times[places],
            groups=None if self.groups is None else self.groups[places],
            ids=None if self.ids is None else self.ids[places],
            order=None if self.order is None else self.order[places],
        )


@dataclass(frozen=True)
class Tried:
    """A candidate and how it did on unseen rows.

    `margins` are repeats x rows, NaN where a row was never unseen; `calibrated` the same after a sigmoid that did not
    see the row either; `losses` the calibrated log-loss of each row that was judged, averaged over repeats.
    """

    learner: str
    params: Params
    margins: Floats
    calibrated: Floats
    losses: Floats
    seconds: float
    members: tuple["Tried", ...] = ()
    weights: tuple[float, ...] = ()
    intercept: float = 0.0
    is_found: bool = False
    """Whether its parameters were found by tuning: the best of many tries is ahead by chance."""

    @property
    def loss(self) -> float:
        return float(self.losses.mean())


@dataclass
class Prepared:
    """Each fold's matrices, made once for all learners of a form."""

    table: TypedTable
    folds: Sequence[Fold]
    seed: int
    _made: dict[tuple[int, Form], tuple[Examples, Examples]] = field(default_factory=dict)

    def fold(self, place: int, form: Form) -> tuple[Examples, Examples]:
        """The rows that teach and those that judge."""
        if (place, form) not in self._made:
            fold = self.folds[place]
            preparation, examples = prepared(form, self.table.rows(fold.train), self.seed)
            judge = self.table.rows(fold.judge)
            self._made[place, form] = (examples, Examples(preparation.apply(judge.frame), preparation.columns, judge.labels))
        return self._made[place, form]

    def keep(self, forms: Collection[Form]) -> None:
        """Lets go of all others: a wide table's matrices fill the memory."""
        self._made = {(place, form): made for (place, form), made in self._made.items() if form in forms}


def prepared(form: Form, table: TypedTable, seed: int) -> tuple[Preparation, Examples]:
    preparation, matrix = prepare.fit(form, table.inputs, table.frame, table.labels, seed=seed, groups=table.groups)
    return preparation, Examples(matrix, preparation.columns, table.labels)


def climb(made: Prepared, plan: Plan, settings: Mapping[str, Sequence[Params]], *, deadline: float, tell: Tell) -> list[Tried]:
    """Tries the learners that the rows allow, quick ones first; after `deadline` (of time.monotonic) no further one.

    One other than the prior is tried however late it is: that there is no signal must not be said unseen. The tries come back in
    the ladder's order, from simple to complex.
    """
    tried: list[Tried] = []
    names = sorted(able(settings, len(made.table.labels)), key=SLOW.__contains__)
    for place, name in enumerate(names):
        for params in settings[name]:
            if time.monotonic() > deadline and any(one.learner != "prior" for one in tried):
                return in_order(tried)
            tell(name)
            tried.append(attempt(made, plan, name, params))
        made.keep({LEARNERS[one].form for one in names if one in names[place + 1 :] or isinstance(LEARNERS[one], Tunable)})
    return in_order(tried)


def in_order(tried: Sequence[Tried]) -> list[Tried]:
    """From simple to complex; those of one learner as they came."""
    return sorted(tried, key=lambda one: list(LEARNERS).index(one.learner))


def able(settings: Mapping[str, Sequence[Params]], rows: int) -> list[str]:
    """The learners with settings to try that so many rows allow, simple first."""
    return [name for name, learner in LEARNERS.items() if rows >= learner.fewest_rows and settings.get(name)]


def attempt(made: Prepared, plan: Plan, name: str, params: Params, *, check: Callable[[int, float], None] | None = None) -> Tried:
    """Validates one candidate over all folds. `check(fold, mean loss so far)` may raise to give it up."""
    started = time.monotonic()
    learner = LEARNERS[name]
    fits: list[Fitted] = []
    losses: list[float] = []
    for place in range(len(plan.folds)):
        teach, judge = made.fold(place, learner.form)
        # Cleaning may leave no column, of texts with no word in common for example: then there is the base rate to learn.
        able = learner if teach.columns else LEARNERS["prior"]
        fitted = able.fit(teach, params, seed=made.seed, watch=judge)
        fits.append(fitted)
        losses.append(float(row_losses(fitted.margins(judge.matrix), judge.labels).mean()))
        if check is not None:
            check(place, losses[-1])
    if rounds := [fitted.rounds for fitted in fits if hasattr(fitted, "rounds")]:
        # One number of rounds for all folds (the best of each would flatter it), and that many for the final fit.
        common = int(np.median(rounds))
        params = {name: value for name, value in params.items() if name != "early_stopping_rounds"} | {"n_estimators": common}
        fits = [fitted.cut(common) if hasattr(fitted, "cut") else fitted for fitted in fits]
    margins = np.full((plan.repeats, len(made.table.labels)), np.nan)
    for place, (fold, fitted) in enumerate(zip(plan.folds, fits, strict=True)):
        margins[fold.repeat, fold.judge] = fitted.margins(made.fold(place, learner.form)[1].matrix)
    return judged(made.table.labels, plan, name, params, margins, time.monotonic() - started)


def judged(labels: Ints, plan: Plan, name: str, params: Params, margins: Floats, seconds: float) -> Tried:
    calibrated = margins if name == "prior" else cross_calibrated(margins, labels, plan)
    return Tried(name, params, margins, calibrated, unseen_losses(calibrated, labels), seconds)


def cross_calibrated(margins: Floats, labels: Ints, plan: Plan) -> Floats:
    """Each fold's log-odds through a sigmoid learned on the other folds; along the time, on the earlier ones."""
    calibrated, lessons = margins.copy(), without_level(margins, labels, plan)
    for place, fold in enumerate(plan.folds):
        others = other_rows(plan, place)
        if len(others):
            sigmoid = fit(CalibrationKind.SIGMOID, lessons[fold.repeat, others], labels[others])
            calibrated[fold.repeat, fold.judge] = sigmoid.apply(margins[fold.repeat, fold.judge])
    return calibrated


def without_level(margins: Floats, labels: Ints, plan: Plan) -> Floats:
    """What calibrations and ensembles learn from: along the time, each part's log-odds at the part's own level.

    How often the outcome comes changes with the time. That the models of the past were behind or ahead of it says nothing
    on the last one, which has learned from all of it; at random folds, a level that is off is the learner's own.
    """
    if not plan.in_time:
        return margins
    level = margins.copy()
    for fold in plan.folds:
        level[fold.repeat, fold.judge] += shift_to_level(margins[fold.repeat, fold.judge], labels[fold.judge])
    return level


def other_rows(plan: Plan, place: int) -> Ints:
    """The rows judged in the other folds of the same repeat; along the time, in the earlier folds only."""
    repeat = plan.folds[place].repeat
    others = [
        fold.judge
        for number, fold in enumerate(plan.folds)
        if fold.repeat == repeat and (number < place if plan.in_time else number != place)
    ]
    return np.concatenate(others) if others else np.zeros(0, dtype=np.int64)


def unseen_losses(margins: Floats, labels: Ints) -> Floats:
    """The log-loss of each row that was judged, averaged over the repeats."""
    there = ~np.isnan(margins)
    losses = np.where(there, row_losses(np.where(there, margins, 0.0), labels[None, :]), 0.0)
    counts = there.sum(axis=0)
    seen = counts > 0
    return np.asarray(losses.sum(axis=0)[seen] / counts[seen], dtype=np.float64)


def stacked(tried: Sequence[Tried], labels: Ints, plan: Plan) -> Tried | None:
    """The best of each learner together; None where there are not two, or too few rows to learn weights on."""
    members = best_of_each(tried)[:MOST_MEMBERS]
    if len(members) < 2 or len(labels) < FEWEST_FOR_STACK:
        return None
    started = time.monotonic()
    margins = np.stack([member.margins for member in members], axis=-1)
    lessons = np.stack([without_level(member.margins, labels, plan) for member in members], axis=-1)
    mixed = np.full(margins.shape[:2], np.nan)
    for place, fold in enumerate(plan.folds):
        others = other_rows(plan, place)
        if len(others):
            shares, shift = stack.weights(lessons[fold.repeat, others], labels[others])
        else:
            shares, shift = np.full(len(members), 1 / len(members)), 0.0
        mixed[fold.repeat, fold.judge] = margins[fold.repeat, fold.judge] @ shares + shift
    there = ~np.isnan(mixed)
    shares, shift = stack.weights(lessons[there], np.broadcast_to(labels, mixed.shape)[there])
    found = judged(labels, plan, STACK, {}, mixed, time.monotonic() - started)
    return Tried(
        STACK, {}, found.margins, found.calibrated, found.losses, found.seconds, tuple(members), tuple(shares.tolist()), shift
    )


def best_of_each(tried: Sequence[Tried]) -> list[Tried]:
    """The best candidate of each learner but the prior, best first."""
    best: dict[str, Tried] = {}
    for one in tried:
        if one.learner not in ("prior", STACK) and (one.learner not in best or one.loss < best[one.learner].loss):
            best[one.learner] = one
    return sorted(best.values(), key=lambda one: one.loss)


def as_row(one: Tried, best: Tried) -> Mapping[str, Any]:
    """A line of the report: who, how good, how far from the best."""
    behind = one.losses - best.losses
    error = float(behind.std(ddof=1) / np.sqrt(len(behind))) if len(behind) > 1 else 0.0
    return {
        "learner": one.learner,
        "params": dict(one.params),
        "log_loss": one.loss,
        "behind": float(behind.mean()),
        "behind_error": error,
        "seconds": one.seconds,
    }
