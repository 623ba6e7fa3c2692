"""Factors in words that a sales rep can read out, in percentage points of the score."""

import math
from typing import Any

import numpy as np

from data.domain.prediction import MOST_POINTS, Factor, Grade, Observed
from ml.learners.base import carried, probability
from ml.preparation.base import Floats
from ml.serving.phrases import phrase

NEUTRAL = 0.05  # log-odds; about 5 % on the odds, which nobody would act on
FEWEST_POINTS = 0.05  # would be shown as 0.0
WHOLE_POINTS = 0.95  # from here on a decimal says nothing more
LONGEST_FEATURE, LONGEST_VALUE = 70, 60
READ_WITH_COMMAS = (1e4, 1e15)  # numbers between these


def points(contributions: Floats) -> Floats:
    """Rows x (features + 1) of log-odds, base last -> rows x features: each one's percentage points of the score.

    A row's points add up to 100 x (its score - the base value's own probability). They are the log-odds carried through
    the logistic curve (`carried`): signs stay, and none is beyond 100.
    """
    return np.clip(100 * carried(contributions, probability)[:, :-1], -MOST_POINTS, MOST_POINTS)


def in_words(factor: Factor) -> str:
    """One factor as a line: what, and by how much it moves the score; the odds where its points are not known.

    >>> in_words(Factor(feature="page_views", value=14, contribution=0.6931, points=12.4))
    '14 pages seen: +12 points'
    >>> in_words(Factor(feature="is_first_visit", value=True, contribution=-0.2, points=-0.61))
    'on its first visit: -0.6 points'
    >>> in_words(Factor(feature="channel", value="display", contribution=-1.0986))
    'came by display: lowers the odds 3.0 times'
    """
    subject = phrase(factor.feature, factor.value) or f"{plain(factor.feature)} {shown(factor.value)}"
    if factor.points is not None:
        return f"{subject}: {points_in_words(factor.points)}"
    if abs(factor.contribution) < NEUTRAL:
        return f"{subject}: changes little"
    verb = "raises" if factor.contribution > 0 else "lowers"
    return f"{subject}: {verb} the odds {math.exp(abs(factor.contribution)):.1f} times"


def sureness(letter: Grade, observed: Observed | None) -> str:
    """How far a grade can be trusted: what became of rows of this grade that the version had not seen.

    >>> sureness(Grade.A, Observed(grade=Grade.A, rows=240, rate=0.62, low=0.556, high=0.68))
    'of 240 unseen rows of grade A 62% were won; 95% sure: between 56% and 68%'
    >>> sureness(Grade.B, None)
    'no unseen row had grade B: nothing is known of how often such leads are won'
    """
    if observed is None:
        return f"no unseen row had grade {letter}: nothing is known of how often such leads are won"
    rate, low, high = (f"{value:.0%}" for value in (observed.rate, observed.low, observed.high))
    rows = f"{observed.rows:,} unseen row{'' if observed.rows == 1 else 's'}"
    return f"of {rows} of grade {letter} {rate} were won; 95% sure: between {low} and {high}"


def points_in_words(change: float) -> str:
    """Points with their sign.

    >>> [points_in_words(change) for change in (12.4, -1.2, 0.31, 0.01)]
    ['+12 points', '-1 point', '+0.3 points', 'changes little']
    """
    if abs(change) < FEWEST_POINTS:
        return "changes little"
    told = f"{change:+.0f}" if abs(change) >= WHOLE_POINTS else f"{change:+.1f}"
    return f"{told} {'point' if told in ('+1', '-1') else 'points'}"


def plain(feature: str) -> str:
    """A feature's name as it is said: `page_views` -> page views."""
    return " ".join(feature.replace("_", " ").split())[:LONGEST_FEATURE]


def shown(value: Any) -> str:
    """A value as a person would say it."""
    if value is None or value == "":
        return "(unknown)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and READ_WITH_COMMAS[0] <= abs(value) < READ_WITH_COMMAS[1]:
        return f"{value:,.0f}"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)[:LONGEST_VALUE]
