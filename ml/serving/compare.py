"""What changed between two predictions, and by how much: in log-odds, in points, and in words."""

import math
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from data.domain.prediction import Factor, Prediction, percent
from ml.serving.explain import FEWEST_POINTS, plain, points, points_in_words, shown

MOST_IN_WORDS = 5


class Side(BaseModel):
    """One of the two predictions. `log_odds` is the base value and all contributions together."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model_version: str
    score: float
    base_value: float
    log_odds: float


class Change(BaseModel):
    """One feature before and after. A feature that one of the versions does not know contributes 0 there."""

    model_config = ConfigDict(frozen=True)

    feature: str
    before: Any
    after: Any
    contribution_before: float
    contribution_after: float
    contribution_change: float
    points_before: float
    points_after: float
    points_change: float
    in_words: str


class Comparison(BaseModel):
    """Two predictions of one model, the largest change first.

    `log_odds_change` is the sum of all `contribution_change`s and `base_change`, the version's own part (0 within one
    version, but for rounding); `points_change` is that of all `points_change`s and `base_points_change`.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    before: Side
    after: Side
    log_odds_change: float
    points_change: float
    base_change: float
    base_points_change: float
    changes: tuple[Change, ...]
    summary: str


def compare(before: Prediction, after: Prediction) -> Comparison:
    """Compares two predictions of one model, of the same version or not."""
    sides = _side(before), _side(after)
    changes = _changes(before, after)
    log_odds = sides[1].log_odds - sides[0].log_odds
    moved = 100 * (after.score - before.score)
    # The rest of both sums, so that they are exact.
    base = log_odds - math.fsum(change.contribution_change for change in changes)
    base_points = moved - math.fsum(change.points_change for change in changes)
    return Comparison(
        model=after.model,
        before=sides[0],
        after=sides[1],
        log_odds_change=log_odds,
        points_change=moved,
        base_change=base,
        base_points_change=base_points,
        changes=changes,
        summary=_summary(before, after, changes, base_points),
    )


def _side(prediction: Prediction) -> Side:
    total = math.fsum((prediction.base_value, *(factor.contribution for factor in prediction.factors)))
    return Side(model_version=prediction.model_version, score=prediction.score, base_value=prediction.base_value, log_odds=total)


def _changes(before: Prediction, after: Prediction) -> tuple[Change, ...]:
    old, new = _with_points(before), _with_points(after)
    found = [_change(name, old.get(name), new.get(name)) for name in {**old, **new}]
    return tuple(sorted(found, key=lambda change: (-abs(change.contribution_change), change.feature)))


def _with_points(prediction: Prediction) -> dict[str, Factor]:
    """The factors by name. Points are reckoned anew: a prediction from elsewhere may not have them."""
    row = np.array([[*(factor.contribution for factor in prediction.factors), prediction.base_value]])
    moved = points(row)[0].tolist()
    return {factor.feature: factor.model_copy(update={"points": by}) for factor, by in zip(prediction.factors, moved, strict=True)}


def _change(name: str, old: Factor | None, new: Factor | None) -> Change:
    before, after = old or Factor(feature=name, contribution=0.0), new or Factor(feature=name, contribution=0.0)
    by, moved = after.contribution - before.contribution, (after.points or 0.0) - (before.points or 0.0)
    return Change(
        feature=name,
        before=before.value,
        after=after.value,
        contribution_before=before.contribution,
        contribution_after=after.contribution,
        contribution_change=by,
        points_before=before.points or 0.0,
        points_after=after.points or 0.0,
        points_change=moved,
        in_words=f"{_values(name, before.value, after.value)}: {points_in_words(moved)}",
    )


def _values(name: str, before: Any, after: Any) -> str:
    if shown(before) == shown(after):
        return f"{plain(name)} still {shown(after)}"
    return f"{plain(name)} {shown(before)} -> {shown(after)}"


def _summary(before: Prediction, after: Prediction, changes: tuple[Change, ...], base_points: float) -> str:
    told = [change.in_words for change in changes if abs(change.points_change) >= FEWEST_POINTS]
    moved = 100 * (after.score - before.score)
    if abs(moved) < FEWEST_POINTS:
        first = f"The score stays at {percent(after.score, decimals=1)}"
    else:
        then, now = (percent(one.score, decimals=1) for one in (before, after))
        first = f"The score {'rises' if moved > 0 else 'falls'} from {then} to {now}"
        first += f" ({points_in_words(moved)})"
    lines = [first, *told[:MOST_IN_WORDS]]
    if len(told) > MOST_IN_WORDS:
        rest = len(told) - MOST_IN_WORDS
        lines.append(f"{rest} smaller {'change' if rest == 1 else 'changes'}")
    if before.model_version != after.model_version:
        lines.append(
            f"version {after.model_version} in place of {before.model_version}, its base value: {points_in_words(base_points)}"
        )
    return "; ".join(lines)
