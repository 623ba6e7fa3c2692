"""Stage 7, the second door: a prediction is taken if its model, its version and its entity are right.

Whoever made it (n8n carried it here, or the worker did) it is stored once per (event, model), with its deliveries in
the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from automation import memory
from automation.allowance import grant_of
from automation.pipeline.activate import About, activate
from automation.pipeline.context import Loop
from automation.pipeline.enrich_predictions import enrich_predictions
from data.domain.event import Driver, EventState
from data.domain.prediction import Prediction
from data.errors import BadInput, LeadloopError, NotFound
from data.log import get_logger
from data.warehouse import deliveries, entities, events, leases, predictions
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow

log = get_logger("predictions")


@dataclass(frozen=True)
class Entry:
    """One event with the predictions that were made for it."""

    event_id: int
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True)
class Refused:
    """Why an entry was not taken. Its event goes on: the worker scores it when its lease ends."""

    index: int
    event_id: int
    error: LeadloopError


@dataclass
class Taken:
    accepted: int = 0
    refused: list[Refused] = field(default_factory=list)
    lease_id: str | None = None
    deliveries: list[DeliveryRow] = field(default_factory=list)


def collect_predictions(loop: Loop, entries: Sequence[Entry], driver: Driver) -> Taken:
    """Stores predictions and their deliveries; for n8n, leases it those that its nodes can carry."""
    taken = Taken()
    with loop.database.write() as session:
        rows = events.by_ids(session, [entry.event_id for entry in entries])
        held = entities.lock(session, [row.entity_id for row in rows.values()])
        known = memory.known(session, held.values())
        about = {number: About(entity, known[number]) for number, entity in held.items()}
        # In the order of the events, so that the last one stored of an entity is its newest.
        order = sorted(range(len(entries)), key=lambda index: _moment(rows, entries[index]))
        for index in order:
            entry = entries[index]
            try:
                with session.begin_nested():  # one entry that cannot be stored takes no other with it
                    row = _checked(loop, rows, held, entry)
                    _store(loop, session, row, about[row.entity_id], entry, driver)
            except LeadloopError as error:
                taken.refused.append(Refused(index, entry.event_id, error))
                log.warning("predictions.entry.refused", event_id=entry.event_id, reason=error.detail)
                continue
            except (ValueError, TypeError, ArithmeticError) as error:
                log.exception("predictions.entry.failed", event_id=entry.event_id)
                fault = BadInput(f"cannot be stored: {type(error).__name__}")
                taken.refused.append(Refused(index, entry.event_id, fault))
                continue
            taken.accepted += 1
        if driver is Driver.N8N:
            _lease(loop, session, [entry.event_id for entry in entries], taken)
    log.info("predictions.batch.accepted", accepted=taken.accepted, refused=len(taken.refused), leased=len(taken.deliveries))
    return taken


def _moment(rows: dict[int, EventRow], entry: Entry) -> tuple[str, int]:
    row = rows.get(entry.event_id)
    return (row.occurred_at.isoformat() if row else "", entry.event_id)


def _checked(loop: Loop, rows: dict[int, EventRow], held: dict[int, EntityRow], entry: Entry) -> EventRow:
    if (row := rows.get(entry.event_id)) is None:
        raise NotFound(f"there is no event {entry.event_id}", field="event.event_id")
    ours = held[row.entity_id].ref
    for prediction in entry.predictions:
        card = loop.predictor.card(prediction.model, prediction.model_version)
        if strangers := sorted(prediction.features.keys() - set(card.input_names)):
            raise BadInput(f"{strangers[0]!r} is no input of {card.model} {card.version}", field="predictions.features")
        if prediction.entity != ours:
            theirs = prediction.entity or "nobody"
            raise BadInput(f"event {row.id} is about {ours}, the prediction about {theirs}", field="predictions.entity")
    return row


def _store(loop: Loop, session: Session, row: EventRow, about: About, entry: Entry, driver: Driver) -> None:
    assert row.id is not None
    now = loop.clock.now()
    for prediction in entry.predictions:
        fields = enrich_predictions(prediction, now)
        if not predictions.add_new(session, row.id, row.entity_id, row.occurred_at, prediction, fields, now):
            continue
        stored = predictions.of_event(session, row.id, prediction.model)
        assert stored is not None
        activate(loop, session, about, row, stored, prediction, driver)
    answered = {stored.model for stored in predictions.of_events(session, [row.id])}
    if row.state == EventState.NEW and answered >= set(row.models):
        lease_id = row.lease_id
        events.finish(session, [row], now)
        if lease_id:
            entities.release(session, [row.entity_id], lease_id)


def _lease(loop: Loop, session: Session, event_ids: Sequence[int], taken: Taken) -> None:
    stored = [row.id for row in predictions.of_events(session, event_ids) if row.id is not None]
    now, settings = loop.clock.now(), loop.settings
    taken.lease_id, taken.deliveries = leases.lease_for_n8n(
        session, now, settings.lease_seconds, prediction_ids=stored, limit=settings.n8n_lease_limit, grant=grant_of(loop, session)
    )
    deliveries.hand_to_worker(session, stored, now)
