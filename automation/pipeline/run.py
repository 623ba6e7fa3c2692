"""The order of the loop, on one screen.

collect              the bytes, then the events            door 1, before the sender is answered
enrich               what the event does not carry      ┐
trigger              which models it asks               │  door 2 (n8n), or the worker
predict              features -> champion -> factors    ┘
collect_predictions  the right model, version, entity   ┐
enrich_predictions   the predicted_ fields              │  door 3 (n8n), or the worker
activate             one delivery per destination       ┘
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from sqlmodel import Session

from automation.pipeline.collect_predictions import Entry, collect_predictions
from automation.pipeline.context import Case, Loop
from automation.pipeline.enrich import enrich
from automation.pipeline.predict import predict
from automation.pipeline.trigger import trigger
from data.domain.delivery import backoff
from data.domain.entity import merged
from data.domain.event import Driver, EventState
from data.domain.prediction import Prediction
from data.errors import LeadloopError, NotFound, NotReady, Retryable
from data.log import get_logger
from data.warehouse import dead_letters, entities, events, predictions
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow

log = get_logger("loop")

NOT_READY_PAUSE = timedelta(seconds=5)
NOT_FOUND_ATTEMPTS = 3  # a CRM may tell of a record a moment before it gives it out


@dataclass
class Answer:
    """What door 2 says of one event: its predictions, or why there are none."""

    row: EventRow | None
    entity: EntityRow | None
    event_id: int
    predictions: list[Prediction] = field(default_factory=list)
    error: str | None = None


def drive(loop: Loop, *, limit: int = 100) -> int:
    """The worker's way: every stage for the events that are due. Returns how many it took."""
    cases = _walk(loop, None, limit=limit)
    entries = [Entry(_id(case), tuple(case.predictions)) for case in cases if case.predictions]
    if entries:
        collect_predictions(loop, entries, Driver.WORKER)
    return len(cases)


def predict_events(loop: Loop, event_ids: Sequence[int]) -> list[Answer]:
    """n8n's way: the stages up to the predictions, which it carries to the third door. One answer per event id.

    An event that was scored before gets its stored predictions; one in another driver's hands, none: the worker
    takes it as soon as that driver is done, for nobody will carry it here again.
    """
    cases = {_id(case): case for case in _walk(loop, event_ids, limit=len(event_ids) or 1)}
    if held := set(event_ids) - cases.keys():
        with loop.database.write() as session:
            events.hurry(session, held, loop.clock.now())
    with loop.database.read() as session:
        rows = events.by_ids(session, event_ids)
        owners = entities.by_ids(session, [row.entity_id for row in rows.values()])
        return [_answer(session, number, cases.get(number), rows.get(number), owners) for number in event_ids]


def _walk(loop: Loop, event_ids: Sequence[int] | None, *, limit: int) -> list[Case]:
    lease_id = str(uuid4())
    seconds = loop.settings.lease_seconds if event_ids is None else max(loop.settings.n8n_grace_seconds, 1)
    with loop.database.write() as session:
        taken = events.claim(session, lease_id, loop.clock.now(), seconds, event_ids=event_ids, limit=limit)
        owners = entities.by_ids(session, [row.entity_id for row in taken])
    if not taken:
        return []
    cases = _stages(loop, taken, owners)
    with loop.database.write() as session:
        _remember(session, cases)
        _settle(loop, session, cases, lease_id)
    return cases


def _stages(loop: Loop, rows: list[EventRow], owners: dict[int, EntityRow]) -> list[Case]:
    """Enrich, trigger, predict. If a batch fails as a whole, its events go one by one, so that one cannot hold up all."""
    cases = [Case(row, owners[row.entity_id], owners[row.entity_id].known) for row in rows]
    try:
        enrich(loop, cases)
        trigger(loop, cases)
        predict(loop, cases)
    except Exception as error:
        log.exception("loop.stage.failed", events=[row.id for row in rows])
        if len(rows) > 1:
            return [case for row in rows for case in _stages(loop, [row], owners)]
        cases[0].error = Retryable(f"an unexpected fault: {type(error).__name__}")
    return cases


def _remember(session: Session, cases: list[Case]) -> None:
    """Stores what was learned, and the models that are asked after all."""
    rows = entities.lock(session, [case.event.entity_id for case in cases])
    for case in cases:
        row = rows[case.event.entity_id]
        known = merged(row.known, case.facts)
        row.known_values, row.known_times = known.values, known.times
        row.looked_up_at = case.looked_up_at or row.looked_up_at
        case.event.models, case.event.notes = list(case.models), dict(case.notes)
        session.add(case.event)
    entities.save_known(session, list(rows.values()))


def _settle(loop: Loop, session: Session, cases: list[Case], lease_id: str) -> None:
    """Events without a prediction are done, wait for another try, or are given up; the others keep their lease."""
    now = loop.clock.now()
    for case in cases:
        if case.error is not None:
            _set_back(loop, session, case)
        elif not case.models:
            events.finish(session, [case.event], now)
    kept = {case.event.entity_id for case in cases if case.error is None and case.models}
    entities.release(session, {case.event.entity_id for case in cases} - kept, lease_id)


def _set_back(loop: Loop, session: Session, case: Case) -> None:
    now, error = loop.clock.now(), case.error
    reason = error.detail if isinstance(error, LeadloopError) else str(error)
    if isinstance(error, NotReady):
        case.event.attempts -= 1  # our own lack is not the event's fault: it waits as long as it takes
        events.postpone(session, case.event, now + NOT_READY_PAUSE, reason)
    elif case.event.attempts + 1 >= (NOT_FOUND_ATTEMPTS if isinstance(error, NotFound) else loop.settings.max_attempts):
        events.bury(session, case.event, reason)
        stage = "enrich" if isinstance(error, NotFound) else "predict"
        letter = DeadLetter(source=case.event.source, stage=stage, reason=reason, event_id=case.event.id, created_at=now)
        dead_letters.add(session, [letter])
    else:
        events.postpone(session, case.event, now + backoff(case.event.attempts + 1), reason)
    log.warning("loop.event.set_back", event_id=case.event.id, state=case.event.state, reason=reason)


def _answer(session: Session, number: int, case: Case | None, row: EventRow | None, owners: dict[int, EntityRow]) -> Answer:
    if row is None:
        return Answer(None, None, number, error=f"there is no event {number}")
    owner = owners[row.entity_id]
    if case is not None:
        return Answer(row, owner, number, list(case.predictions), str(case.error) if case.error else None)
    if row.state == EventState.DONE:
        stored = [_prediction(found, owner) for found in predictions.of_events(session, [number])]
        return Answer(row, owner, number, stored)
    return Answer(row, owner, number, error=row.error or "another driver has this event or its entity; it will be scored")


def _prediction(row: predictions.PredictionRow, owner: EntityRow) -> Prediction:
    return Prediction.model_validate(
        {
            **row.model_dump(include={"model", "model_version", "score", "label", "grade", "threshold", "base_value", "factors"}),
            "entity": owner.ref,
            "confidence": max(row.score, 1 - row.score),
        }
    )


def _id(case: Case) -> int:
    assert case.event.id is not None
    return case.event.id
