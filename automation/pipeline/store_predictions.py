"""Stores predictions that passed the checks, with their deliveries: a whole batch in a few statements.

Nobody comes twice in a batch, in no record of theirs: whether somebody is to be alerted on is known from what is stored before it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from automation import knowledge
from automation.deals import open_deals
from automation.erasure.judge import mentions_in
from automation.pipeline.activate import About, activate
from automation.pipeline.context import Loop
from automation.pipeline.enrich_predictions import enrich_predictions
from automation.predictive_enrichments.base import Scored
from automation.triggers import models_asked
from data.domain.event import Driver, EventState
from data.domain.mention import in_json
from data.domain.money import Account, Money
from data.domain.prediction import Prediction
from data.warehouse import deliveries, entities, events, identities, predictions
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.predictions import Made, Said
from ml.version import Card


@dataclass(frozen=True)
class Answered:
    """An event with the predictions that were made for it."""

    event: EventRow
    predictions: Sequence[Prediction]


@dataclass(frozen=True)
class Desk:
    """What is known of all events and entities of a batch, read once; what is stored of it on the way is noted here."""

    loop: Loop
    session: Session
    driver: Driver
    rows: Mapping[int, EventRow]
    about: Mapping[int, About]
    people: Mapping[int, int]
    """Record -> one number for all that are the same; records that are alone have no entry."""
    answered: dict[int, set[str]]
    """Event -> the models that have answered it."""
    said: dict[int, dict[str, Said]]
    """Entity -> what each model has said of it."""
    deals: Mapping[int, tuple[Money, ...]]
    accounts: Mapping[str, Account]
    weights: Mapping[str, float]
    cards: dict[tuple[str, str], Card | None] = field(default_factory=dict)

    def person(self, entity_id: int) -> int:
        """One number for all records of the same person or company."""
        return self.people.get(entity_id, entity_id)

    def scores(self, entity_id: int) -> dict[str, float]:
        """What each model has said of an entity."""
        return {model: said.score for model, said in self.said[entity_id].items()}


def desk_of(loop: Loop, session: Session, driver: Driver, event_ids: Sequence[int], known_accounts: Mapping[str, Account]) -> Desk:
    """Holds the entities of these events until the transaction ends."""
    rows = events.by_ids(session, event_ids)
    held = hold(session, {row.entity_id for row in rows.values()})
    rows = {number: row for number, row in rows.items() if row.entity_id in held}  # the others were erased meanwhile
    known, same = knowledge.known(session, held.values()), identities.same_as(session, held)
    answered: dict[int, set[str]] = {number: set() for number in rows}
    for event_id, model in predictions.ids_of(session, rows):
        answered[event_id].add(model)
    return Desk(
        loop=loop,
        session=session,
        driver=driver,
        rows=rows,
        about={number: About(entity, known[number], frozenset(same.get(number, ()))) for number, entity in held.items()},
        people=_people(same),
        answered=answered,
        said=predictions.said_of(session, held),
        deals=open_deals(session, held, known_accounts),
        accounts=known_accounts,
        weights=dict.fromkeys(models_asked(loop.settings.lead_model), 1.0) | loop.settings.weights,
    )


def _people(same: Mapping[int, Iterable[int]]) -> dict[int, int]:
    """Also where two are the same as a third and, for a moment, not yet as each other."""
    groups: list[set[int]] = []
    for number, others in same.items():
        group = {number, *others}
        met = [each for each in groups if each & group]
        groups = [each for each in groups if not each & group] + [group.union(*met)]
    return {number: min(group) for group in groups for number in group}


def hold(session: Session, entity_ids: set[int]) -> dict[int, EntityRow]:
    """Their rows. Other records of the same people are held too: two at once would each find no alert of the other."""
    others = {number for same in identities.same_as(session, entity_ids).values() for number in same}
    return {number: row for number, row in entities.lock(session, entity_ids | others).items() if number in entity_ids}


def store(desk: Desk, found: Sequence[Answered]) -> None:
    """Stores what is new of these, all or nothing. What was stored before stays as it is.

    Raises:
        LeadloopError, ValueError, TypeError, ArithmeticError: one of them cannot be stored; nothing is, and the desk is as it was.
    """
    session, now = desk.session, desk.loop.clock.now()
    with session.begin_nested():
        made = _made(desk, found, now)
        new = {key for some in _layers(made.values()) for key in _put(desk, some, now)}
        _finish(session, [each.event for each in found if _is_done(desk, each)], now)
    for each in found:
        assert each.event.id is not None
        desk.answered[each.event.id] |= {prediction.model for prediction in each.predictions}
    for key in new:
        _note(desk, made[key])


def _layers(made: Iterable[Made]) -> list[list[Made]]:
    """One prediction of each event in each: where several models have answered, each sees the deliveries of those before it."""
    layers: list[list[Made]] = []
    counts: Counter[int] = Counter()
    for each in made:
        if counts[each.event_id] == len(layers):
            layers.append([])
        layers[counts[each.event_id]].append(each)
        counts[each.event_id] += 1
    return layers


def _put(desk: Desk, made: Sequence[Made], now: datetime) -> set[tuple[int, str]]:
    """Stores them with their deliveries; (event, model) of the new ones."""
    new = predictions.add_new(desk.session, made, now)
    numbers = predictions.ids_of(desk.session, {event_id for event_id, _ in new}) if new else {}
    drafts = [draft for each in made if each.key in new for draft in _drafts(desk, each, numbers[each.key])]
    if drafts:
        deliveries.add(desk.session, drafts, now)
    return new


def _made(desk: Desk, found: Iterable[Answered], now: datetime) -> dict[tuple[int, str], Made]:
    """What has no answer of its model yet, with the `predicted_` fields, by (event, model)."""
    unanswered: dict[tuple[int, str], tuple[EventRow, Prediction]] = {}
    for event, made in _without_erased(desk.session, found):
        assert event.id is not None
        if made.model not in desk.answered[event.id]:
            unanswered.setdefault((event.id, made.model), (event, made))
    scores = {event.entity_id: desk.scores(event.entity_id) for event, _ in unanswered.values()}
    for event, made in unanswered.values():
        scores[event.entity_id][made.model] = made.score
    return {
        key: Made(key[0], event.entity_id, event.occurred_at, made, enrich_predictions(_scored(desk, event, made, scores, now)))
        for key, (event, made) in unanswered.items()
    }


def _without_erased(session: Session, found: Iterable[Answered]) -> list[tuple[EventRow, Prediction]]:
    """Its inputs may be words that were written before somebody in them was erased."""
    pairs = [(each.event, prediction) for each in found for prediction in each.predictions]
    mentions = mentions_in(session, (_told(prediction) for _, prediction in pairs))
    if not mentions:
        return pairs
    return [
        (event, Prediction.model_validate({**made.model_dump(), **in_json(_told(made), mentions.out_of)})) for event, made in pairs
    ]


def _told(prediction: Prediction) -> dict[str, object]:
    return prediction.model_dump(mode="json", include={"features", "factors"})


def _scored(
    desk: Desk, event: EventRow, prediction: Prediction, scores: Mapping[int, Mapping[str, float]], now: datetime
) -> Scored:
    entity = desk.about[event.entity_id].entity.ref
    return Scored(
        prediction=prediction,
        entity=entity,
        scored_at=now,
        scores=scores[event.entity_id],
        weights=desk.weights,
        deals=desk.deals[event.entity_id],
        account=desk.accounts.get(entity.source, Account()),
    )


def _drafts(desk: Desk, made: Made, number: int) -> list[deliveries.Draft]:
    about, event = desk.about[made.entity_id], desk.rows[made.event_id]
    before = desk.said[made.entity_id].get(made.prediction.model)
    return activate(desk.loop, desk.session, about, event, made, number, before, desk.driver)


def _is_done(desk: Desk, found: Answered) -> bool:
    assert found.event.id is not None
    answered = desk.answered[found.event.id] | {prediction.model for prediction in found.predictions}
    return found.event.state == EventState.NEW and answered >= set(found.event.models)


def _finish(session: Session, done: Sequence[EventRow], now: datetime) -> None:
    by_lease: dict[str, list[int]] = {}
    for row in done:
        if row.lease_id:
            by_lease.setdefault(row.lease_id, []).append(row.entity_id)
    events.finish(session, done, now)
    for lease_id, entity_ids in by_lease.items():
        entities.release(session, entity_ids, lease_id)


def _note(desk: Desk, made: Made) -> None:
    prediction, said = made.prediction, desk.said[made.entity_id]
    before = said.get(prediction.model)
    newest = before if before is not None and before.is_newer_than(made) else made
    said[prediction.model] = Said(prediction.score, newest.occurred_at, newest.event_id, made.fields)
