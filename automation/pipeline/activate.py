"""Stage 9: one delivery per destination, in the transaction of the prediction that causes it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlmodel import Session

from automation.destinations.base import Activation, Destination
from automation.destinations.registry import DESTINATIONS
from automation.pipeline.context import Loop
from data.domain.delivery import Carrier, DeliveryKind
from data.domain.entity import Known
from data.domain.event import Driver
from data.domain.event_type import Verb, parts_of
from data.domain.prediction import Label, Prediction
from data.warehouse import deliveries, identities, predictions
from data.warehouse.deliveries import Draft
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.predictions import PredictionRow


@dataclass(frozen=True)
class About:
    """Whom a prediction is about, and who that is."""

    entity: EntityRow
    known: Known


def activate(
    loop: Loop, session: Session, about: About, event: EventRow, row: PredictionRow, prediction: Prediction, driver: Driver
) -> None:
    """Makes the deliveries of a stored prediction.

    An event that came in late may have filled a gap in what is known of its entity. Its prediction, made from all that
    is known by now, then speaks for the entity's newest event; where it says what was said last it makes no delivery. Nor does
    a review of which the same version says the same as before.

    The caller holds the entity's row.
    """
    newest = predictions.newest_of(session, row.entity_id, row.model)
    assert newest is not None
    assert row.id is not None
    is_late, is_review = newest.id != row.id, parts_of(event.type)[1] is Verb.REVIEWED
    if (is_late or is_review) and _says_the_same(predictions.made_before(session, row), row):
        return
    for destination in DESTINATIONS.values():
        if not destination.configured(loop.clients):
            continue
        delivery_id = deliveries.new_id()
        activation = _activation(loop, session, about, event, row, prediction, delivery_id, destination)
        content = destination.content(activation)
        if content is None:
            continue
        by_n8n = driver is Driver.N8N and destination.carrier(loop.settings) == Carrier.N8N and destination.n8n_can(activation)
        draft = Draft(destination.name, destination.kind, content, *_carrier(loop, by_n8n=by_n8n))
        deliveries.add(
            session, draft, delivery_id=delivery_id, prediction_id=row.id, event_id=row.event_id,
            entity_id=row.entity_id, occurred_at=newest.occurred_at, now=loop.clock.now(),
        )  # fmt: skip


def _person(session: Session, row: PredictionRow) -> set[int]:
    """The entity and those that are the same: a person who is in two CRMs alerts once."""
    return {row.entity_id, *identities.same_as(session, [row.entity_id]).get(row.entity_id, ())}


def _says_the_same(before: PredictionRow | None, row: PredictionRow) -> bool:
    return before is not None and (before.score, before.model_version) == (row.score, row.model_version)


def _carrier(loop: Loop, *, by_n8n: bool) -> tuple[Carrier, Any]:
    now = loop.clock.now()
    if by_n8n:
        return Carrier.N8N, now + timedelta(seconds=loop.settings.n8n_grace_seconds)
    return Carrier.WORKER, now


def _activation(
    loop: Loop,
    session: Session,
    about: About,
    event: EventRow,
    row: PredictionRow,
    prediction: Prediction,
    delivery_id: str,
    destination: Destination,
) -> Activation:
    # Asked only where it decides something: most predictions alert nobody.
    may_alert = destination.kind is DeliveryKind.ALERT and prediction.label is Label.HIGH
    alerted_at = deliveries.last_alert_at(session, _person(session, row), destination.name) if may_alert else None
    return Activation(
        settings=loop.settings,
        delivery_id=delivery_id,
        entity=about.entity.ref,
        known=about.known,
        prediction=prediction,
        fields=row.fields,
        base_rate=loop.predictor.card(prediction.model, prediction.model_version).base_rate,
        occurred_at=row.occurred_at,
        now=loop.clock.now(),
        cooled=alerted_at is not None and predictions.cooled_since(session, row, alerted_at),
        last_alert_at=alerted_at,
        derived=event.derived,
    )
