"""When to train again: a table of rules over what a look has found. The first that applies gives the reason.

Two things come before every rule: a pause since the last training, whatever became of it, and enough finished examples that it
has not seen. Drift that stays would otherwise train the same rows again and again, each time to the same version.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

MINUTE = "%Y-%m-%d %H:%M"


class Why(StrEnum):
    LIVE_DROP = "live_drop"
    DRIFT = "drift"
    GROWN = "grown"
    TIME = "time"
    BY_HAND = "by_hand"


class Reason(BaseModel):
    """Why a training is started."""

    model_config = ConfigDict(frozen=True)

    why: Why
    said: str


class Decided(BaseModel):
    """Whether to train now (`reason`), or why not; `due_at`: when time alone will have come."""

    model_config = ConfigDict(frozen=True)

    reason: Reason | None
    said: str
    due_at: datetime | None = None


@dataclass(frozen=True)
class Limits:
    """`growth`: the share by which the examples must have grown. `every`: None trains never for time alone.

    `fewest_new`: as many examples as a look needs to judge anything; fewer teach nothing that could be told from noise.
    """

    every: timedelta | None
    pause: timedelta
    growth: float = 0.2
    fewest_new: int = 100


@dataclass(frozen=True)
class Found:
    """What is known at a look: finished examples now and at the last training, when that was, and the alarms in words.

    `tried_at`: when a training was last begun, also one that failed.
    """

    now: datetime
    examples: int
    examples_then: int = 0
    trained_at: datetime | None = None
    tried_at: datetime | None = None
    drifted: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def new(self) -> int:
        return self.examples - self.examples_then


def decide(found: Found, limits: Limits) -> Decided:
    """The reason to train now, if there is one."""
    due_at = None if limits.every is None or found.trained_at is None else found.trained_at + limits.every
    if (held := _held_back(found, limits)) is not None:
        return Decided(reason=None, said=held, due_at=due_at)
    for why, rule in RULES:
        if (said := rule(found, limits)) is not None:
            return Decided(reason=Reason(why=why, said=said), said=said, due_at=due_at)
    return Decided(reason=None, said=f"nothing asks for it: {_news(found)}", due_at=due_at)


def _held_back(found: Found, limits: Limits) -> str | None:
    if found.new < limits.fewest_new:
        return f"nothing new to learn from: {_news(found)}, {limits.fewest_new} are needed"
    if found.tried_at is None or found.now >= found.tried_at + limits.pause:
        return None
    return f"the last training began at {found.tried_at:{MINUTE}}: no other before {found.tried_at + limits.pause:{MINUTE}}"


def _dropped(found: Found, limits: Limits) -> str | None:
    return f"its answers came true less often than promised: {'; '.join(found.dropped)}" if found.dropped else None


def _drifted(found: Found, limits: Limits) -> str | None:
    return f"what comes in is not what it learned from: {'; '.join(found.drifted)}" if found.drifted else None


def _grown(found: Found, limits: Limits) -> str | None:
    if found.new < limits.growth * found.examples_then:
        return None
    return f"there is much more to learn from: {_news(found)}, {found.examples:,} in all"


def _time(found: Found, limits: Limits) -> str | None:
    if limits.every is None or (found.trained_at is not None and found.now < found.trained_at + limits.every):
        return None
    return f"time has come: {_news(found)}"


def _news(found: Found) -> str:
    since = "" if found.trained_at is None else f" since the training of {found.trained_at:%Y-%m-%d}"
    return f"{found.new:,} finished examples are new{since}"


# What hurts comes first.
RULES: tuple[tuple[Why, Callable[[Found, Limits], str | None]], ...] = (
    (Why.LIVE_DROP, _dropped),
    (Why.DRIFT, _drifted),
    (Why.GROWN, _grown),
    (Why.TIME, _time),
)
