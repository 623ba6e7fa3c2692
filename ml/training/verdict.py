"""The verdict on two versions in service, once outcomes are in: which scored better what really happened, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from data.domain.traffic import Mode, Traffic, Variant
from ml.learners.base import log_odds
from ml.preparation.base import Floats, Ints
from ml.training import bootstrap, evaluate
from ml.training.bootstrap import Difference, Differences
from ml.training.labels import HORIZON

# With fewer outcomes of either kind an interval of their scores says nothing.
FEWEST_OF_EACH = 10


@dataclass(frozen=True)
class Scored:
    """An entity's score by one variant, and whether it was won."""

    variant: Variant
    score: float
    won: bool


@dataclass(frozen=True)
class ScoredTwice:
    """Both versions' scores of an entity at one event, and whether it was won."""

    champion: float
    challenger: float
    won: bool


class Arm(BaseModel):
    """One version's part: how many outcomes are in, and the share that was won, with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    variant: Variant
    version: str
    outcomes: int
    won: int
    rate: float | None
    low: float
    high: float


class Verdict(BaseModel):
    """`log_loss` and `auc` are challenger less champion; None while there are too few outcomes."""

    model_config = ConfigDict(frozen=True)

    mode: Mode
    arms: tuple[Arm, Arm]
    log_loss: Difference | None = None
    auc: Difference | None = None
    said: str


def of_shadow(traffic: Traffic, rows: Sequence[ScoredTwice], *, seed: int = 0) -> Verdict:
    """Both scored the same entities: compared row by row."""
    labels = np.array([row.won for row in rows], dtype=np.int64)
    arms = (_arm(Variant.CHAMPION, traffic.champion, labels), _arm(Variant.CHALLENGER, traffic.challenger, labels))
    if _few(labels):
        return _not_yet(Mode.SHADOW, arms)
    one, other = (log_odds([getattr(row, name) for row in rows]) for name in ("champion", "challenger"))
    return _told(Mode.SHADOW, arms, bootstrap.paired(labels, one, other, seed=seed))


def of_live(traffic: Traffic, rows: Sequence[Scored], *, seed: int = 0) -> Verdict:
    """Each scored entities of its own, drawn by hash: compared as two samples."""
    one, other = (_sample(rows, variant) for variant in Variant)
    arms = (_arm(Variant.CHAMPION, traffic.champion, one[0]), _arm(Variant.CHALLENGER, traffic.challenger, other[0]))
    if _few(one[0]) or _few(other[0]):
        return _not_yet(Mode.LIVE, arms)
    return _told(Mode.LIVE, arms, bootstrap.two_samples(one, other, seed=seed))


def _sample(rows: Sequence[Scored], variant: Variant) -> tuple[Ints, Floats]:
    mine = [row for row in rows if row.variant is variant]
    return np.array([row.won for row in mine], dtype=np.int64), log_odds([row.score for row in mine])


def _arm(variant: Variant, version: str, labels: Ints) -> Arm:
    won = int(labels.sum())
    low, high = evaluate.rate_interval(won, len(labels))
    rate = won / len(labels) if len(labels) else None
    return Arm(variant=variant, version=version, outcomes=len(labels), won=won, rate=rate, low=low, high=high)


def _few(labels: Ints) -> bool:
    return min(int(labels.sum()), len(labels) - int(labels.sum())) < FEWEST_OF_EACH


def _not_yet(mode: Mode, arms: tuple[Arm, Arm]) -> Verdict:
    wanted = f"{FEWEST_OF_EACH} won and {FEWEST_OF_EACH} lost ones are needed of each"
    return Verdict(mode=mode, arms=arms, said=f"too few outcomes yet: {wanted}, and a score counts {HORIZON.days} days after it")


def _told(mode: Mode, arms: tuple[Arm, Arm], found: Differences) -> Verdict:
    loss = found.log_loss
    shown = f"log-loss {loss.difference:+.4f} [{loss.low:+.4f}, {loss.high:+.4f}]"
    if loss.high < 0:
        said = f"the challenger is better: {shown}"
    elif loss.low > 0:
        said = f"the challenger is worse: {shown}"
    else:
        said = f"the outcomes cannot tell them apart yet: {shown}"
    return Verdict(mode=mode, arms=arms, log_loss=loss, auc=found.auc, said=said)
