"""Stage 7, the second door: a prediction is taken if its model, its version and its entity are right, and it passes the checks.

Whoever made it (n8n carried it here, or the worker did) it is stored once per (event, model), with its deliveries in
the same transaction. What is refused is kept as a dead letter, and its event goes on.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlmodel import Session

from automation.account import accounts
from automation.allowance import grant_of
from automation.pipeline.context import Loop
from automation.pipeline.prediction_entries import Entry, Unread, at_prediction
from automation.pipeline.store_predictions import Answered, Desk, desk_of, store
from data.domain.event import Driver
from data.domain.fact import told_by
from data.domain.money import Account
from data.domain.prediction import Prediction
from data.domain.stage import Stage
from data.errors import BadInput, LeadloopError, NotFound
from data.log import get_logger
from data.warehouse import dead_letters, deliveries, leases, predictions
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.events import EventRow
from ml.models.prediction_checks import Given
from ml.models.registry import schema_of
from ml.version import Card

log = get_logger("predictions")

FAULTS = (LeadloopError, ValueError, TypeError, ArithmeticError)  # of one entry, not of us
DOOR = "predictions"  # who sent what names no event of ours


@dataclass(frozen=True)
class Refused:
    """Why an entry was not taken. Its event goes on: the worker scores it when its lease ends."""

    index: int
    event_id: int | None
    error: LeadloopError


@dataclass
class Taken:
    accepted: int = 0
    refused: list[Refused] = field(default_factory=list)
    lease_id: str | None = None
    deliveries: list[DeliveryRow] = field(default_factory=list)


def collect_predictions(loop: Loop, entries: Sequence[Entry | Unread], driver: Driver) -> Taken:
    """Stores predictions and their deliveries; for n8n, leases it those that its nodes can carry."""
    known_accounts = accounts_of(loop, entries)
    with loop.database.write() as session:
        taken = take(loop, session, entries, driver, known_accounts)
    log.info("predictions.batch.accepted", accepted=taken.accepted, refused=len(taken.refused), leased=len(taken.deliveries))
    return taken


def accounts_of(loop: Loop, entries: Iterable[Entry | Unread]) -> dict[str, Account]:
    """What `take` needs to know of the CRMs; asked before any transaction begins."""
    made = (prediction for entry in entries if isinstance(entry, Entry) for prediction in entry.predictions)
    return accounts(loop, {prediction.entity.source for prediction in made if prediction.entity is not None})


def take(
    loop: Loop,
    session: Session,
    entries: Sequence[Entry | Unread],
    driver: Driver,
    known_accounts: Mapping[str, Account],
    *,
    letters: bool = True,
) -> Taken:
    """The same within the caller's transaction. `letters`: what is refused becomes a dead letter."""
    taken = Taken()
    ids = [entry.event_id for entry in entries if entry.event_id is not None]
    desk = desk_of(loop, session, driver, ids, known_accounts)
    # In the order of the events, so that the last one stored of an entity is its newest.
    order = sorted(range(len(entries)), key=lambda index: _moment(desk.rows, entries[index]))
    for turn in _turns(desk, [(index, entries[index]) for index in order]):
        _store(desk, taken, _checked(desk, taken, turn))
    if letters:
        dead_letters.add(session, _letters(desk, taken.refused, entries))
    if driver is Driver.N8N:
        _lease(desk, ids, taken)
    return taken


def _moment(rows: Mapping[int, EventRow], entry: Entry | Unread) -> tuple[str, int]:
    row = rows.get(entry.event_id) if entry.event_id is not None else None
    return (row.occurred_at.isoformat() if row else "", entry.event_id or 0)


def _turns(desk: Desk, entries: Iterable[tuple[int, Entry | Unread]]) -> list[list[tuple[int, Entry | Unread]]]:
    """The entries in as many turns as the person has who has most of them: in each turn everybody comes once."""
    turns: list[list[tuple[int, Entry | Unread]]] = []
    counts: Counter[int | None] = Counter()
    for index, entry in entries:
        row = desk.rows.get(entry.event_id) if entry.event_id is not None else None
        person = desk.person(row.entity_id) if row is not None else None
        turn = counts[person] if person is not None else 0
        counts[person] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append((index, entry))
    return turns


def _checked(desk: Desk, taken: Taken, entries: Iterable[tuple[int, Entry | Unread]]) -> dict[int, Answered]:
    """Those that pass all checks of their models' schemas, by their places."""
    found = {}
    for index, entry in entries:
        try:
            if isinstance(entry, Unread):
                raise entry.error
            found[index] = Answered(_event_of(desk, entry), entry.predictions)
        except FAULTS as error:
            _refuse(taken, index, entry.event_id, error)
    return found


def _store(desk: Desk, taken: Taken, found: Mapping[int, Answered]) -> None:
    """All at once; if that fails one by one, so that one that cannot be stored takes no other with it."""
    if not found:
        return
    try:
        store(desk, list(found.values()))
    except FAULTS as error:
        if len(found) == 1:
            ((index, each),) = found.items()
            _refuse(taken, index, each.event.id, error)
            return
        for index, each in found.items():
            _store(desk, taken, {index: each})
    else:
        taken.accepted += len(found)


def _refuse(taken: Taken, index: int, event_id: int | None, error: Exception) -> None:
    if isinstance(error, LeadloopError):
        log.warning("predictions.entry.refused", event_id=event_id, reason=error.detail)
    else:
        log.error("predictions.entry.failed", event_id=event_id, exc_info=error)
        error = BadInput(f"cannot be stored: {type(error).__name__}")
    taken.refused.append(Refused(index, event_id, error))


def _event_of(desk: Desk, entry: Entry) -> EventRow:
    """The event of an entry whose predictions pass all checks of their models' schemas."""
    if (row := desk.rows.get(entry.event_id)) is None:
        raise NotFound(f"there is no event {entry.event_id}", field="event.event_id")
    for place, prediction in enumerate(entry.predictions):
        if (fault := schema_of(prediction.model).fault(_given(desk, row, prediction))) is not None:
            raise at_prediction(place, fault)
    return row


def _given(desk: Desk, row: EventRow, prediction: Prediction) -> Given:
    assert row.id is not None
    return Given(
        prediction=prediction,
        found=_card(desk, prediction),
        entity=desk.about[row.entity_id].entity.ref,
        happened_at=told_by(row.occurred_at, row.received_at),
        now=desk.loop.clock.now(),
        max_age=timedelta(hours=desk.loop.settings.prediction_max_age_hours),
        repeat=prediction.model in desk.answered[row.id],
    )


def _card(desk: Desk, prediction: Prediction) -> Card | None:
    """Of a version that serves, or of one that was replaced while the prediction was under way: its copy is still here."""
    key = prediction.model, prediction.model_version
    if key not in desk.cards:
        try:
            desk.cards[key] = desk.loop.predictor.card(*key)
        except NotFound:
            desk.cards[key] = None
    return desk.cards[key]


def _letters(desk: Desk, refused: Sequence[Refused], entries: Sequence[Entry | Unread]) -> list[DeadLetter]:
    """What came from outside and was refused, with its bytes. What the worker made goes back with its event instead."""
    now = desk.loop.clock.now()
    letters = []
    for each in refused:
        if (content := entries[each.index].content) is None:
            continue
        row = desk.rows.get(each.event_id) if each.event_id is not None else None
        letters.append(
            DeadLetter(
                source=row.source if row else DOOR, stage=Stage.COLLECT_PREDICTIONS, reason=each.error.detail, position=each.index,
                event_id=row.id if row else None, content=content, created_at=now,
            )
        )  # fmt: skip
    return letters


def _lease(desk: Desk, event_ids: Sequence[int], taken: Taken) -> None:
    session = desk.session
    stored = [row.id for row in predictions.of_events(session, event_ids) if row.id is not None]
    now, settings = desk.loop.clock.now(), desk.loop.settings
    grant = grant_of(desk.loop, session)
    taken.lease_id, taken.deliveries = leases.lease_for_n8n(
        session, now, settings.lease_seconds, prediction_ids=stored, limit=settings.n8n_lease_limit, grant=grant
    )
    deliveries.hand_to_worker(session, stored, now)
