"""The one-page report of a version: one HTML file for people, with nothing in it that is loaded from elsewhere.

Column names, levels and notes are the user's own and may hold anything: the template escapes them, and the plots, which
are put in as they are, hold none of them.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape

from data.domain.prediction import percent
from ml.features.date_text import datetime_of_days
from ml.monitoring import drift
from ml.training import conclusion, plots, report_words
from ml.training.conclusion import Figures, Trust
from ml.training.evaluate import deciles
from ml.training.gate import Decision
from ml.training.global_factors import FEWEST_POINTS, GlobalFactor, global_factors
from ml.training.ladder import Tried, as_row
from ml.training.leakage import Findings
from ml.training.train import Trained
from ml.version import REPORT, write_atomically

# In the page until the registry has numbered it and the gate has decided; no text of a user can be this.
NUMBER_HERE, DECISION_HERE = "<!-- version -->", "<!-- decision -->"
LONGEST_TEXT = 160
OUT_OF_TIME = "The time was up before {} could be tried: train again with more, as --budget 300, or with fewer columns."
MOST_FACTORS = 15
MOST_MOVED = 3
# From a hold-out, or from the folds where there are too few rows for one.
FEW_ROWS = 300


@dataclass(frozen=True)
class Row:
    """A line of the table of candidates: the best of one learner's tries."""

    learner: str
    tries: int
    log_loss: float
    behind: float
    error: float
    seconds: float
    is_best: bool
    is_chosen: bool


def write_report(trained: Trained, folder: Path, *, notes: Sequence[str] | None = None, findings: Findings | None = None) -> Path:
    """Writes `report.html` into a folder. `notes` and `findings` are taken in place of those of the training, if given."""
    path = folder / REPORT
    write_atomically(path, page(trained, notes=trained.notes if notes is None else notes, findings=findings or trained.findings))
    return path


def numbered(html: str, version: str) -> str:
    """The same report with the number that the registry gave."""
    return html.replace(NUMBER_HERE, f", version {int(version)}", 1)


def decided(html: str, decision: Decision) -> str:
    """The same report with what the gate said."""
    behind = f"behind champion {decision.champion}" if decision.champion else "and there is no champion yet"
    took = "Champion" if decision.promote else f"Challenger, {behind},"
    lines = "".join(f"<li>{escape(line)}</li>" for line in (*decision.reasons, *decision.notes))
    return html.replace(DECISION_HERE, f"<p>{escape(took)} when it was registered:</p><ul>{lines}</ul>", 1)


def page(trained: Trained, *, notes: Sequence[str], findings: Findings | None) -> str:
    """The report as HTML. The same version gives the same page."""
    card, labels, scores = trained.card, trained.judges.labels, trained.scores
    figures = conclusion.measure(labels, scores, card.base_rate, seed=card.seed)
    is_prior = trained.fit.chosen.learner == "prior"
    verdict = conclusion.trust(figures, is_prior=is_prior)
    candidates = _candidates(trained)
    return _environment().get_template("report.html").render(
        card=card,
        won=_plain(trained.outcomes[0]),
        lost=_plain(trained.outcomes[1]),
        number_here=NUMBER_HERE,
        decision_here=DECISION_HERE,
        trust=verdict.value,
        title=conclusion.TITLES[verdict],
        reasons=_reasons(trained, figures, verdict, candidates, findings),
        figures=figures,
        is_prior=is_prior,
        held_out=card.rows_holdout > 0,
        few_rows=FEW_ROWS,
        period=_period(trained),
        kinds=_kinds(trained),
        notes=notes,
        findings=findings,
        weakest=FEWEST_POINTS,
        most_factors=MOST_FACTORS,
        keep=[suspect.listed for suspect in findings.suspects if suspect.left_out] if findings else [],
        candidates=candidates,
        grades=[(row.grade, row) for row in card.observed],
        tenths=deciles(labels, scores),
        factors=[] if is_prior else _factors(trained)[:MOST_FACTORS],
        plots={} if is_prior else {name: plots.svg(name, labels, scores) for name in ("reliability_curve", "lift_by_decile")},
        parts=trained.fit.chosen.members or (trained.fit.chosen,),
        plan=trained.fit.plan,
        calibrations=trained.fit.calibrations,
        words=report_words,
    )  # fmt: skip


def verdict_of(trained: Trained) -> tuple[str, list[str]]:
    """The report's title and its sentences."""
    figures = conclusion.measure(trained.judges.labels, trained.scores, trained.card.base_rate, seed=trained.card.seed)
    verdict = conclusion.trust(figures, is_prior=trained.fit.chosen.learner == "prior")
    return conclusion.TITLES[verdict], _reasons(trained, figures, verdict, _candidates(trained), trained.findings)


def _factors(trained: Trained) -> list[GlobalFactor]:
    return global_factors(trained.version.scorer, trained.judges.frame, seed=trained.card.seed)


def _candidates(trained: Trained) -> list[Row]:
    """One line a learner, in the ladder's order, with the try that came furthest."""
    tried, chosen = trained.fit.tried, trained.fit.chosen
    by_learner: dict[str, list[Tried]] = {}
    for one in tried:
        by_learner.setdefault(one.learner, []).append(one)
    best = min((one for one in tried if len(one.losses)), key=lambda one: one.loss, default=None)
    if best is None:
        return []
    rows = []
    for learner, tries in by_learner.items():
        shown = chosen if learner == chosen.learner else min(tries, key=lambda one: one.loss)
        row = as_row(shown, best)
        seconds = sum(one.seconds for one in tries)
        rows.append(
            Row(
                learner,
                len(tries),
                shown.loss,
                row["behind"],
                row["behind_error"],
                seconds,
                learner == best.learner,
                shown is chosen,
            )
        )
    return rows


def _reasons(trained: Trained, figures: Figures, verdict: Trust, candidates: Sequence[Row], findings: Findings | None) -> list[str]:
    """The verdict's sentences: what, which rung and why, how sure."""
    said = [_meaning(trained, figures, verdict), _rung(trained, candidates), _how_sure(trained, figures)]
    if trained.fit.untried:
        said.append(OUT_OF_TIME.format(", ".join(report_words.LEARNERS[name] for name in trained.fit.untried)))
    if trained.card.rows_holdout and figures.rate_has_changed(trained.card.rows_train):
        said.append(
            f"Times are changing: {_plain(trained.card.target)} was {_plain(trained.outcomes[0])} in {figures.rate:.1%} of the "
            f"newest rows, and in {figures.base_rate:.1%} of those that it learned from."
        )
    if trained.card.rows_holdout and (moved := _moved(trained)):
        held = "The percentages have held all the same, and need not the next time" if verdict is Trust.GOOD else (
            "What comes next may differ as much: rely on the order more than on the percentages"
        )  # fmt: skip
        said.append(f"The newest rows are not like those that it learned from: {'; '.join(moved)}. {held}. Train again often.")
    kept = [suspect.column for suspect in findings.suspects if not suspect.left_out] if findings else []
    if kept and verdict is not Trust.NONE:
        said.append(f"{_count(len(kept), 'column')} that may know the answer took part: see “Suspects” before you rely on it.")
    return [sentence for sentence in said if sentence]


def _moved(trained: Trained) -> list[str]:
    """The columns that drifted most between the rows that taught and those that judge, one row of each identity."""
    rows = np.arange(len(trained.judged))
    if trained.judges.groups is not None:
        rows = np.unique(trained.judges.groups, return_index=True)[1]
    found = drift.measure(trained.reference, trained.card.inputs, trained.judges.frame[rows], np.empty(0))
    told = [
        f"{_plain(shift.name)} (“{_plain(shift.most)}” was {shift.before:.0%}, is {shift.now:.0%})"
        for shift in found.drifted[:MOST_MOVED]
    ]
    more = len(found.drifted) - len(told)
    return [*told, f"and {_count(more, 'more column')}"] if more > 0 else told


def _meaning(trained: Trained, figures: Figures, verdict: Trust) -> str:
    rate = f"{trained.card.base_rate:.1%}"
    if verdict is Trust.NONE:
        return (
            f"On rows that were held back, nothing in these columns told the outcomes apart better than chance. So every row "
            f"gets the same score, {_score(trained)}: sorting by it is sorting by chance. More rows with a known outcome, or "
            f"columns that are known before the outcome, may change that."
        )
    if verdict is Trust.WORSE:
        return (
            f"On the rows that judge, its scores are worse than giving everybody the base rate of {rate}: they are not like "
            f"the rows it learned from. Train again on newer rows before anybody acts on it."
        )
    if verdict is Trust.LITTLE and figures.gain.low <= 0:
        return (
            f"It may be better than giving everybody the base rate of {rate}, but the rows that judge cannot show it: the "
            f"difference may be chance. Treat a high score as a hint, no more."
        )
    if verdict is Trust.LITTLE and figures.gain.value >= conclusion.LITTLE_GAIN:
        return (
            f"It looks better than giving everybody the base rate of {rate}, but so few rows are no proof. "
            f"Treat a high score as a hint, no more."
        )
    if verdict is Trust.LITTLE:
        return f"Its scores are hardly better than giving everybody the base rate of {rate}. Treat a high score as a hint, no more."
    if verdict is Trust.RANKS_ONLY:
        return (
            f"High scores do come true more often than low ones, so use it to decide whom to call first. But a score of 30% "
            f"does not mean 30 of 100: scores and what happened differ by {100 * figures.gap:.1f} points on average."
        )
    return "High scores come true more often than low ones, and on the rows that judge the percentages came true."


def _rung(trained: Trained, candidates: Sequence[Row]) -> str:
    chosen = next((row for row in candidates if row.is_chosen), None)
    if chosen is None:
        return f"There was nothing to choose from: {trained.fit.plan.how}."
    name, how = report_words.LEARNERS[chosen.learner], report_words.HOW[chosen.learner]
    best = next(row for row in candidates if row.is_best)
    if len(candidates) == 1:
        return f"Made by {name}: the rows are too few for anything else to be tried."
    others = sum(row.learner != "prior" for row in candidates)
    tried = f"{others} kinds of learners that were tried beside the base rate"
    if chosen.learner == "prior":
        return f"{others} kinds of learners were tried on rows that they had not seen. " + (
            "None was better." if best is chosen else f"The best, {report_words.LEARNERS[best.learner]}, was not clearly better."
        )
    if chosen.is_best:
        return f"Made by {name}, which {how}: the best of {tried} on rows that they had not seen."
    return (
        f"Made by {name}, which {how}: the simplest of {tried} that is as good as the best, {report_words.LEARNERS[best.learner]}, "
        f"as far as these rows can tell."
    )


def _how_sure(trained: Trained, figures: Figures) -> str:
    judged = (
        "of the newest rows, none of which it had seen" if trained.card.rows_holdout else "rows, each unseen when it was judged"
    )
    if trained.fit.chosen.learner == "prior":
        return "" if figures.rows >= FEW_ROWS else f"This rests on {_count(figures.rows, 'row')}, which is few."
    few = f" {figures.rows} rows are few: expect this to move." if figures.rows < FEW_ROWS else ""
    return (
        f"How sure: judged by {figures.rows:,} {judged}, its error (log-loss) is {_side(figures.gain.value)} the base rate's. "
        f"95% sure: between {_sides(figures.gain.low, figures.gain.high)}.{few}"
    )


def _side(gain: float) -> str:
    return f"{abs(gain):.0%} {'below' if gain >= 0 else 'above'}"


def _sides(low: float, high: float) -> str:
    if (low < 0) is (high < 0):
        near, far = sorted((low, high), key=abs)
        return f"{abs(near):.0%} and {_side(far)}"
    return f"{_side(low)} and {_side(high)}"


def _score(trained: Trained) -> str:
    return percent(float(np.median(trained.scores)), decimals=1)


def _period(trained: Trained) -> Mapping[str, datetime] | None:
    """The moments of the oldest row, of the first that judges, and of the newest."""
    times = trained.table.times
    if times is None or not len(times):
        return None
    cut = min(trained.card.rows_train, len(times) - 1)
    return {name: datetime_of_days(times[place]) for name, place in (("first", 0), ("cut", cut), ("last", -1))}


def _kinds(trained: Trained) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for column in trained.card.inputs:
        found.setdefault(report_words.KINDS[column.kind], []).append(column.name)
    return found


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _plain(text: Any) -> str:
    """A user's text on one line: no control or direction-changing characters, and not without end."""
    kept = "".join(" " if unicodedata.category(character).startswith(("C", "Z")) else character for character in str(text))
    one_line = " ".join(kept.split()) or "(no name)"
    return one_line if len(one_line) <= LONGEST_TEXT else one_line[: LONGEST_TEXT - 1] + "…"


def _percent(number: float, digits: int = 1) -> str:
    return f"{100 * number:.{digits}f}%"


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("ml.training"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(plain=_plain, percent=_percent, count=_count)
    return made
