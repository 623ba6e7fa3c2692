"""TABLE of what must hold of a prediction before it is taken, whoever made it. Each check is a pure function of what is given.

Numbers may have been rewritten on their way (n8n is JavaScript, and what lies between may print fewer digits), so nothing is
compared to the last bit.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from data.domain.entity import EntityRef
from data.domain.prediction import Prediction, grade, label
from data.errors import BadInput, LeadloopError, NotFound
from ml.features.date_text import FIRST_DAY, LAST_DAY
from ml.features.inputs import Input, InputKind, typed_value
from ml.version import Card

# Of the log-odds, relative to the sizes that were added up: far more than doubles lose, far less than anybody would see.
TOLERANCE = 1e-6
# Two probabilities this close are one number, written twice.
SAME = 1e-9
# Percentage points add up to this; what is shown of them has one decimal.
POINTS_TOLERANCE = 1e-4
# Between the clocks of the machines that a prediction passes. As long as signatures are let be old.
CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True)
class Given:
    """A prediction that was handed in, with what is known here of that which it speaks of.

    `card`: of the version that it names; None where that is unknown. `entity`, `happened_at`: its event's. `repeat`: the event
    has this model's prediction already, so that this one changes nothing.
    """

    prediction: Prediction
    found: Card | None
    entity: EntityRef
    happened_at: datetime
    now: datetime
    max_age: timedelta
    repeat: bool = False

    @property
    def card(self) -> Card:
        assert self.found is not None, "`version` is checked first"
        return self.found


@dataclass(frozen=True)
class Check:
    """`fault` says what is wrong, with the field of the prediction that is meant, or None."""

    name: str
    means: str
    fault: Callable[[Given], LeadloopError | None]
    status: int = BadInput.status


def fault_of(checks: tuple[Check, ...], given: Given) -> LeadloopError | None:
    """What the first check says that a prediction does not pass."""
    return next((found for check in checks if (found := check.fault(given)) is not None), None)


def _version(given: Given) -> LeadloopError | None:
    named = given.prediction
    if given.found is not None:
        return None
    return NotFound(f"model {named.model!r} has no version {named.model_version!r} here", field="model_version")


def _identity(given: Given) -> LeadloopError | None:
    theirs = given.prediction.entity
    if theirs == given.entity:
        return None
    return BadInput(f"the event is about {given.entity}, the prediction about {theirs or 'nobody'}", field="entity")


def _finite(given: Given) -> LeadloopError | None:
    prediction = given.prediction
    values = {"features": prediction.features, "factors": [factor.value for factor in prediction.factors]}
    for name, value in values.items():
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            return BadInput("has a number that is none, or is infinite", field=name)
    return None


def _confidence(given: Given) -> LeadloopError | None:
    score, told = given.prediction.score, given.prediction.confidence
    wanted = max(score, 1 - score)
    if abs(told - wanted) <= SAME:
        return None
    return BadInput(f"must be {wanted:.6g}, the larger one of the score and its opposite, not {told:.6g}", field="confidence")


def _label(given: Given) -> LeadloopError | None:
    prediction = given.prediction
    fitting = {label(score, prediction.threshold) for score in _around(prediction.score)}
    if prediction.label in fitting:
        return None
    said = f"a score of {prediction.score:.6g} is {min(fitting)} at the threshold of {prediction.threshold:.6g}"
    return BadInput(f"{said}, not {prediction.label}", field="label")


def _grade(given: Given) -> LeadloopError | None:
    prediction, base_rate = given.prediction, given.card.base_rate
    fitting = {grade(score, base_rate) for score in _around(prediction.score)}
    if prediction.grade in fitting:
        return None
    said = f"a score of {prediction.score:.6g} has grade {min(fitting)} at this version's base rate of {base_rate:.6g}"
    return BadInput(f"{said}, not {prediction.grade}", field="grade")


def _around(score: float) -> Iterator[float]:
    yield from (max(score - SAME, 0.0), score, min(score + SAME, 1.0))


def _freshness(given: Given) -> LeadloopError | None:
    as_of = given.prediction.as_of
    if as_of is None:
        return _untold(given)
    if as_of > given.now + CLOCKS_DIFFER:
        return BadInput(f"{as_of:%Y-%m-%d %H:%M} lies in the future", field="as_of")
    if as_of < given.happened_at - CLOCKS_DIFFER:
        return BadInput(f"{as_of:%Y-%m-%d %H:%M} lies before the event, {given.happened_at:%Y-%m-%d %H:%M}", field="as_of")
    if not given.repeat and given.now - as_of > given.max_age:
        hours = given.max_age / timedelta(hours=1)
        return BadInput(f"is more than {hours:g} hours old: ask the model again", field="as_of")
    return None


def _untold(given: Given) -> LeadloopError | None:
    """Nobody has to say it, and what does not is left out of the monitoring. It is no older than its event, which may be fresh."""
    if given.repeat or given.now - given.happened_at <= given.max_age:
        return None
    hours = given.max_age / timedelta(hours=1)
    return BadInput(f"is missing, and its event is more than {hours:g} hours old: say as of when it is made", field="as_of")


def _inputs(given: Given) -> LeadloopError | None:
    columns = {column.name: column for column in given.card.inputs}
    for name, value in given.prediction.features.items():
        if name not in columns:
            return BadInput(f"{name!r} is no input of {given.card.model} {given.card.version}", field="features")
        try:
            _read(columns[name], value)
        except BadInput as error:
            return BadInput(error.detail, field=f"features.{name}")
    return None


def _read(column: Input, value: Any) -> None:
    """A date is given to a version as days since 1970; read as a date once more, they would be taken for something else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if column.kind is InputKind.DATE and is_number and FIRST_DAY <= value < LAST_DAY + 1:
        return
    typed_value(column, value, strictly=True)


def _factors(given: Given) -> LeadloopError | None:
    named = Counter(factor.feature for factor in given.prediction.factors)
    if strangers := sorted(named.keys() - set(given.card.input_names)):
        return BadInput(f"{strangers[0]!r} is no input of {given.card.model} {given.card.version}", field="factors")
    if twice := [name for name, times in named.items() if times > 1]:
        return BadInput(f"{twice[0]!r} is there {named[twice[0]]} times", field="factors")
    return None


def _explanation(given: Given) -> LeadloopError | None:
    prediction = given.prediction
    parts = [prediction.base_value, *(factor.contribution for factor in prediction.factors)]
    wanted = logistic(math.fsum(parts))
    # An error of the log-odds moves the score by so much; and a double is no finer than that.
    slack = TOLERANCE * max(1.0, math.fsum(map(abs, parts))) * wanted * (1 - wanted) + 8 * sys.float_info.epsilon * wanted
    if abs(prediction.score - wanted) <= slack:
        return None
    said = f"base_value and contributions add up to a score of {wanted:.6g}, not {prediction.score:.6g}"
    return BadInput(f"{said}: every factor must be there", field="factors")


def _points(given: Given) -> LeadloopError | None:
    prediction = given.prediction
    points = [factor.points for factor in prediction.factors if factor.points is not None]
    if len(points) < len(prediction.factors) or not points:
        return None
    wanted = 100 * (prediction.score - logistic(prediction.base_value))
    if abs(math.fsum(points) - wanted) <= POINTS_TOLERANCE:
        return None
    said = f"the points add up to {math.fsum(points):.6g}, not to the {wanted:.6g} between the base value and the score"
    return BadInput(said, field="factors")


def logistic(log_odds: float) -> float:
    """Log-odds as a probability, exact at both ends.

    >>> logistic(0.0), logistic(-800.0), logistic(800.0)
    (0.5, 0.0, 1.0)
    """
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1 + odds)


FRESH = "`as_of` is not before the event, not in the future, and not too old; it may be missing while the event itself is not"
OF_ANY_PREDICTION: tuple[Check, ...] = (
    Check("version", "model and version are known here, replaced ones too while their copy is", _version, NotFound.status),
    Check("identity", "it is about the entity of its event", _identity),
    Check("freshness", FRESH, _freshness),
    Check("finite", "every number is one", _finite),
    Check("inputs", "its `features` are inputs of the version, and of their kinds", _inputs),
    Check("factors", "each factor is an input of the version, and there once", _factors),
)  # fmt: skip
OF_A_PROBABILITY: tuple[Check, ...] = (
    Check("confidence", "`confidence` is the larger one of the score and its opposite", _confidence),
    Check("label", "`label` follows from score and threshold", _label),
    Check("grade", "`grade` follows from the score and the version's base rate", _grade),
    Check("explanation", "`base_value` and all contributions add up to the log-odds of the score", _explanation),
    Check("points", "the points, where every factor has them, add up to the score less the base value's probability", _points),
)
