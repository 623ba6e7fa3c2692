"""What became of the entities that versions scored: predictions joined with the outcomes that came after them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from data.domain.outcome import Result
from data.domain.traffic import Traffic, Variant
from data.warehouse.outcomes import OutcomeRow
from data.warehouse.predictions import PredictionRow


@dataclass(frozen=True)
class Scored:
    """An entity's last score by one variant before an outcome, and whether it was won."""

    variant: Variant
    score: float
    won: bool


@dataclass(frozen=True)
class ScoredTwice:
    """Both versions' scores at the last event before an outcome at which both were asked."""

    champion: float
    challenger: float
    won: bool


def live(session: Session, traffic: Traffic) -> list[Scored]:
    """One row per entity and variant, of predictions that were answered since the comparison began."""
    versions = {Variant.CHAMPION.value: traffic.champion, Variant.CHALLENGER.value: traffic.challenger}
    query = _ended(traffic, PredictionRow.entity_id, PredictionRow.variant, PredictionRow.model_version, PredictionRow.score)
    # The last one stays: of the newest prediction the first outcome after it.
    newest: dict[tuple[int, str], Scored] = {}
    for result, entity_id, variant, version, score in session.execute(query):
        if versions[variant] == version:
            newest[entity_id, variant] = Scored(Variant(variant), score, result == Result.WON)
    return list(newest.values())


def in_shadow(session: Session, traffic: Traffic) -> list[ScoredTwice]:
    """One row per entity, of events at which the champion answered and the challenger was asked besides."""
    beside = aliased(PredictionRow)
    query = (
        _ended(traffic, PredictionRow.entity_id, PredictionRow.score, beside.score)
        .join(beside, (col(beside.event_id) == PredictionRow.event_id) & (col(beside.model) == PredictionRow.model))
        .where(col(beside.shadow).is_(True), PredictionRow.model_version == traffic.champion)
        .where(beside.model_version == traffic.challenger)
    )
    newest = {entity_id: ScoredTwice(one, other, result == Result.WON) for result, entity_id, one, other in session.execute(query)}
    return list(newest.values())


def _ended(traffic: Traffic, *columns: Any) -> Any:
    """The answers since the comparison began, each with every outcome after it: old ones first, their outcomes last to first."""
    return (
        select(OutcomeRow.result, *columns)
        .join(PredictionRow, col(PredictionRow.entity_id) == OutcomeRow.entity_id)
        .where(PredictionRow.model == traffic.model, PredictionRow.created_at >= traffic.since)
        .where(col(PredictionRow.shadow).is_(False), OutcomeRow.occurred_at > PredictionRow.occurred_at)
        .order_by(col(PredictionRow.occurred_at), col(PredictionRow.event_id), col(OutcomeRow.occurred_at).desc())
    )
