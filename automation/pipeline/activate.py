"""Stage 9: one delivery per destination, in the transaction of the prediction that causes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from automation.destinations.base import Activation, Destination
from automation.destinations.registry import DESTINATIONS
from automation.pipeline import review
from automation.pipeline.context import Loop
from data.domain.delivery import Carrier, DeliveryKind
from data.domain.entity import Known
from data.domain.event import Driver
from data.domain.event_type import Verb, parts_of
from data.domain.prediction import Label
from data.warehouse import deliveries, predictions
from data.warehouse.deliveries import Draft
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.predictions import Made, Said


@dataclass(frozen=True)
class About:
    """Whom a prediction is about, and who that is."""

    entity: EntityRow
    known: Known
    same: frozenset[int] = frozenset()
    """Other records of the same person or company: who is in two CRMs alerts once."""


def activate(
    loop: Loop, session: Session, about: About, event: EventRow, made: Made, number: int, before: Said | None, driver: Driver
) -> list[Draft]:
    """The deliveries of a prediction that was just stored, as row `number`; none about what is no longer there.

    An event that came in late may have filled a gap in what is known of its entity. Its prediction, made from all that
    is known by now, then speaks for the entity's newest event; where it says what was said last it makes no delivery, unless
    that came to nothing. Nor does a review that says the same as before, unless an alert turned out not to
    have been posted.

    Parameters:
        before: what the model had said of the entity, if anything. The caller holds the entity's row.
    """
    if about.entity.merged_into_id is not None or about.entity.is_gone(event.occurred_at, parts_of(event.type)[1]):
        return []
    is_late, is_review = before is not None and before.is_newer_than(made), parts_of(event.type)[1] is Verb.REVIEWED
    repeats = (is_late or is_review) and before is not None and before.repeats(made)
    drafts = []
    for destination in DESTINATIONS.values():
        if not destination.configured(loop.clients) or (repeats and not _is_owed(session, destination, event)):
            continue
        delivery_id = deliveries.new_id()
        activation = _activation(loop, session, about, event, made, delivery_id, destination)
        if (content := destination.content(activation)) is None:
            continue
        by_n8n = driver is Driver.N8N and destination.carrier(loop.settings) == Carrier.N8N and destination.n8n_can(activation)
        carrier, due = _carrier(loop, by_n8n=by_n8n)
        drafts.append(
            Draft(
                id=delivery_id, prediction_id=number, event_id=made.event_id, entity_id=made.entity_id,
                occurred_at=before.occurred_at if before is not None and is_late else made.occurred_at,
                destination=destination.name, kind=destination.kind, content=content, carrier=carrier, due=due,
            )
        )  # fmt: skip
    return drafts


def _is_owed(session: Session, destination: Destination, event: EventRow) -> bool:
    """Whether a destination does not have what was said before: the record was not there at that moment, and is back."""
    if parts_of(event.type)[1] is Verb.REVIEWED:
        return destination.kind is DeliveryKind.ALERT and review.is_of_unposted(event.dedupe_key)
    return deliveries.came_to_nothing(session, event.entity_id, destination.name, destination.kind)


def _carrier(loop: Loop, *, by_n8n: bool) -> tuple[Carrier, datetime]:
    now = loop.clock.now()
    if by_n8n:
        return Carrier.N8N, now + timedelta(seconds=loop.settings.n8n_grace_seconds)
    return Carrier.WORKER, now


def _activation(
    loop: Loop, session: Session, about: About, event: EventRow, made: Made, delivery_id: str, destination: Destination
) -> Activation:
    prediction = made.prediction
    # Asked only where it decides something: most predictions alert nobody.
    may_alert = destination.kind is DeliveryKind.ALERT and prediction.label is Label.HIGH
    alerted_at = deliveries.last_alert_at(session, {made.entity_id, *about.same}, destination.name) if may_alert else None
    return Activation(
        settings=loop.settings,
        delivery_id=delivery_id,
        entity=about.entity.ref,
        known=about.known,
        prediction=prediction,
        fields=made.fields,
        base_rate=loop.predictor.card(prediction.model, prediction.model_version).base_rate,
        occurred_at=made.occurred_at,
        now=loop.clock.now(),
        cooled=alerted_at is not None and predictions.cooled_since(session, made, alerted_at),
        last_alert_at=alerted_at,
        derived=event.derived,
    )
