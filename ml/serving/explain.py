"""Factors in words that a sales rep can read out."""

import math
from typing import Any

from data.domain.prediction import Factor

NEUTRAL = 0.05  # log-odds; about 5 % on the odds, which nobody would act on


def in_words(factor: Factor) -> str:
    """One factor as a sentence: what, and how much it moves the odds.

    >>> in_words(Factor(feature="page_views", value=14, contribution=0.6931))
    'page views 14 raises the odds 2.0 times'
    >>> in_words(Factor(feature="channel", value="display", contribution=-1.0986))
    'channel display lowers the odds 3.0 times'
    """
    subject = f"{factor.feature.replace('_', ' ').strip()} {_shown(factor.value)}"
    if abs(factor.contribution) < NEUTRAL:
        return f"{subject} changes little"
    verb = "raises" if factor.contribution > 0 else "lowers"
    return f"{subject} {verb} the odds {math.exp(abs(factor.contribution)):.1f} times"


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "(unknown)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)[:60]
