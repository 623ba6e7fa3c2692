"""Predictions: what each version said of each event's entity. One per (event, model); a repeat returns the stored one.

Beside it there may be one that ran in the shadow, for the comparison of versions only: no query here gives it out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Index, func, or_, tuple_, union
from sqlmodel import Field, Session, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from data.db import insert_new
from data.domain.delivery import say_the_same
from data.domain.prediction import Label, Prediction
from data.domain.traffic import Variant
from data.warehouse.columns import RowId, instant, json_column, row_id
from data.warehouse.facts import FactRow

UNIQUE = ("event_id", "model", "shadow")


class PredictionRow(SQLModel, table=True):
    __tablename__ = "predictions"
    __table_args__ = (
        Index("uq_predictions", *UNIQUE, unique=True),
        Index("ix_predictions_entity", "entity_id", "model", "occurred_at", "event_id"),
        Index("ix_predictions_as_of", "model", "as_of"),
    )

    id: int | None = row_id()
    event_id: int = Field(sa_type=RowId, foreign_key="events.id")
    entity_id: int = Field(sa_type=RowId, foreign_key="entities.id")
    model: str
    model_version: str
    variant: str = Variant.CHAMPION.value
    shadow: bool = False
    score: float
    label: str
    grade: str
    threshold: float
    base_value: float
    factors: list[dict[str, Any]] = json_column()
    fields: dict[str, Any] = json_column()  # the predicted_ fields, as the enrichments made them
    occurred_at: datetime = instant()
    """When the event happened: the order of predictions of one entity."""
    as_of: datetime | None = instant(nullable=True)
    """The moment whose visible facts it is made of; None where whoever made it did not say."""
    features: dict[str, Any] = json_column()  # the version's inputs, as they were given to it
    created_at: datetime = instant()


@dataclass(frozen=True)
class Made:
    """A prediction before it is stored, and the event that it answers."""

    event_id: int
    entity_id: int
    occurred_at: datetime
    prediction: Prediction
    fields: dict[str, Any]

    @property
    def key(self) -> tuple[int, str]:
        return self.event_id, self.prediction.model


def add_new(session: Session, made: Sequence[Made], now: datetime, *, shadow: bool = False) -> set[tuple[int, str]]:
    """Stores those whose event has none of their model yet; (event, model) of the new ones."""
    rows = [_values(each, now, shadow=shadow) for each in made]
    return {(event_id, model) for event_id, model, _ in insert_new(session, PredictionRow, rows, UNIQUE)}


def _values(made: Made, now: datetime, *, shadow: bool) -> dict[str, Any]:
    prediction = made.prediction
    return {
        "event_id": made.event_id,
        "entity_id": made.entity_id,
        "model": prediction.model,
        "model_version": prediction.model_version,
        "variant": prediction.variant.value,
        "shadow": shadow,
        "score": prediction.score,
        "label": prediction.label.value,
        "grade": prediction.grade.value,
        "threshold": prediction.threshold,
        "base_value": prediction.base_value,
        "factors": [factor.model_dump(mode="json") for factor in prediction.factors],
        "fields": made.fields,
        "occurred_at": made.occurred_at,
        "as_of": prediction.as_of,
        "features": prediction.features,
        "created_at": now,
    }


def ids_of(session: Session, event_ids: Iterable[int]) -> dict[tuple[int, str], int]:
    """(event, model) -> the row of its prediction."""
    row = PredictionRow
    query = select(row.event_id, row.model, row.id).where(col(row.event_id).in_(set(event_ids)), col(row.shadow).is_(False))
    return {(event_id, model): number for event_id, model, number in session.exec(query) if number is not None}


def of_event(session: Session, event_id: int, model: str) -> PredictionRow | None:
    query = _answers().where(PredictionRow.event_id == event_id, PredictionRow.model == model)
    return session.exec(query).first()


def of_events(session: Session, event_ids: Iterable[int]) -> Sequence[PredictionRow]:
    return session.exec(_answers().where(col(PredictionRow.event_id).in_(set(event_ids)))).all()


@dataclass(frozen=True)
class Said:
    """What has been said of an entity by one model."""

    score: float
    occurred_at: datetime
    event_id: int
    """The newest event with a prediction: when it happened, and which it is. `score` speaks for it."""
    last: dict[str, Any]
    """The fields of the prediction that was made last, whichever event it is of."""

    def is_newer_than(self, made: Made) -> bool:
        return (self.occurred_at, self.event_id) > (made.occurred_at, made.event_id)

    def repeats(self, made: Made) -> bool:
        """Whether the same was said just before: not the score alone, which the same version may give for other reasons."""
        return say_the_same(self.last, made.fields)


def said_of(session: Session, entity_ids: Iterable[int]) -> dict[int, dict[str, Said]]:
    """What has been said of each entity, by model; every id has its entry."""
    found: dict[int, dict[str, Said]] = {number: {} for number in entity_ids}
    row, same = PredictionRow, (col(PredictionRow.entity_id), col(PredictionRow.model))
    by_event = func.row_number().over(partition_by=same, order_by=(col(row.occurred_at).desc(), col(row.event_id).desc()))
    by_making = func.row_number().over(partition_by=same, order_by=col(row.id).desc())
    columns: list[Any] = [
        row.entity_id, row.model, row.score, row.fields, row.occurred_at, row.event_id,
        by_event.label("by_event"), by_making.label("by_making"),
    ]  # fmt: skip
    ranked = select(*columns).where(col(row.entity_id).in_(found), col(row.shadow).is_(False)).subquery()
    either = or_(ranked.c.by_event == 1, ranked.c.by_making == 1)
    last: dict[tuple[int, str], dict[str, Any]] = {}
    newest: dict[tuple[int, str], tuple[float, datetime, int]] = {}
    for each in session.execute(select(ranked).where(either)):
        key = each.entity_id, each.model
        if each.by_event == 1:
            newest[key] = each.score, each.occurred_at, each.event_id
        if each.by_making == 1:
            last[key] = each.fields
    for (entity_id, model), event in newest.items():
        found[entity_id][model] = Said(*event, last[entity_id, model])
    return found


def cooled_since(session: Session, made: Made, since: datetime) -> bool:
    """Whether the same record was not hot once between a moment and this prediction, in the order of the events."""
    earlier = tuple_(col(PredictionRow.occurred_at), col(PredictionRow.event_id)) < tuple_(made.occurred_at, made.event_id)
    query = _answers().where(
        PredictionRow.entity_id == made.entity_id, PredictionRow.model == made.prediction.model, earlier,
        PredictionRow.occurred_at >= since, PredictionRow.label != Label.HIGH,
    )  # fmt: skip
    return session.exec(query.limit(1)).first() is not None


@dataclass(frozen=True)
class Answer:
    """What a version answered of an entity, and what it was given; `features` is empty where it was not asked for."""

    entity_id: int
    event_id: int
    version: str
    variant: Variant
    score: float
    as_of: datetime
    features: dict[str, Any]


def answers(
    session: Session,
    model: str,
    since: datetime,
    until: datetime,
    *,
    limit: int,
    version: str | None = None,
    features: bool = False,
    shadow: bool = False,
) -> list[Answer]:
    """The newest answers that were made of what was visible after `since` and by `until`, of all versions or one.

    `shadow`: those that nobody was given.
    """
    row = PredictionRow
    columns: list[Any] = [row.entity_id, row.event_id, col(row.model_version).label("version"), row.variant, row.score, row.as_of]
    query = (
        select(*columns, *([row.features] if features else []))
        .where(row.model == model, col(row.shadow).is_(shadow), col(row.as_of) > since, col(row.as_of) <= until)
        .order_by(col(row.id).desc())
        .limit(limit)
    )
    if version is not None:
        query = query.where(row.model_version == version)
    rows = session.execute(query).mappings()
    return [Answer(**{"features": {}, **found, "variant": Variant(found["variant"])}) for found in rows]


def count_since(session: Session, model: str, since: datetime) -> int:
    """The answers that were made of what was visible after this moment."""
    row = PredictionRow
    query = select(func.count()).where(row.model == model, col(row.shadow).is_(False), col(row.as_of) > since)
    return session.exec(query).one()


def scored_after(session: Session, moments: Mapping[int, datetime]) -> set[int]:
    """Those of these entities that were scored by what was visible after the moment that belongs to each."""
    query = select(PredictionRow.entity_id, func.max(PredictionRow.as_of)).where(col(PredictionRow.entity_id).in_(moments))
    newest = session.exec(query.group_by(col(PredictionRow.entity_id)))
    return {number for number, moment in newest if moment is not None and moment > moments[number]}


def related_scored_after(session: Session, told: Mapping[int, datetime]) -> set[int]:
    """Those who name one of these entities, or are named by it, and were scored after the moment that belongs to it."""
    if not told:
        return set()
    fact, row = FactRow, PredictionRow
    naming: Any = select(col(fact.entity_id).label("other"), col(fact.target_id).label("told")).where(col(fact.target_id).in_(told))
    named: Any = select(col(fact.target_id).label("other"), col(fact.entity_id).label("told")).where(
        col(fact.entity_id).in_(told), col(fact.target_id).is_not(None)
    )
    near = union(naming, named).subquery()  # a company may be named by more records than a statement takes ids
    query = (
        select(near.c.other, near.c.told, func.max(row.as_of))
        .join(row, col(row.entity_id) == near.c.other)
        .where(col(row.as_of) > min(told.values()))
        .group_by(near.c.other, near.c.told)
    )
    return {other for other, number, at in session.execute(query) if at > told[number]}


def scored(session: Session, entity_ids: Iterable[int]) -> set[int]:
    """Those of these entities that have ever been scored."""
    query = select(PredictionRow.entity_id).where(col(PredictionRow.entity_id).in_(set(entity_ids)))
    return set(session.exec(query.distinct()))


def newest(session: Session, limit: int) -> Sequence[PredictionRow]:
    return session.exec(_answers().order_by(col(PredictionRow.id).desc()).limit(limit)).all()


def _answers() -> SelectOfScalar[PredictionRow]:
    return select(PredictionRow).where(col(PredictionRow.shadow).is_(False))
