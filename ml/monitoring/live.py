"""Live performance: how a version's answers came true, against what its own unseen rows promised when it was trained.

Only answers whose end is in sight count: those older than the horizon of the labels (`label_moments`). Of younger ones only
the quick wins would be known, and the live rate would be too high. Both sides are samples, so the differences have the
uncertainty of both (bootstrap); a drop is one that is certain at LEVEL and larger than a margin:

- AUC lower by more than 0.02, log-loss higher by more than 2 %: four times the gate's margins. What the gate takes for no
  harm is no reason to wake anybody either.
- A rise of the log-loss only counts where the outcomes surprise the scores themselves: of leads nearer to fifty-fifty than
  those of the training each answer costs more, and yet none is worse than promised.
- Calibration error higher by more than 0.03, the gate's margin, and beyond what chance makes of true probabilities.
"""

import numpy as np
from pydantic import BaseModel, ConfigDict, computed_field
from scipy.stats import norm

from ml.learners.base import log_odds, probability
from ml.preparation.base import Floats, Ints
from ml.training import bootstrap, evaluate
from ml.training.bootstrap import Difference
from ml.training.calibrate import row_losses
from ml.training.conclusion import FEWEST_TO_TRUST
from ml.training.verdict import FEWEST_OF_EACH

AUC_MARGIN = 0.02
LOG_LOSS_SHARE = 0.02
GAP_MARGIN = 0.03
# The looks of a quarter see mostly the same answers, so that this is a false alarm in many years rather than weeks; a margin
# has to be passed besides. The three figures share it.
LEVEL = 0.01
FIGURES = 3
# Enough to find the quantile of chance at that level.
CHANCE_ROUNDS = 2_000


class Live(BaseModel):
    """`rows` are settled answers, one for each entity; `young` are those whose end is not in sight yet.

    The differences are live less promised. `reasons`: what has dropped, in words; empty where nothing has.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    rows: int
    won: int
    young: int
    rate: float | None = None
    low: float = 0.0
    high: float = 1.0
    promised_rate: float | None = None
    log_loss: Difference | None = None
    auc: Difference | None = None
    gap: float | None = None
    promised_gap: float | None = None
    reasons: tuple[str, ...] = ()

    @property
    def is_enough(self) -> bool:
        return self.rate is not None

    @property
    def has_dropped(self) -> bool:
        return bool(self.reasons)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def said(self) -> str:
        if not self.is_enough:
            return (
                f"not enough to tell: {self.won} won and {self.rows - self.won} lost of {self.rows} settled answers; "
                f"{FEWEST_TO_TRUST} with {FEWEST_OF_EACH} of each are needed, and {self.young:,} are too young"
            )
        shown = f"{self.rows:,} settled answers of version {self.version}, {self.won:,} won"
        return f"{shown}: {'; '.join(self.reasons)}" if self.reasons else f"{shown}: as good as promised, as far as they can tell"


def judge(version: str, labels: Ints, scores: Floats, promised: tuple[Ints, Floats], *, young: int = 0, seed: int = 0) -> Live:
    """Holds settled answers against the version's own unseen rows.

    Parameters:
        labels: 0 or 1; scores: the probabilities that were answered, one for each entity.
        promised: labels and log-odds of the rows that judged the version.
    """
    won = int(labels.sum())
    nothing = Live(version=version, rows=len(labels), won=won, young=young)
    if len(labels) < FEWEST_TO_TRUST or _few(labels) or _few(promised[0]):
        return nothing
    found = bootstrap.two_samples(promised, (labels, log_odds(scores)), seed=seed)
    before = probability(promised[1])
    low, high = evaluate.rate_interval(won, len(labels))
    gap, promised_gap = evaluate.ece(labels, scores), evaluate.ece(promised[0], before)
    reasons = [*_ranks_worse(found.auc), *_costs_more(found.log_loss, labels, scores)]
    if gap > max(
        promised_gap + GAP_MARGIN, evaluate.ece_by_chance(scores, seed=seed, rounds=CHANCE_ROUNDS, level=1 - LEVEL / FIGURES)
    ):
        reasons.append(f"scores and what happened differ by {100 * gap:.1f} points (promised {100 * promised_gap:.1f})")
    return nothing.model_copy(
        update={
            "rate": won / len(labels), "low": low, "high": high, "promised_rate": float(promised[0].mean()),
            "log_loss": found.log_loss, "auc": found.auc, "gap": gap, "promised_gap": promised_gap, "reasons": tuple(reasons),
        }
    )  # fmt: skip


def _few(labels: Ints) -> bool:
    won = int(labels.sum())
    return min(won, len(labels) - won) < FEWEST_OF_EACH


def _ranks_worse(auc: Difference | None) -> list[str]:
    if auc is None or auc.difference + _reach(auc) >= -AUC_MARGIN:
        return []
    return [f"of 100 pairs it puts {100 * auc.candidate:.0f} in the right order (promised {100 * auc.champion:.0f})"]


def _costs_more(loss: Difference, labels: Ints, scores: Floats) -> list[str]:
    if loss.difference - _reach(loss) <= LOG_LOSS_SHARE * loss.champion or not _surprised(labels, scores):
        return []
    return [f"its error (log-loss) is {loss.candidate:.3f} (promised {loss.champion:.3f})"]


def _reach(found: Difference) -> float:
    """How far from the difference the truth may be, one-sided, at LEVEL over all figures."""
    return float(norm.isf(LEVEL / FIGURES)) * found.error


def _surprised(labels: Ints, scores: Floats) -> bool:
    """Whether the outcomes cost more than the scores themselves expect, for certain at 95 % (as Spiegelhalter 1986)."""
    margins = log_odds(scores)
    entropy = scores * row_losses(margins, np.ones_like(labels)) + (1 - scores) * row_losses(margins, np.zeros_like(labels))
    beyond = float((row_losses(margins, labels) - entropy).sum())
    return beyond > float(norm.isf(0.05)) * float(np.sqrt((scores * (1 - scores) * margins**2).sum()))
