"""What follows from events beside their own scores, once they and their facts are stored.

Merges are followed, what waits for a record that is gone is taken back, erasures are asked for; and whoever is scored by what was
told of another is asked about anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session

from automation.memory import LINKING, Heard, Remembered
from automation.pipeline import review
from automation.pipeline.context import Loop
from automation.pipeline.trigger import models_for
from data.domain.entity import EntityRef
from data.domain.event import OUR_PREFIX, Event
from data.domain.event_type import GONE, Verb
from data.warehouse import deletions, deliveries, entities, erasures, events, identities, predictions
from data.warehouse.entities import EntityRow
from data.warehouse.erasures import Origin

ASK_AGAIN = GONE | {Verb.MERGED, Verb.RESTORED}


def note_deletions(session: Session, found: Iterable[Event], owners: Mapping[int, EntityRow], ids: Mapping[EntityRef, int]) -> None:
    """Before it is decided who is asked: what was deleted after an event is not. A repeat that says otherwise than at first is
    not heard.
    """
    told = [event for event in found if not event.by_us]
    going = {(event.entity.source, event.dedupe_key) for event in told if event.verb in GONE}
    stored = events.types_of(session, going) if going else {}
    heard = [event for event in told if stored.get((event.entity.source, event.dedupe_key), event.type) == event.type]
    deletions.note(session, owners.values(), [(ids[event.entity], event.verb, event.occurred_at) for event in heard])


def follow(
    session: Session, heard: Sequence[Heard], owners: Mapping[int, EntityRow], ids: Mapping[EntityRef, int], now: datetime
) -> None:
    """The caller holds the rows of all whom the events name (`owners`)."""
    _follow_merges(session, heard, ids, now)
    _ask_again(session, heard, owners, ids)
    _erase(session, heard, now)


def ask_others(
    loop: Loop,
    session: Session,
    heard: Sequence[Heard],
    owners: Mapping[int, EntityRow],
    payload_id: int,
    now: datetime,
    *,
    told: set[int],
    remembered: Remembered,
) -> int | None:
    """Stores reviews of all whose scores depend on what these events tell, and whom no event of their own asks about.

    These are records of the same person, and whoever was scored meanwhile without what is told late. Returns the id of the
    reviews' payload, or None where there are none.

    `told`: of whom something was told that asks models.
    """
    news = [each for each in heard if _is_news(each.event)]
    parts = {each.entity_id for each in news if _asks_of_another(loop, each, owners)}
    missed = _missed(loop, session, news, remembered.moments)
    if not told and not remembered.joined and not parts and not missed:
        return None
    return review.of_the_same(session, told | remembered.joined | parts, told, f"payload {payload_id}", now, besides=missed)


def _is_news(event: Event) -> bool:
    """Reviews and what we wrote tell nothing that was not known: if they asked others, those would ask back."""
    says_more = not event.properties or any(not name.startswith(OUR_PREFIX) for name in event.properties)
    return event.verb is not Verb.REVIEWED and not event.by_us and says_more


def _asks_of_another(loop: Loop, each: Heard, owners: Mapping[int, EntityRow]) -> bool:
    """Whether it is about what has become one with another, and asks: the other is scored by it."""
    return owners[each.entity_id].merged_into_id is not None and bool(models_for(loop, each.event.entity.source, each.event))


def _missed(loop: Loop, session: Session, news: Sequence[Heard], moments: Mapping[int, datetime]) -> set[int]:
    """Who was scored after it happened without what is told only now. Of several events of one record the first one counts."""
    news = sorted(news, key=lambda each: each.event.occurred_at, reverse=True)
    went = {each.entity_id: moments[each.event_id] for each in news if each.event.verb in GONE}
    missed = predictions.scored_after(session, went) if went else set()
    if news and loop.reads_related:
        linked = {each.entity_id: moments[each.event_id] for each in news if each.event.verb in LINKING}
        missed |= predictions.scored_after(session, linked) if linked else set()
        missed |= predictions.related_scored_after(session, {each.entity_id: moments[each.event_id] for each in news})
    return missed


def _follow_merges(session: Session, heard: Sequence[Heard], ids: Mapping[EntityRef, int], now: datetime) -> None:
    """What has become one with another is known of it from now on."""
    for each in heard:
        if each.event.verb is Verb.MERGED:
            gone = [ids[target] for target in each.event.targets]
            entities.merge(session, gone, each.entity_id)
            identities.unite(session, each.entity_id, gone, now)


def _ask_again(session: Session, heard: Sequence[Heard], owners: Mapping[int, EntityRow], ids: Mapping[EntityRef, int]) -> None:
    """Nothing more is written to what is gone; and whatever comes after asks the CRM first what is there."""
    for each in heard:
        verb, owner = each.event.verb, owners[each.entity_id]
        if verb not in ASK_AGAIN:
            continue
        merged = [ids[target] for target in each.event.targets]
        for number in {each.entity_id, *merged}:
            owners[number].looked_up_at = None
            session.add(owners[number])
        for number in merged:
            deliveries.withdraw(session, number)
        if verb in GONE and owner.is_deleted:
            deliveries.withdraw(session, each.entity_id)


def _erase(session: Session, heard: Sequence[Heard], now: datetime) -> None:
    """The worker erases whoever asked for it at their CRM, within seconds."""
    for each in heard:
        if each.event.verb is Verb.ERASED:
            erasures.ask(session, each.event.entity, Origin.EVENT, now)
