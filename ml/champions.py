"""Who was champion, in order: kept with the model in the registry, so that the last one can come back."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, RootModel

# A registry keeps so many characters in a tag; an entry takes about a hundred.
MOST_MOVES = 40


class How(StrEnum):
    GATE = "gate"  # a training that passed
    CHOSEN = "chosen"  # somebody promoted it
    FORCED = "forced"  # somebody promoted it against the gate
    ROLLBACK = "rollback"
    ELSEWHERE = "elsewhere"  # its alias was moved in MLflow itself


class Move(BaseModel):
    """A version became champion."""

    model_config = ConfigDict(frozen=True)

    version: str
    at: datetime
    how: How


class Moves(RootModel[tuple[Move, ...]]):
    """All moves that are remembered, the oldest first."""

    def and_then(self, move: Move) -> "Moves":
        return Moves((*self.root, move)[-MOST_MOVES:])


def line(moves: Sequence[Move], current: str | None) -> list[str]:
    """The champions that led to the current one, which is last. A rollback takes the last one off the line.

    The registry's alias is the truth: if somebody moved it there, the current one stands behind those that we know of.

    >>> at = datetime(2026, 1, 1)
    >>> line([Move(version=v, at=at, how=how) for v, how in [("1", "gate"), ("2", "gate"), ("1", "rollback")]], "1")
    ['1']
    """
    found: list[str] = []
    for move in moves:
        if move.how is How.ROLLBACK:
            del found[-1:]
        if not found or found[-1] != move.version:
            found.append(move.version)
    if current is not None and (not found or found[-1] != current):
        found.append(current)
    return found


def previous(moves: Sequence[Move], current: str | None) -> str | None:
    """Whom a rollback brings back."""
    before = line(moves, current)[:-1]
    return before[-1] if before else None
