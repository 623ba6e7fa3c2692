"""What every learner promises; `ml/checks.py` holds each of them to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.optimize import brentq

from ml.preparation.base import Column, Floats, Form, Ints, Matrix

Params = Mapping[str, Any]
# A probability nearer to 0 or 1 than this says more than any table of ours can know.
SUREST = 1e-6
# Below so many rows, threads that wait for each other cost more than they bring (on a busy machine, a hundred times more).
ROWS_WORTH_THREADS = 5_000
NOTHING = 1e-9  # shares that sum to less than this are taken to cancel out
MOST_CANCELLED = 20.0  # log-odds


@dataclass(frozen=True)
class Examples:
    """A prepared table: the matrix, what its columns are, and the labels (0 or 1)."""

    matrix: Matrix
    columns: tuple[Column, ...]
    labels: Ints

    def rows(self, places: Ints) -> "Examples":
        return Examples(self.matrix[places], self.columns, self.labels[places])


class Fitted(Protocol):
    """What was learned. Margins are log-odds."""

    def margins(self, matrix: Matrix) -> Floats:
        """Rows x columns -> one log-odds per row."""

    def contributions(self, matrix: Matrix) -> Floats:
        """Rows x columns -> rows x (columns + 1): each column's share of the margin, the base value last."""

    def save(self, path: Path) -> None:
        """Writes it in the library's own text format, or as JSON; never as a pickle."""


class Learner(Protocol):
    """How it is learned. The registry's order is from simple to complex."""

    @property
    def name(self) -> str: ...
    @property
    def form(self) -> Form: ...
    @property
    def file(self) -> str:
        """The name of the file that holds what was learned."""

    @property
    def fewest_rows(self) -> int:
        """Below so many rows it is not tried: it could only repeat the noise."""

    @property
    def settings(self) -> tuple[Params, ...]:
        """The parameters to start with; several are candidates of their own, the most cautious first."""

    def fit(self, examples: Examples, params: Params, *, seed: int, watch: Examples | None = None) -> Fitted:
        """Learns. `watch`: rows that boosting stops on; others ignore it."""

    def load(self, path: Path) -> Fitted: ...


@runtime_checkable
class Tunable(Protocol):
    """A learner whose parameters are worth a search: boosted trees. Its fits are `Boosted`."""

    @property
    def bold(self) -> Params:
        """Where the search begins: what tables of fine grain want. All that `suggest` chooses, within its ranges."""

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Parameters to try next, chosen by an `optuna.Trial` from ranges that have worked on many tables."""


class Boosted(Fitted, Protocol):
    """Trees grown one after the other: fewer of them are a model too."""

    @property
    def rounds(self) -> int: ...

    def cut(self, rounds: int) -> "Boosted": ...


def threads_for(rows: int) -> int:
    """How many threads trees are grown with; 0 lets the library take all."""
    return 1 if rows < ROWS_WORTH_THREADS else 0


def log_odds(probability: Any) -> Floats:
    """Probabilities -> log-odds, kept away from the infinite."""
    clipped = np.clip(np.asarray(probability, dtype=np.float64), SUREST, 1 - SUREST)
    return np.log(clipped / (1 - clipped))


def probability(margins: Any) -> Floats:
    """Log-odds -> probabilities, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(margins, dtype=np.float64)))


def shift_to_level(margins: Floats, labels: Ints) -> float:
    """What to add to all log-odds, so that as many outcomes are expected as there were (and half of one more of each kind)."""
    wanted = (labels.sum() + 0.5) / (len(labels) + 1)
    far = float(np.abs(margins).max()) + abs(float(log_odds(wanted))) + 1
    return float(brentq(lambda shift: probability(margins + shift).mean() - wanted, -far, far))


def rescaled(contributions: Floats, base: Floats, margins: Floats) -> Floats:
    """Contributions that add up on one scale -> the same shares on another, where `base` and `margins` are known.

    Each row's shares are stretched by one factor, so that base + sum = margin again; their order and signs stay (the
    slope of the secant between base and margin, DeepLIFT's rescale rule: Shrikumar and others 2017). Where shares nearly
    cancel out and the scale is steep, the side that loses is stretched to MOST_CANCELLED at most, and the other makes up
    the rest: a factor of hundreds of log-odds would say nothing.
    """
    shares = contributions[:, :-1]
    sides = np.stack([np.maximum(shares, 0).sum(axis=1), np.maximum(-shares, 0).sum(axis=1)])
    total, away = sides[0] - sides[1], margins - base
    flat = np.abs(total) < NOTHING
    loses, wins = sides.min(axis=0), sides.max(axis=0)
    slope = np.where(flat, 1.0, away / np.where(flat, 1.0, total))
    slope = np.minimum(slope, MOST_CANCELLED / np.maximum(loses, NOTHING))
    up = np.where(total < 0, -1.0, 1.0)
    other = (away * up + loses * slope) / np.maximum(wins, NOTHING)
    scaled = shares * np.where(shares * up[:, None] > 0, other[:, None], slope[:, None])
    return np.column_stack([scaled, margins - scaled.sum(axis=1)])


def carried(contributions: Floats, through: Callable[[Floats], Floats]) -> Floats:
    """Contributions that add up on one scale -> on another, through a map that never falls and has bounds.

    What raises a row and what lowers it are carried through apart, each as the mean of its effect with and without the
    other, and divided among their columns in proportion (DeepLIFT's RevealCancel rule: Shrikumar and others 2017). Signs
    stay, no share is larger than the map's range, and base + sum = the mapped margin exactly.
    """
    shares, base = contributions[:, :-1], contributions[:, -1]
    ups, downs = np.maximum(shares, 0), np.minimum(shares, 0)
    up, down = ups.sum(axis=1), downs.sum(axis=1)
    start, raised, lowered, end = through(base), through(base + up), through(base + down), through(contributions.sum(axis=1))
    up_there = ((raised - start) + (end - lowered)) / 2
    down_there = ((lowered - start) + (end - raised)) / 2
    moved = ups * _ratio(up_there, up)[:, None] + downs * _ratio(down_there, down)[:, None]
    return np.column_stack([moved, end - moved.sum(axis=1)])


def _ratio(one: Floats, other: Floats) -> Floats:
    nothing = np.abs(other) < NOTHING
    return np.where(nothing, 0.0, one / np.where(nothing, 1.0, other))
