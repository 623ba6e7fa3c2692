"""Champion and challenger in service, by what became of those whom they scored since their comparison began."""

from datetime import datetime

import polars as pl
from sqlmodel import Session

from automation.settled import settled
from data.domain.traffic import Mode, Traffic, Variant
from data.warehouse import predictions
from ml.training import verdict
from ml.training.labels import HORIZON
from ml.training.verdict import Scored, ScoredTwice, Verdict

MOST_ANSWERS = 100_000  # the newest


def judge(session: Session, traffic: Traffic, facts: pl.DataFrame, now: datetime) -> Verdict | None:
    """The verdict on the two versions that have traffic; None where it is switched off.

    Only answers older than the horizon count: a younger one that is won is known at once, one that is lost only later.
    """
    if traffic.mode is Mode.OFF:
        return None
    if traffic.mode is Mode.SHADOW:
        return verdict.of_shadow(traffic, _in_shadow(session, traffic, facts, now))
    return verdict.of_live(traffic, _live(session, traffic, facts, now))


def nothing_yet(traffic: Traffic) -> Verdict | None:
    """The same before anybody has looked."""
    if traffic.mode is Mode.OFF:
        return None
    return verdict.of_shadow(traffic, ()) if traffic.mode is Mode.SHADOW else verdict.of_live(traffic, ())


def _live(session: Session, traffic: Traffic, facts: pl.DataFrame, now: datetime) -> list[Scored]:
    """Each entity belongs to one of the two."""
    versions = {Variant.CHAMPION: traffic.champion, Variant.CHALLENGER: traffic.challenger}
    answers = predictions.answers(session, traffic.model, traffic.since, now - HORIZON, limit=MOST_ANSWERS)
    ours = [answer for answer in answers if versions[answer.variant] == answer.version]
    return [Scored(answer.variant, answer.score, bool(label)) for answer, label in settled(ours, facts, now)]


def _in_shadow(session: Session, traffic: Traffic, facts: pl.DataFrame, now: datetime) -> list[ScoredTwice]:
    """Of events at which the champion answered and the challenger was asked besides."""
    told, beside = (
        predictions.answers(
            session, traffic.model, traffic.since, now - HORIZON, limit=MOST_ANSWERS, version=version, shadow=shadow
        )
        for version, shadow in ((traffic.champion, False), (traffic.challenger, True))
    )
    other = {answer.event_id: answer.score for answer in beside}
    both = [answer for answer in told if answer.event_id in other]
    return [ScoredTwice(answer.score, other[answer.event_id], bool(label)) for answer, label in settled(both, facts, now)]
