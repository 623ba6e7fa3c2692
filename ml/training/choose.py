"""Which candidate serves: the simplest that is as good as the best, and the base rate where none is clearly better.

As `ml/training/ladder.py` has tried them, on rows that they had not seen.
"""

from collections.abc import Sequence

import numpy as np

from ml.learners.base import Tunable
from ml.learners.registry import LEARNERS
from ml.training.calibrate import simplest
from ml.training.ladder import Tried
from ml.training.split import Plan

# How far ahead of the prior a candidate must be. On shuffled labels one standard error was passed by the best straight line
# in 8 % of 60 tables, one and a half in 2 %; and at one error trees made three in four trainings leave the prior.
# Tuned for half a minute, the best of some dozens passed two and a half in a quarter of 12 tables.
ERRORS, ERRORS_IF_STOPPED, ERRORS_IF_TUNED = 1.5, 2.5, 4.0
LEAST_GAIN = 0.005  # of the prior's log-loss; nobody would act differently for less


def choose(tried: Sequence[Tried], plan: Plan) -> Tried:
    """The simplest within one standard error of the best, candidates in the ladder's order.

    Boosted trees share a rung, of which the best stands; with few rows, where the best of many is ahead by chance, the
    first that is as good. The prior, which comes first, is left only for a candidate that is itself clearly better: with few
    rows, one that is worse than the prior would be as good as the best within its error.
    """
    prior, *rest = tried
    if prior.learner == "prior":
        rest = [one for one in rest if _is_clearly_better(one, prior)]
        if not rest:
            return prior
    few = plan.repeats > 1
    able = [one for one in rest if few or not _is_outdone(one, rest)]
    return able[simplest([one.losses for one in able], folds=len(plan.folds) // plan.repeats if few else None)]


def _is_outdone(one: Tried, others: Sequence[Tried]) -> bool:
    """By other boosted trees: none is simpler than others, of whichever library and parameters."""
    return _is_tunable(one) and any(_is_tunable(other) and other.loss < one.loss for other in others)


def _is_tunable(one: Tried) -> bool:
    return isinstance(LEARNERS.get(one.learner), Tunable)


def _is_clearly_better(one: Tried, prior: Tried) -> bool:
    """By LEAST_GAIN, and by some standard errors; more where the rows that judge have said when to stop growing trees, and still
    more where they have said how to grow them.
    """
    gain = prior.losses - one.losses
    parts = one.members or (one,)
    errors = ERRORS_IF_STOPPED if any(map(_is_tunable, parts)) else ERRORS
    if any(part.is_found for part in parts):
        errors = ERRORS_IF_TUNED
    error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.inf
    return bool(gain.mean() > max(errors * error, LEAST_GAIN * prior.loss))
