"""Columns whose power alone is out of line. The comment of each number says where it comes from."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from ml.training.leakage.findings import Reason, Suspect
from ml.training.leakage.power import FOLDS, Column, Floats, Ints, Power, area_error, folds, joint_power, single_power
from ml.training.leakage.separation import split

# No honest column of the tables that we know reaches this alone (the strongest, frequency of use for telecom churn, has 0.80).
# It must be passed by two standard errors: an honest column of 0.90 does so by luck in fewer than one table in a hundred.
BEYOND_HONEST = 0.92
SURE = 2.0
# Where the rest of the table is as good (a table that is simply easy), nothing is out of line: at least half of the rest's
# mistakes must go.
FEWER_MISTAKES = 0.5
# Columns above this are suspects together, and may not serve as each other's measure.
NO_MEASURE = 0.9

# Strong, and no more than strong: judged against the rest. Below 200 rows the rest cannot be measured.
STRONG = 0.8
FEWEST_ROWS = 200
FEWEST_OF_CLASS = 30
# A measure needs a scale: the rest must reach this AUC, and by a standard error more. One strong column among noise
# proves nothing.
REST_KNOWS = 0.65
# How far ahead, in AUC. Without further evidence both the lead and the column itself must be larger; even then, in 1,500
# random tables (tests/models/leak_mixtures.py, seeds from 10,000) six honest columns of 14,000 passed.
AHEAD = 0.15
STRONG_ALONE = 0.85
AHEAD_SUPPORTED = 0.06
# An honest strong trait usually shows in other columns too, also among rows with one outcome.
RELATED = 0.3
# The same column twice (call minutes and call seconds) would be its own measure.
SAME_COLUMN = 0.95
# An amount (many values) that in this share of the rows is one and the same (0, mostly): whether it is there has at least
# this odds ratio. What is paid, used or earned because of the outcome looks so.
AMOUNT_ODDS = 15.0
AMOUNT_SPIKE = 0.3
AMOUNT_VALUES = 50
MOST_SUSPECTS = 10  # each costs a joint model; a table with more of them has a different problem


@dataclass(frozen=True)
class _Table:
    columns: dict[str, Column]
    powers: dict[str, Power]
    labels: Ints
    seed: int

    def rest(self, without: frozenset[str]) -> Power:
        return joint_power([column for name, column in self.columns.items() if name not in without], self.labels, self.seed)


def find(columns: list[Column], labels: Ints, *, numbers: frozenset[str], named: frozenset[str], seed: int) -> list[Suspect]:
    """Suspects by power. `numbers` are the columns that are numbers or dates, `named` those that sound like an outcome."""
    fold = folds(labels, FOLDS, seed)
    powers = {column.name: single_power(column, labels, fold) for column in columns}
    table = _Table({column.name: column for column in columns}, powers, labels, seed)
    beyond = _beyond_honest(table)
    return beyond + _ahead_of_the_rest(table, frozenset(suspect.column for suspect in beyond), numbers, named)


def _beyond_honest(table: _Table) -> list[Suspect]:
    wins = int(table.labels.sum())
    limit = BEYOND_HONEST + SURE * area_error(BEYOND_HONEST, wins, len(table.labels) - wins)
    strong = [name for name, power in table.powers.items() if power.auc > limit]
    if not strong:
        return []
    rest = table.rest(frozenset(name for name, power in table.powers.items() if power.auc > NO_MEASURE))
    return [
        _suspect(name, table.powers[name], rest, f"more than {BEYOND_HONEST} is beyond what is known of honest columns")
        for name in strong
        if 1 - table.powers[name].auc <= FEWER_MISTAKES * (1 - rest.auc)
    ]


def _ahead_of_the_rest(table: _Table, found: frozenset[str], numbers: frozenset[str], named: frozenset[str]) -> list[Suspect]:
    """The strongest column against all others together; when it falls, the next. A weaker one cannot be ahead."""
    wins = int(table.labels.sum())
    if len(table.labels) < FEWEST_ROWS or min(wins, len(table.labels) - wins) < FEWEST_OF_CLASS:
        return []
    suspects: list[Suspect] = []
    while len(suspects) < MOST_SUSPECTS:
        left = sorted(table.powers.keys() - found, key=lambda name: (-table.powers[name].auc, name))
        if not left or left[0] not in numbers or table.powers[left[0]].auc < STRONG:
            break
        same = frozenset(name for name in left if _is_same(table.columns[left[0]], table.columns[name]))
        rest = table.rest(found | same)
        why = _why_ahead(table, left[0], rest, sounds=not named.isdisjoint(same))
        if why is None:
            break
        suspects += [_suspect(name, table.powers[name], rest, why) for name in left if name in same]
        found |= same
    return suspects


def _why_ahead(table: _Table, name: str, rest: Power, *, sounds: bool) -> str | None:
    power, values = table.powers[name], table.columns[name].values
    ahead = power.auc - rest.auc
    measured = _knows(rest, table.labels) and _related(power.scores, rest.scores, table.labels) < RELATED
    if ahead >= (AHEAD_SUPPORTED if measured else AHEAD) and sounds:
        return "and its name says that it is known only when it is over"
    if ahead >= AHEAD_SUPPORTED and measured and _is_amount_of_one_outcome(values, table.labels):
        return "and it is an amount that one of the outcomes seldom has; do open rows have it, or only those that have ended?"
    unsupported = measured and ahead >= AHEAD and power.auc >= STRONG_ALONE
    return "far ahead, although they are not without power" if unsupported else None


def _knows(rest: Power, labels: Ints) -> bool:
    wins = int(labels.sum())
    return rest.auc - area_error(max(rest.auc, 0.5), wins, len(labels) - wins) >= REST_KNOWS


def _is_same(one: Column, other: Column) -> bool:
    if one.name == other.name:
        return True
    both = ~np.isnan(one.values) & ~np.isnan(other.values)
    if one.is_category or other.is_category or both.sum() < FEWEST_ROWS:
        return False
    return abs(_rank_correlation(one.values[both], other.values[both])) >= SAME_COLUMN


def _related(one: Floats, other: Floats, labels: Ints) -> float:
    """The rank correlation of two scores among rows of one outcome, averaged over the outcomes."""
    return float(np.mean([_rank_correlation(one[labels == label], other[labels == label]) for label in (0, 1)]))


def _rank_correlation(one: Floats, other: Floats) -> float:
    """0 where one of them is constant."""
    ranks = np.vstack([rankdata(one), rankdata(other)])
    return float(np.corrcoef(ranks)[0, 1]) if (ranks.std(axis=1) > 0).all() else 0.0


def _is_amount_of_one_outcome(values: Floats, labels: Ints) -> bool:
    """Zero (or another fixed value, or missing) in many rows and any number in the others, nearly by outcome."""
    different, rows = np.unique(values, return_counts=True)
    if len(different) <= AMOUNT_VALUES or rows.max() < AMOUNT_SPIKE * len(values):
        return False
    spike = different[rows.argmax()]
    return split(np.isnan(values) if np.isnan(spike) else values == spike, labels).odds_ratio_at_least >= AMOUNT_ODDS


def _suspect(name: str, power: Power, rest: Power, why: str) -> Suspect:
    evidence = (
        f"alone it tells the outcomes apart with an AUC of {power.auc:.3f} (all other columns together: {rest.auc:.3f}), {why}."
    )
    return Suspect(name, Reason.TOO_GOOD, evidence, left_out=True, weight=max(power.share, 0.0))
