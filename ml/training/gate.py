"""The gate: may a candidate take the champion's place? Both on the same newest rows, with intervals, every check told.

A candidate passes that is shown to be not worse, or of which the rows cannot tell and whose best estimate is not worse
either. The margins, and why:

- Log-loss: half a percent of the champion's, and no more than a tenth of what the champion gains over the base rate. Half
  a percent is what repeated training on the same rows moves it by; the tenth keeps a champion that gains little from
  being given up for nothing.
- AUC: 0.005, one more pair in two hundred in the wrong order: nobody who works a list from the top would notice.
- What the rows cannot tell (the interval holds both "not worse" and "too much worse") is decided by the estimate: within
  the margin or one standard error, the rule by which the ladder prefers the simpler learner (Breiman and others 1984).
- Calibration: an expected calibration error of 0.03 or less, or no more than the champion's and what chance alone makes
  of a perfectly calibrated model on so many rows.
- Segments: see `ml/training/segments.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ml.learners.base import log_odds, probability
from ml.preparation.base import Floats, Ints
from ml.training import bootstrap, evaluate, segments
from ml.training.bootstrap import LEVEL, ROUNDS, Difference, Groups
from ml.training.calibrate import row_losses
from ml.training.segments import Segment

LOG_LOSS_SHARE = 0.005
GAIN_SHARE = 0.1
AUC_MARGIN = 0.005
MOST_ECE = 0.03
MOST_INPUTS_TOLD = 3
MOST_SEGMENTS_TOLD = 3  # all are stored; a column and its like repeat the same story


class Check(BaseModel):
    """A figure that both were held to. `margin`: how much worse is still no harm, in the figure's own unit."""

    model_config = ConfigDict(frozen=True)

    passed: bool
    margin: float
    found: Difference
    said: str


class Calibrated(BaseModel):
    """Both calibration errors, and the largest that passes: what chance makes of a perfect model is part of it."""

    model_config = ConfigDict(frozen=True)

    passed: bool
    champion: float
    candidate: float
    by_chance: float
    most: float
    said: str


class Decision(BaseModel):
    """Whether the candidate takes the champion's place, why, and by which figures. It is stored with the version."""

    model_config = ConfigDict(frozen=True)

    promote: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    champion: str | None = None
    rows: int = 0
    won: int = 0
    log_loss: Check | None = None
    auc: Check | None = None
    calibration: Calibrated | None = None
    segments: tuple[Segment, ...] = ()
    level: float = LEVEL
    rounds: int = ROUNDS

    @property
    def summary(self) -> str:
        return "; ".join(self.reasons)


@dataclass(frozen=True)
class Contest:
    """What both are judged by: rows that neither has learned from, as far as that is known (`notes` say how far).

    Parameters:
        labels: 0 or 1; candidate, champion: calibrated log-odds of the same rows; None where there is no champion.
        base_rate: the share of won rows among those that the candidate has learned from.
        levels: input -> its value in each row, for the inputs whose values are segments.
        groups: rows of one group (identity) are no independent witnesses.
        not_given: inputs of the champion that the rows do not have: what it would say of them whole nobody knows.
    """

    labels: Ints
    candidate: Floats
    champion: Floats | None
    base_rate: float
    champion_version: str | None = None
    levels: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    groups: Groups | None = None
    notes: tuple[str, ...] = ()
    not_given: tuple[str, ...] = ()


def decide(contest: Contest, *, not_served: Sequence[str] = (), rounds: int = ROUNDS, seed: int = 0) -> Decision:
    """Without a champion the candidate must be as good as the base rate; with one, no worse than it in anything.

    Parameters:
        not_served: inputs of the candidate that serving does not give.
    """
    schema = [f"serving does not give {name!r}: it would count as missing in every score" for name in not_served]
    schema += _not_given(contest)
    if not len(contest.labels):
        decision = _without_rows(contest)
    elif contest.champion is None:
        decision = _against_the_base_rate(contest, rounds=rounds, seed=seed)
    else:
        decision = _against_the_champion(contest, contest.champion, rounds=rounds, seed=seed)
    if not schema:
        return decision
    reasons = (*schema, *(() if decision.promote else decision.reasons))
    return decision.model_copy(update={"promote": False, "reasons": reasons})


def _not_given(contest: Contest) -> list[str]:
    if not contest.not_given:
        return []
    named = ", ".join(map(repr, contest.not_given[:MOST_INPUTS_TOLD]))
    more = ", ..." if len(contest.not_given) > MOST_INPUTS_TOLD else ""
    name = _name(contest)
    lacking = f"{name} learned from {named}{more}, which this table does not have"
    return [f"{lacking}, so the two cannot be compared (another table's model takes a name of its own: --name)"]


def _name(contest: Contest) -> str:
    return f"champion {contest.champion_version}" if contest.champion_version else "the champion"


def refused(reason: str, *, champion: str | None = None) -> Decision:
    """The decision where nothing could be compared."""
    return Decision(promote=False, reasons=(reason,), champion=champion)


def _without_rows(contest: Contest) -> Decision:
    if contest.champion_version is not None:
        return refused("there are no rows to judge by", champion=contest.champion_version)
    return Decision(promote=True, reasons=("the first version; there are no rows to judge it by",), notes=contest.notes)


def _against_the_base_rate(contest: Contest, *, rounds: int, seed: int) -> Decision:
    prior = np.full(len(contest.labels), float(log_odds(contest.base_rate)))
    found = bootstrap.paired(contest.labels, prior, contest.candidate, groups=contest.groups, rounds=rounds, seed=seed)
    loss = _check("log-loss", found.log_loss, LOG_LOSS_SHARE * found.log_loss.champion, "the base rate", sign=1)
    reasons = (f"the first version; {loss.said}",) if loss.passed else (loss.said,)
    return Decision(promote=loss.passed, reasons=reasons, log_loss=loss, **_seen(contest, rounds))


def _against_the_champion(contest: Contest, champion: Floats, *, rounds: int, seed: int) -> Decision:
    labels, candidate = contest.labels, contest.candidate
    name = _name(contest)
    found = bootstrap.paired(labels, champion, candidate, groups=contest.groups, rounds=rounds, seed=seed)
    loss = _check("log-loss", found.log_loss, _log_loss_margin(contest, found.log_loss.champion), name, sign=1)
    auc = None if found.auc is None else _check("AUC", found.auc, AUC_MARGIN, name, sign=-1)
    calibration = _calibration(labels, candidate, champion, seed=seed)
    parts = segments.compare(labels, champion, candidate, contest.levels, groups=contest.groups)
    checks = [check for check in (loss, auc, calibration) if check is not None]
    against = [*(check.said for check in checks if not check.passed), *_collapsed(parts)]
    if not against and np.array_equal(candidate, champion):
        # Harmless, and the next training is then measured from its newer date and rows.
        reasons = [f"it gives the same scores as {name}"]
    else:
        reasons = against or [check.said for check in checks]
    return Decision(
        promote=not against, reasons=tuple(reasons), log_loss=loss, auc=auc, calibration=calibration, segments=tuple(parts),
        **_seen(contest, rounds),
    )  # fmt: skip


def _collapsed(parts: Sequence[Segment]) -> list[str]:
    found = [part.said for part in parts if part.collapsed]
    more = len(found) - MOST_SEGMENTS_TOLD
    return found if more <= 0 else [*found[:MOST_SEGMENTS_TOLD], f"and worse for certain in {more} more segments"]


def _seen(contest: Contest, rounds: int) -> dict[str, Any]:
    return {
        "champion": contest.champion_version, "rows": len(contest.labels), "won": int(contest.labels.sum()),
        "notes": contest.notes, "rounds": rounds,
    }  # fmt: skip


def _log_loss_margin(contest: Contest, champion: float) -> float:
    prior = np.full(len(contest.labels), float(log_odds(contest.base_rate)))
    gain = float(row_losses(prior, contest.labels).mean()) - champion
    return min(LOG_LOSS_SHARE * champion, GAIN_SHARE * max(gain, 0.0))


def _check(figure: str, found: Difference, margin: float, against: str, *, sign: int) -> Check:
    """`sign`: 1 where more is worse, -1 where less is."""
    worse = sign * found.difference
    least, most = sorted((sign * found.low, sign * found.high))
    shown = f"{figure} {found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}] against {against}"
    if most <= margin:
        passed, told = True, "better" if most < 0 else "not worse"
    elif least > 0:
        passed, told = False, "worse"
    elif worse <= max(margin, found.error):
        passed, told = True, "the rows cannot tell them apart"
    else:
        passed, told = False, "probably worse, and the rows cannot rule it out"
    return Check(passed=passed, margin=margin, found=found, said=f"{shown}: {told}")


def _calibration(labels: Ints, candidate: Floats, champion: Floats, *, seed: int) -> Calibrated:
    ours, theirs = (evaluate.ece(labels, probability(margins)) for margins in (candidate, champion))
    by_chance = evaluate.ece_by_chance(probability(candidate), seed=seed)
    most = max(MOST_ECE, theirs + by_chance)
    said = f"calibration error {ours:.3f}, the champion's {theirs:.3f}; {most:.3f} is the most allowed on so many rows"
    return Calibrated(passed=ours <= most, champion=theirs, candidate=ours, by_chance=by_chance, most=most, said=said)
