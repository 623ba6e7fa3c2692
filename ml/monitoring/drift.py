"""Drift: whether what comes in is still like what a version has learned from, each input and the score for itself.

Measured by the population stability index, the sum over the bins of (a - e) ln(a / e), where e is a bin's share of the
reference and a that of the window. An alarm is raised above the larger of two limits:

- MATERIAL, 0.2, the field's convention (Siddiqi 2006, "Credit Risk Scorecards"). For a normal input it is a mean that has moved
  by 0.45 standard deviations, for a yes/no one a share that went from 10 % to 27 %: what a list of leads looks like changes.
- What chance alone makes of it. Without drift, PSI / (1/n + 1/m) is about chi-square with bins - 1 degrees of freedom for n
  and m independent rows (Yurdakul 2018, "Statistical properties of population stability index"). The limit is its quantile
  at 1 - LEVEL over the number of columns (Bonferroni), so that a look raises a false alarm once in a thousand times at most.

With few rows the second is the larger one: only a strong drift can then be seen, and the finding says above what.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, computed_field
from scipy.stats import chi2

from ml.features.inputs import Input
from ml.monitoring.reference import SMALLEST_SHARE, Reference, Summary, count, count_scores
from ml.preparation.base import Floats, Ints

MATERIAL = 0.2
# Four looks a day: a false alarm once in eight months at most, and seldom as often since the windows overlap.
LEVEL = 0.001
# Then a bin of the smallest share is expected ten times. With half as many rows (Cochran's five times) the far tail is up to
# four times as heavy as the chi-square says (200,000 simulated looks), with these it is as said.
FEWEST_ROWS = round(10 / SMALLEST_SHARE)
# Added to each count, so that an empty bin has a logarithm (Jeffreys's prior for shares).
HALF = 0.5


class Shift(BaseModel):
    """One column's drift. `limit`: what it must exceed; `most`: the bin that gained or lost most, with both its shares."""

    model_config = ConfigDict(frozen=True)

    name: str
    psi: float
    limit: float
    drifted: bool
    most: str
    before: float
    now: float

    @property
    def said(self) -> str:
        return (
            f"{self.name}: {self.most} was {self.before:.0%}, is {self.now:.0%} (PSI {self.psi:.2f}, alarm above {self.limit:.2f})"
        )


class Drift(BaseModel):
    """`rows` of the window, of which at least `needed` must be there; `inputs` with the worst first."""

    model_config = ConfigDict(frozen=True)

    rows: int
    needed: int = FEWEST_ROWS
    score: Shift | None = None
    inputs: tuple[Shift, ...] = ()

    @property
    def is_enough(self) -> bool:
        return self.rows >= self.needed

    @property
    def drifted(self) -> tuple[Shift, ...]:
        """What raised the alarm, the score first."""
        found = (self.score, *self.inputs) if self.score is not None else self.inputs
        return tuple(shift for shift in found if shift.drifted)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def said(self) -> str:
        if not self.is_enough:
            return f"not enough to tell: {self.rows} scored of the {self.needed} that are needed"
        if not self.drifted:
            return f"no drift seen in {self.rows:,} scored"
        return f"drift in {self.rows:,} scored: {'; '.join(shift.said for shift in self.drifted)}"


def measure(reference: Reference, inputs: Sequence[Input], frame: pl.DataFrame, scores: Floats, *, level: float = LEVEL) -> Drift:
    """Holds recent rows against the reference.

    Parameters:
        frame: a typed frame of independent rows, one for each entity (with AS_OF where dates are durations).
        scores: the version's scores of the same rows; empty where only the inputs are looked at.
    """
    rows = len(frame)
    if rows < FEWEST_ROWS:
        return Drift(rows=rows)
    columns = {column.name: column for column in inputs}
    known = [summary for summary in reference.inputs if summary.name in columns]
    tail = level / (len(known) + (1 if len(scores) else 0))
    shifts = [_shift(one, count(one, columns[one.name], frame), reference.witnesses, tail) for one in known]
    score = None
    if len(scores):
        score = _shift(reference.score, count_scores(reference.score, scores), reference.score_witnesses, tail)
    return Drift(rows=rows, score=score, inputs=tuple(sorted(shifts, key=lambda shift: -shift.psi / shift.limit)))


def of_scores(summary: Summary, witnesses: int, scores: Floats, *, level: float = LEVEL) -> Drift:
    """Where nothing but the score's own summary was stored with the version."""
    if len(scores) < FEWEST_ROWS:
        return Drift(rows=len(scores))
    return Drift(rows=len(scores), score=_shift(summary, count_scores(summary, scores), witnesses, level))


def psi(before: Ints, now: Ints) -> float:
    """The population stability index of two rows of counts of the same bins; bins that are empty in both do not count."""
    one, other = _shares(before, now)
    return float(((other - one) * np.log(other / one)).sum())


def chance(bins: int, before: int, now: int, tail: float) -> float:
    """What the index exceeds by chance alone with this probability, for so many independent rows."""
    return float(chi2.isf(tail, bins - 1)) * (1 / before + 1 / now) if bins > 1 else 0.0


def _shift(summary: Summary, now: Ints, witnesses: int, tail: float) -> Shift:
    before = np.array(summary.counts, dtype=np.int64)
    used = int(((before + now) > 0).sum())
    found, limit = psi(before, now), max(MATERIAL, chance(used, max(witnesses, 1), int(now.sum()), tail))
    shares = before / max(before.sum(), 1), now / max(now.sum(), 1)
    most = int(np.argmax(np.abs(shares[1] - shares[0])))
    return Shift(
        name=summary.name, psi=found, limit=limit, drifted=found > limit, most=summary.bins[most],
        before=float(shares[0][most]), now=float(shares[1][most]),
    )  # fmt: skip


def _shares(before: Ints, now: Ints) -> tuple[Floats, Floats]:
    used = (before + now) > 0
    one, other = before[used] + HALF, now[used] + HALF
    return one / one.sum(), other / other.sum()
