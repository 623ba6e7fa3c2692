"""Stage 7, the second door: a prediction is taken if its model, its version and its entity are right, and it passes the checks.

Whoever made it (n8n carried it here, or the worker did) it is stored once per (event, model), with its deliveries in
the same transaction. What is refused is kept as a dead letter, and its event goes on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session

from automation import knowledge
from automation.account import accounts
from automation.allowance import grant_of
from automation.deals import open_deals
from automation.erasure.judge import mentions_in
from automation.pipeline.activate import About, activate
from automation.pipeline.context import Loop
from automation.pipeline.enrich_predictions import enrich_predictions
from automation.pipeline.prediction_entries import Entry, Unread, at_prediction
from automation.predictive_enrichments.base import Scored
from automation.triggers import models_asked
from data.domain.event import Driver, EventState
from data.domain.fact import told_by
from data.domain.mention import in_json
from data.domain.money import Account, Money
from data.domain.prediction import Prediction
from data.domain.stage import Stage
from data.errors import BadInput, LeadloopError, NotFound
from data.log import get_logger
from data.warehouse import dead_letters, deliveries, entities, events, identities, leases, predictions
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from ml.models.prediction_checks import Given
from ml.models.registry import schema_of
from ml.version import Card

log = get_logger("predictions")

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


@dataclass(frozen=True)
class Desk:
    """What is known of all events and entities of a batch, read once; what is stored of it on the way is noted here."""

    loop: Loop
    session: Session
    driver: Driver
    rows: Mapping[int, EventRow]
    about: Mapping[int, About]
    answered: dict[int, set[str]]
    """Event -> the models that have answered it."""
    scores: dict[int, dict[str, float]]
    """Entity -> its newest score by each model."""
    deals: Mapping[int, tuple[Money, ...]]
    accounts: Mapping[str, Account]
    weights: Mapping[str, float]
    cards: dict[tuple[str, str], Card | None] = field(default_factory=dict)


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
    desk = _desk(loop, session, driver, ids, known_accounts)
    # In the order of the events, so that the last one stored of an entity is its newest.
    for index in sorted(range(len(entries)), key=lambda index: _moment(desk.rows, entries[index])):
        _take(desk, taken, index, entries[index])
    if letters:
        dead_letters.add(session, _letters(desk, taken.refused, entries))
    if driver is Driver.N8N:
        _lease(desk, ids, taken)
    return taken


def hold(session: Session, entity_ids: set[int]) -> dict[int, EntityRow]:
    """Their rows. Other records of the same people are held too: two at once would each find no alert of the other."""
    others = {number for same in identities.same_as(session, entity_ids).values() for number in same}
    return {number: row for number, row in entities.lock(session, entity_ids | others).items() if number in entity_ids}


def _desk(loop: Loop, session: Session, driver: Driver, ids: Sequence[int], known_accounts: Mapping[str, Account]) -> Desk:
    rows = events.by_ids(session, ids)
    held = hold(session, {row.entity_id for row in rows.values()})
    rows = {number: row for number, row in rows.items() if row.entity_id in held}  # the others were erased meanwhile
    known = knowledge.known(session, held.values())
    answered: dict[int, set[str]] = {number: set() for number in rows}
    for stored in predictions.of_events(session, rows):
        answered[stored.event_id].add(stored.model)
    return Desk(
        loop=loop,
        session=session,
        driver=driver,
        rows=rows,
        about={number: About(entity, known[number]) for number, entity in held.items()},
        answered=answered,
        scores=predictions.newest_scores(session, held),
        deals=open_deals(session, held, known_accounts),
        accounts=known_accounts,
        weights=dict.fromkeys(models_asked(loop.settings.lead_model), 1.0) | loop.settings.weights,
    )


def _moment(rows: Mapping[int, EventRow], entry: Entry | Unread) -> tuple[str, int]:
    row = rows.get(entry.event_id) if entry.event_id is not None else None
    return (row.occurred_at.isoformat() if row else "", entry.event_id or 0)


def _take(desk: Desk, taken: Taken, index: int, entry: Entry | Unread) -> None:
    try:
        if isinstance(entry, Unread):
            raise entry.error
        row = _checked(desk, entry)
        with desk.session.begin_nested():  # one entry that cannot be stored takes no other with it
            _store(desk, row, entry.predictions)
    except LeadloopError as error:
        taken.refused.append(Refused(index, entry.event_id, error))
        log.warning("predictions.entry.refused", event_id=entry.event_id, reason=error.detail)
    except (ValueError, TypeError, ArithmeticError) as error:
        log.exception("predictions.entry.failed", event_id=entry.event_id)
        taken.refused.append(Refused(index, entry.event_id, BadInput(f"cannot be stored: {type(error).__name__}")))
    else:
        taken.accepted += 1
        desk.answered[entry.event_id] |= {prediction.model for prediction in entry.predictions}


def _checked(desk: Desk, entry: Entry) -> EventRow:
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


def _store(desk: Desk, row: EventRow, found: Sequence[Prediction]) -> None:
    assert row.id is not None
    session, now, about = desk.session, desk.loop.clock.now(), desk.about[row.entity_id]
    new = [_without_erased(session, prediction) for prediction in found if prediction.model not in desk.answered[row.id]]
    scores = desk.scores[row.entity_id] | {prediction.model: prediction.score for prediction in new}
    for prediction in new:
        fields = enrich_predictions(_scored(desk, row, prediction, scores, now))
        if not predictions.add_new(session, row.id, row.entity_id, row.occurred_at, prediction, fields, now):
            continue
        stored = predictions.of_event(session, row.id, prediction.model)
        assert stored is not None
        activate(desk.loop, session, about, row, stored, prediction, desk.driver)
    answered = desk.answered[row.id] | {prediction.model for prediction in found}
    if row.state == EventState.NEW and answered >= set(row.models):
        lease_id = row.lease_id
        events.finish(session, [row], now)
        if lease_id:
            entities.release(session, [row.entity_id], lease_id)
    desk.scores[row.entity_id] = scores


def _without_erased(session: Session, prediction: Prediction) -> Prediction:
    """Its inputs may be words that were written before somebody in them was erased."""
    told = prediction.model_dump(mode="json", include={"features", "factors"})
    mentions = mentions_in(session, told)
    return Prediction.model_validate({**prediction.model_dump(), **in_json(told, mentions.out_of)}) if mentions else prediction


def _scored(desk: Desk, row: EventRow, prediction: Prediction, scores: Mapping[str, float], now: datetime) -> Scored:
    entity = desk.about[row.entity_id].entity.ref
    return Scored(
        prediction=prediction,
        entity=entity,
        scored_at=now,
        scores=scores,
        weights=desk.weights,
        deals=desk.deals[row.entity_id],
        account=desk.accounts.get(entity.source, Account()),
    )


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
