"""The order of the loop, on one screen.

collect              the bytes, then the events            door 1, before the sender is answered
enrich               what the event does not carry      ┐
trigger              which models it asks, and whom     │  door 2 (n8n), or the worker
recall               all that is known by now           │
derive               what travels beside the event      │
predict              features -> champion -> factors    ┘
collect_predictions  the right model, version, entity   ┐
enrich_predictions   the predicted_ fields              │  door 3 (n8n), or the worker
activate             one delivery per destination       ┘
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from sqlmodel import Session

from automation import fitting
from automation.knowledge import names_known
from automation.pipeline.collect_predictions import collect_predictions
from automation.pipeline.context import Case, Loop
from automation.pipeline.derive import derive
from automation.pipeline.enrich import enrich
from automation.pipeline.predict import predict
from automation.pipeline.prediction_entries import Entry
from automation.pipeline.recall import recall, still_ours
from automation.pipeline.trigger import trigger
from data.domain.delivery import backoff
from data.domain.event import Driver, EventState
from data.domain.prediction import Prediction
from data.domain.stage import Stage
from data.errors import LeadloopError, NotFound, NotReady, Retryable
from data.log import get_logger
from data.redaction import redacted
from data.warehouse import dead_letters, enrichment_tries, entities, events, predictions
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.predictions import Made

log = get_logger("loop")

STORED = {"model", "model_version", "variant", "score", "label", "grade", "threshold", "base_value", "factors", "as_of", "features"}
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
    entries = [Entry(case.event_id, tuple(case.predictions)) for case in cases if case.predictions]
    if entries:
        for refused in collect_predictions(loop, entries, Driver.WORKER).refused:
            give_back(loop, entries[refused.index].event_id, Retryable(refused.error.detail))
    return len(cases)


def predict_events(loop: Loop, event_ids: Sequence[int]) -> list[Answer]:
    """n8n's way: the stages up to the predictions, which it carries to the third door. One answer per event id.

    An event that was scored before gets its stored predictions; one in another driver's hands, none: the worker
    takes it as soon as that driver is done, for nobody will carry it here again.
    """
    cases = {case.event_id: case for case in _walk(loop, event_ids, limit=len(event_ids) or 1)}
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
        known = names_known(session, owners.values(), loop.inputs())
    if not taken:
        return []
    found = [Case(row, owners[row.entity_id], known[row.entity_id]) for row in taken]
    return _keep(loop, _stages(loop, found, lease_id), lease_id)


def _stages(loop: Loop, cases: list[Case], lease_id: str) -> list[Case]:
    """All up to the predictions. If a batch fails as a whole, its events go one by one, so that one cannot hold up all."""
    try:
        enrich(loop, cases)
        trigger(loop, cases)
        recalled = recall(loop, cases, lease_id)
        derive(loop, recalled.cases)
        predict(recalled.cases, recalled.facts)
        return recalled.cases
    except NotReady:
        raise
    except Exception as error:
        log.exception("loop.stage.failed", events=[case.event_id for case in cases])
        if len(cases) > 1:
            return [done for case in cases for done in _stages(loop, [case.anew()], lease_id)]
        cases[0].error = Retryable(f"an unexpected fault: {type(error).__name__}")
    return cases


def _keep(loop: Loop, cases: list[Case], lease_id: str) -> list[Case]:
    """Stores what the stages found, in one transaction, or one by one if it fails; returns the cases that are still ours."""
    try:
        with loop.database.write() as session:
            ours = _store(session, cases, lease_id)
            _try_again_later(session, ours, loop.clock.now())
            _keep_shadows(loop, session, ours)
            _settle(loop, session, ours, lease_id)
            return ours
    except NotReady:
        raise
    except Exception as error:
        log.exception("loop.cases.not_stored", events=[case.event_id for case in cases])
        if len(cases) > 1:
            return [kept for case in cases for kept in _keep(loop, [case], lease_id)]
        give_back(loop, cases[0].event_id, Retryable(f"could not be stored: {type(error).__name__}"))
        return []


def give_back(loop: Loop, event_id: int, error: LeadloopError) -> None:
    """Sets one event back, whatever came of it; nothing else about it is stored."""
    with loop.database.write() as session:
        row = events.by_ids(session, [event_id]).get(event_id)
        if row is None or row.state != EventState.NEW:
            return
        lease_id = row.lease_id
        _set_back(loop, session, row, error)
        if lease_id:
            entities.release(session, [row.entity_id], lease_id)


def _store(session: Session, cases: list[Case], lease_id: str) -> list[Case]:
    """Stores the models that are asked after all, and what could not be done. Cases whose lease was lost drop out."""
    ours = still_ours(session, cases, lease_id)
    for case, row in ours:
        row.models, row.notes, row.derived = list(case.models), {**_of_collecting(row), **case.notes}, dict(case.derived)
        case.event = row
        session.add(row)
    session.flush()
    return [case for case, _ in ours]


def _try_again_later(session: Session, cases: list[Case], now: datetime) -> None:
    """What enrichments could not answer of events that go on; an event that waits for another try asks them itself."""
    found = {
        (case.event.entity_id, name): problem
        for case in cases
        if case.error is None and case.models
        for name, problem in case.problems.items()
        if problem.again
    }
    enrichment_tries.add(session, found, now)


def _of_collecting(row: EventRow) -> dict[str, str]:
    """What was noted when it came, and is not found out anew with each try."""
    return {name: note for name, note in row.notes.items() if name == fitting.NOTE}


def _keep_shadows(loop: Loop, session: Session, cases: list[Case]) -> None:
    """What ran beside is stored here: it goes through no further door and makes no delivery."""
    made = [Made(case.event_id, case.event.entity_id, case.event.occurred_at, said, {}) for case in cases for said in case.shadows]
    predictions.add_new(session, made, loop.clock.now(), shadow=True)


def _settle(loop: Loop, session: Session, cases: list[Case], lease_id: str) -> None:
    """Events without a prediction are done, wait for another try, or are given up; the others keep their lease."""
    now = loop.clock.now()
    for case in cases:
        if case.error is not None:
            _set_back(loop, session, case.event, case.error)
        elif not case.models:
            events.finish(session, [case.event], now)
    kept = {case.event.entity_id for case in cases if case.error is None and case.models}
    entities.release(session, {case.event.entity_id for case in cases} - kept, lease_id)


def _set_back(loop: Loop, session: Session, row: EventRow, error: Exception) -> None:
    now = loop.clock.now()
    reason = error.detail if isinstance(error, LeadloopError) else redacted(str(error))
    if isinstance(error, NotReady):
        row.attempts -= 1  # our own lack is not the event's fault: it waits as long as it takes
        events.postpone(session, row, now + NOT_READY_PAUSE, reason)
    elif row.attempts + 1 >= (NOT_FOUND_ATTEMPTS if isinstance(error, NotFound) else loop.settings.max_attempts):
        events.bury(session, row, reason)
        stage = Stage.ENRICH if isinstance(error, NotFound) else Stage.PREDICT
        dead_letters.add(session, [DeadLetter(source=row.source, stage=stage, reason=reason, event_id=row.id, created_at=now)])
    else:
        events.postpone(session, row, now + backoff(row.attempts + 1), reason)
    log.warning("loop.event.set_back", event_id=row.id, state=row.state, reason=reason)


def _answer(session: Session, number: int, case: Case | None, row: EventRow | None, owners: dict[int, EntityRow]) -> Answer:
    owner = owners.get(row.entity_id) if row is not None else None
    if row is None or owner is None:  # it never was, or whoever it is about was erased
        return Answer(None, None, number, error=f"there is no event {number}")
    if case is not None:
        return Answer(row, owner, number, list(case.predictions), str(case.error) if case.error else None)
    if row.state == EventState.DONE:
        stored = [_prediction(found, owner) for found in predictions.of_events(session, [number])]
        return Answer(row, owner, number, stored)
    return Answer(row, owner, number, error=row.error or "another driver has this event or its entity; it will be scored")


def _prediction(row: predictions.PredictionRow, owner: EntityRow) -> Prediction:
    return Prediction.model_validate(
        {
            **row.model_dump(include=STORED),
            "entity": owner.ref,
            "confidence": max(row.score, 1 - row.score),
        }
    )
