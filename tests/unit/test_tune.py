"""Tuning keeps its time, is never worse than what it began with, gives the same again, and gives hopeless trials up."""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from ml import checks
from ml.learners.base import Examples, Params
from ml.learners.lgbm import Booster, Lgbm
from ml.learners.registry import LEARNERS
from ml.training import tune as tuning
from ml.training.fit import fit_table
from ml.training.ladder import Prepared, Tried, TypedTable, attempt
from ml.training.split import Plan, plan
from ml.training.tune import tune

SMALL: Params = {"num_leaves": 2, "learning_rate": 0.1, "n_estimators": 5, "min_child_samples": 40}


@dataclass(frozen=True)
class Slow(Lgbm):
    """LightGBM on a clock of its own: each fit takes a second of it."""

    settings: tuple[Params, ...] = (SMALL,)
    clock: list[float] = field(default_factory=lambda: [0.0])
    rows: list[int] = field(default_factory=list)

    def fit(self, examples: Examples, params: Params, *, seed: int, watch: Examples | None = None) -> Booster:
        self.clock[0] += 1.0
        self.rows.append(len(examples.labels))
        return super().fit(examples, {**params, "n_estimators": min(params["n_estimators"], 30)}, seed=seed, watch=watch)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    learner = Slow()
    monkeypatch.setitem(LEARNERS, "lgbm", learner)
    monkeypatch.setattr(time, "monotonic", lambda: learner.clock[0])
    return learner


def table(rows: int = 900) -> TypedTable:
    frame, labels = checks.table(rows)
    return TypedTable(checks.INPUTS, frame, labels)


def started(made: TypedTable) -> tuple[Prepared, Plan, list[Tried]]:
    folds = plan(made.labels)
    prepared = Prepared(made, folds.folds, 0)
    return prepared, folds, [attempt(prepared, folds, "lgbm", SMALL)]


def silent(_stage: str) -> None:
    pass


@pytest.mark.parametrize("budget", [20.0, 60.0])
def test_the_time_is_kept(slow: Slow, budget: float) -> None:
    made = table()
    fit = fit_table(made, settings={"lgbm": (SMALL,)}, budget_seconds=budget)
    folds = len(fit.plan.folds)
    assert budget / 2 < slow.clock[0] <= budget + folds, "the last trial may begin within the time, the final fit is short"
    assert slow.rows[-1] == len(made.labels), "the final fit has all rows"


def test_what_is_found_is_better_than_what_it_started_with_and_nothing_else_is_kept(slow: Slow) -> None:
    prepared, folds, tried = started(table())
    found = tune(prepared, folds, tried, deadline=float("inf"), most_trials=8, seed=0, tell=silent)
    losses = [one.loss for one in (*tried, *found)]
    assert len(losses) > 1
    assert losses == sorted(losses, reverse=True)


def test_the_search_begins_with_the_bold_parameters(slow: Slow) -> None:
    prepared, folds, tried = started(table())
    (first,) = tune(prepared, folds, tried, deadline=float("inf"), most_trials=1, seed=0, tell=silent)
    assert slow.bold.items() <= first.params.items()


@pytest.mark.slow
def test_counted_trials_give_the_same_again() -> None:
    first, second = (
        fit_table(table(), settings={"lgbm": (SMALL,)}, budget_seconds=1e9, most_trials=4, seed=3).chosen for _ in range(2)
    )
    assert first.params == second.params
    assert first.loss == second.loss


def test_a_hopeless_trial_ends_after_its_first_fold(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, folds, tried = started(table())
    good = tune(prepared, folds, tried, deadline=float("inf"), most_trials=4, seed=0, tell=silent)
    monkeypatch.setattr(tuning, "HOPELESS", -0.5)  # now nothing is good enough
    before = slow.clock[0]
    assert tune(prepared, folds, [*tried, *good], deadline=float("inf"), most_trials=3, seed=1, tell=silent) == []
    assert slow.clock[0] - before == 3


def test_learners_without_parameters_to_tune_are_left_as_they_are() -> None:
    made = table(60)
    folds = plan(made.labels)
    prepared = Prepared(made, folds.folds, 0)
    simple: list[Any] = [attempt(prepared, folds, "logistic", {"C": 1.0})]
    assert tune(prepared, folds, simple, deadline=float("inf"), most_trials=3, seed=0, tell=silent) == []
