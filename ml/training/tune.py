"""Tuning of boosted trees inside a time budget, by Optuna's tree-structured Parzen estimator; hopeless trials end early.

Akiba and others 2019, "Optuna: A next-generation hyperparameter optimization framework".
"""

import time
from dataclasses import replace
from typing import Any

from ml.learners.base import Tunable
from ml.learners.registry import LEARNERS
from ml.training.ladder import Prepared, Tell, Tried, attempt
from ml.training.split import Plan

# A trial whose first folds are worse than the best's by more than this share is given up.
HOPELESS = 0.02


def tune(
    made: Prepared, plan: Plan, tried: list[Tried], *, deadline: float, most_trials: int | None, seed: int, tell: Tell
) -> list[Tried]:
    """Tries further parameters of the learners that can be tuned, turn by turn, until the deadline; returns what was tried.

    With `most_trials` the result depends on the seed alone; without, also on how fast the machine is.
    """
    learners = {one.learner: learner for one in tried if isinstance(learner := LEARNERS[one.learner], Tunable)}
    names = list(learners)
    if not names:
        return []
    studies = {name: _study(learner, seed + place) for place, (name, learner) in enumerate(learners.items())}
    best = {one.learner: one for one in tried if one.learner in names}
    slowest = {one.learner: one.seconds for one in best.values()}
    found: list[Tried] = []
    count = 0
    while most_trials is None or count < most_trials:
        # Turn by turn, but a learner that is clearly behind gets every third turn only.
        name = _turn(names, {name: one.loss for name, one in best.items()}, count)
        if time.monotonic() + slowest[name] > deadline:
            break
        tell(f"tuning {name}, trial {count + 1}")
        count += 1
        one = _trial(studies[name], learners[name], made, plan, best[name])
        if one is None:
            continue
        slowest[name] = max(slowest[name] * 0.7, one.seconds)
        if one.loss < best[name].loss:
            best[name] = one
            found.append(one)
    return found


def _study(learner: Tunable, seed: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True))
    study.enqueue_trial(dict(learner.bold))
    return study


def _turn(names: list[str], losses: dict[str, float], count: int) -> str:
    ranked = sorted(names, key=losses.__getitem__)
    if len(ranked) == 1:
        return ranked[0]
    clearly = losses[ranked[1]] > losses[ranked[0]] * 1.005
    return ranked[1] if (count % 3 == 2 if clearly else count % 2 == 1) else ranked[0]


def _trial(study: Any, learner: Tunable, made: Prepared, plan: Plan, best: Tried) -> Tried | None:
    import optuna

    trial = study.ask()
    params = learner.suggest(trial)
    seen: list[float] = []

    def check(fold: int, loss: float) -> None:
        seen.append(loss)
        mean = sum(seen) / len(seen)
        if mean > _mean_of(best, plan, len(seen), made) * (1 + HOPELESS):
            study.tell(trial, mean)
            raise optuna.TrialPruned

    try:
        one = attempt(made, plan, best.learner, params, check=check)
    except optuna.TrialPruned:
        return None
    study.tell(trial, one.loss)
    return replace(one, is_found=True)


def _mean_of(one: Tried, plan: Plan, folds: int, made: Prepared) -> float:
    from ml.training.calibrate import row_losses

    labels = made.table.labels
    means = [float(row_losses(one.margins[fold.repeat, fold.judge], labels[fold.judge]).mean()) for fold in plan.folds[:folds]]
    return sum(means) / len(means)
