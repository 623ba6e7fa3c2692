"""One group of rows against the rest: is the outcome in it purer than an honest column could make it?

Every question about values and gaps comes down to a table of two by two (in the group or not, outcome 1 or 0). Three
things must hold before a group gives a column away:

1. its odds ratio is above what honest columns reach, with 95 % confidence (not merely above 1: an honest binary column
   with an odds ratio of 20 is strong and welcome);
2. it cannot be chance, counting all columns that were looked at (Fisher's exact test, Bonferroni);
3. it explains a good part of the outcome: a rare, very good value is just that.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import hypergeom

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

Z_95 = 1.645  # one-sided
# A whole family of columns is falsely accused by chance alone once in a thousand tables.
CHANCE = 0.001
# Where the name says outcome too and there is no exception, only the sample may be small: less is asked of it.
CHANCE_NAMED = 0.05
NAMED_ODDS = 5.0
# The share of the outcome's entropy below which a group is a detail. A level with 3 % of the rows that wins 95 % of the
# time against 20 % elsewhere explains 8 %; a reason that was filled for every fourth lost deal about 12 %.
LEAST_SHARE = 0.1


@dataclass(frozen=True)
class Bar:
    """The odds ratio that honest groups stay under: where one side has no exception, and where both have some."""

    pure: float
    mixed: float


# A copy of the outcome with 5 % mistakes has 361, an honest binary column of the stronger kind 20. A level of an honest
# category can reach 90, in a table where it is pure by luck.
VALUES = Bar(pure=50.0, mixed=100.0)
# Whether a field is filled says less about a customer than what is in it: honest gaps rarely exceed 10.
GAPS = Bar(pure=20.0, mixed=50.0)


@dataclass(frozen=True)
class Split:
    """Rows in a group and outside it, by outcome."""

    in_1: int
    in_0: int
    out_1: int
    out_0: int

    def __add__(self, other: "Split") -> "Split":
        return Split(self.in_1 + other.in_1, self.in_0 + other.in_0, self.out_1 + other.out_1, self.out_0 + other.out_0)

    @property
    def odds_ratio(self) -> float:
        """At least 1, whichever outcome the group leans to; half a row is added to each cell (Haldane 1956)."""
        return float(np.exp(abs(self._log_odds()[0])))

    @property
    def odds_ratio_at_least(self) -> float:
        """The lower end of its one-sided 95 % interval (Woolf 1955)."""
        log_odds, error = self._log_odds()
        return float(np.exp(max(abs(log_odds) - Z_95 * error, 0.0)))

    @property
    def is_pure(self) -> bool:
        return min(self.in_1, self.in_0) == 0 or min(self.out_1, self.out_0) == 0

    @property
    def is_copy(self) -> bool:
        """Group and outcome are the same thing, one way round or the other."""
        return max(self.in_0, self.out_1) == 0 or max(self.in_1, self.out_0) == 0

    @property
    def share(self) -> float:
        """How much of the outcome's entropy the group explains, 0 to 1."""
        total = self.in_1 + self.in_0 + self.out_1 + self.out_0
        before = _entropy(self.in_1 + self.out_1, self.in_0 + self.out_0)
        after = _entropy(self.in_1, self.in_0) + _entropy(self.out_1, self.out_0)
        return 1 - after / before if total and before > 0 else 0.0

    def chance(self) -> float:
        """The two-sided probability of so uneven a split, were the group random (Fisher's exact test, doubled)."""
        total, group = self.in_1 + self.in_0 + self.out_1 + self.out_0, self.in_1 + self.in_0
        random = hypergeom(total, self.in_1 + self.out_1, group)
        return float(min(1.0, 2 * min(random.sf(self.in_1 - 1), random.cdf(self.in_1))))

    def _log_odds(self) -> tuple[float, float]:
        cells = np.array([self.in_1, self.in_0, self.out_1, self.out_0]) + 0.5
        return float(np.log(cells[0] * cells[3] / (cells[1] * cells[2]))), float(np.sqrt((1 / cells).sum()))


def split(group: Mask, labels: Ints) -> Split:
    """The table of a group (one flag a row) against the labels (0/1, one a row)."""
    in_1, size, wins = int(labels[group].sum()), int(group.sum()), int(labels.sum())
    return Split(in_1, size - in_1, wins - in_1, len(labels) - size - wins + in_1)


def gives_away(found: Split, bar: Bar, *, columns: int, named: bool) -> bool:
    """Whether the three conditions hold. `columns` were looked at; `named`: name or values support it, and nothing
    else about the group speaks against it."""
    needed = NAMED_ODDS if named else bar.pure if found.is_pure else bar.mixed
    if found.share < LEAST_SHARE or found.odds_ratio_at_least < needed:
        return False
    return found.chance() * columns < (CHANCE_NAMED if named else CHANCE)


def level_groups(codes: Ints, labels: Ints, halves: Ints) -> list[tuple[Split, Mask]]:
    """Groups of levels: those that mostly have outcome 1, those that have it only, and those that never have it.

    A group that was picked by its labels in one half of the rows is judged by the other half (and the other way
    round), so a column of many small levels, each pure by chance, shows nothing. With two levels there is nothing to
    pick, and all rows judge.

    Args:
        codes: the level of each row, from 0.
        halves: 0 or 1 for each row.

    Returns:
        each group's table, and the levels that all rows together would pick for it (one flag a level).
    """
    levels = int(codes.max(initial=0)) + 1
    if levels <= 2:
        return [(split(codes == 0, labels), np.array([True, False]))]
    found = [Split(0, 0, 0, 0)] * 3
    for half in (0, 1):
        teaches, judges = halves == half, halves != half
        groups = _picked(codes[teaches], labels[teaches], levels)
        found = [sum_ + split(group[codes[judges]], labels[judges]) for sum_, group in zip(found, groups, strict=True)]
    return list(zip(found, _picked(codes, labels, levels), strict=True))


def _picked(codes: Ints, labels: Ints, levels: int) -> tuple[Mask, Mask, Mask]:
    fewest = 3  # a level seen once or twice is pure by nature
    rows = np.bincount(codes, minlength=levels)
    wins = np.bincount(codes, weights=labels, minlength=levels)
    return (2 * wins > rows), (wins == rows) & (rows >= fewest), (wins == 0) & (rows >= fewest)


def _entropy(wins: int, losses: int) -> float:
    rows = wins + losses
    return float(-(xlogy(wins, wins / rows) + xlogy(losses, losses / rows))) if rows else 0.0
