"""Fields that were changed when the outcome was already known."""

from dataclasses import dataclass

import numpy as np

from ml.training.leakage.power import Floats

# Somebody corrects a record now and then; a field of which every tenth value came after the end is written by the end.
LATE_SHARE = 0.1
FEWEST_LATE = 5
Z_95 = 1.645
# So much of the late changes at one and the same moment, over deals that ended at different times, is an import or a
# mass edit: it tells of no deal's outcome. It is reported, and left in.
ONE_MOMENT = 0.5
FEWEST_MOVED = 20


@dataclass(frozen=True)
class Late:
    evidence: str
    share: float
    is_mass_edit: bool


def changed_late(changed_at: Floats, closed_at: Floats) -> Late | None:
    """Whether values were changed at or after the end. Both in days, one a row, NaN where unknown or never."""
    known = ~np.isnan(changed_at) & ~np.isnan(closed_at)
    late = known & (changed_at >= closed_at)
    rows, of = int(late.sum()), int(known.sum())
    if rows < FEWEST_LATE or _share_at_least(rows, of) < LATE_SHARE / 2 or rows < LATE_SHARE * of:
        return None
    at_once = _largest_moment(changed_at[late])
    spread = len(np.unique(closed_at[late])) > 1
    mass_edit = spread and rows >= FEWEST_MOVED and at_once >= ONE_MOMENT * rows
    evidence = f"in {rows:,} of {of:,} rows where both moments are known it was changed, or its date lies, at or after the outcome"
    if mass_edit:
        evidence += f", in {at_once:,} of them at one and the same moment: an import or mass edit rather than an answer"
    return Late(evidence + ".", rows / of, mass_edit)


def _share_at_least(rows: int, of: int) -> float:
    """The lower end of the 95 % interval of a share (Wilson 1927)."""
    share = rows / of
    middle = share + Z_95**2 / (2 * of)
    spread = Z_95 * np.sqrt(share * (1 - share) / of + Z_95**2 / (4 * of**2))
    return float((middle - spread) / (1 + Z_95**2 / of))


def _largest_moment(moments: Floats) -> int:
    return int(np.unique(moments, return_counts=True)[1].max())
