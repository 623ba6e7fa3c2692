"""A prediction: what one version of one model says of one entity, with the factors that made it say so."""

import math
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from data.domain.entity import EntityRef
from data.domain.traffic import Variant

Probability = Annotated[float, Field(ge=0, le=1)]


class Label(StrEnum):
    HIGH = "high"
    LOW = "low"


class Grade(StrEnum):
    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


# The odds of winning against the odds of an average lead (the version's base rate): A is four times and more.
# Relative to the base rate, so that a grade means the same whether 5 % or 50 % of an account's leads are won.
GRADES: tuple[tuple[Grade, float], ...] = ((Grade.A, 4.0), (Grade.B, 2.0), (Grade.C, 1.0), (Grade.D, 0.5))


# Far beyond any tree's; e to this is still a float.
LARGEST_LOG_ODDS = 500.0
MOST_POINTS = 100.0


def percent(probability: float, *, decimals: int = 0) -> str:
    """A probability for people to read. Nothing that is open is certain: it never says 0 % or 100 %.

    >>> percent(0.126), percent(0.126, decimals=1), percent(0.9996), percent(0.004)
    ('13%', '12.6%', 'over 99%', 'under 1%')
    """
    least = 10.0 ** -(2 + decimals)
    if probability < least:
        return f"under {least:.{decimals}%}"
    if probability > 1 - least:
        return f"over {1 - least:.{decimals}%}"
    return f"{probability:.{decimals}%}"


class Factor(BaseModel):
    """One feature's signed contribution, in log-odds. A version's base value plus all factors is the score's."""

    model_config = ConfigDict(frozen=True, protected_namespaces=(), use_attribute_docstrings=True)

    feature: str
    """An input of the version."""
    value: Any = None
    """What it was."""
    contribution: Annotated[float, Field(ge=-LARGEST_LOG_ODDS, le=LARGEST_LOG_ODDS)]
    """Its share of the log-odds."""
    points: Annotated[float, Field(ge=-MOST_POINTS, le=MOST_POINTS)] | None = None
    """The percentage points of the score that are due to it; all of them add up to the score less the base value's own
    probability. None where whoever made the prediction did not say.
    """


class Observed(BaseModel):
    """How rows of one grade turned out that the version had not seen: the share won, with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    grade: Grade
    rows: int
    rate: Probability
    low: Probability
    high: Probability


class Prediction(BaseModel):
    """What one version says of one entity: a probability, and how it came about."""

    model_config = ConfigDict(frozen=True, protected_namespaces=(), use_attribute_docstrings=True)

    model: str
    """What is predicted."""
    model_version: str
    """The version that says so."""
    variant: Variant = Variant.CHAMPION
    """Whether it answers as champion or as challenger."""
    entity: EntityRef | None = None
    """Whom it is about. Handed in, it must be the entity of its event."""
    score: Probability
    """The probability that it comes about."""
    label: Label
    """`high` above the threshold."""
    grade: Grade
    """The odds of the score over those of the version's base rate."""
    threshold: Probability
    """The score above which a lead is hot."""
    confidence: Probability
    """max(p, 1 - p) of the score."""
    base_value: Annotated[float, Field(ge=-LARGEST_LOG_ODDS, le=LARGEST_LOG_ODDS)]
    """Log-odds before any factor."""
    factors: tuple[Factor, ...]
    """Every input with its share of the log-odds."""
    as_of: AwareDatetime | None = None
    """The moment whose visible facts it is made of."""
    features: dict[str, Any] = {}
    """The version's inputs as they were given to it."""


def grade(score: float, base_rate: float) -> Grade:
    """The letter for a score: its odds over the odds of the base rate, looked up in GRADES."""
    ratio = _odds(score) / _odds(base_rate)
    return next((letter for letter, least in GRADES if ratio >= least), Grade.E)


def label(score: float, threshold: float) -> Label:
    return Label.HIGH if score > threshold else Label.LOW


def _odds(probability: float) -> float:
    # Half a float's resolution away from 0 and 1, where odds are undefined.
    clipped = min(max(probability, 1e-9), 1 - 1e-9)
    return clipped / (1 - clipped) if not math.isnan(clipped) else 0.0
