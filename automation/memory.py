"""Remembers what is told of entities: facts go in as their sender named them. `knowledge` gives them out again."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from automation import previous
from automation.deal_stages import Flags, flags, stage_of
from automation.sources import ours
from automation.sources.properties import HOUSEKEEPING
from data.domain.company_profile import is_profile_name
from data.domain.entity import EntityRef
from data.domain.event import OUR_PREFIX, Event
from data.domain.event_type import GONE, Verb
from data.domain.fact import LONGEST_NAME, NAMELESS, Dated, Fact, Origin, confirmation, newest, news, placed, text_of, told_by
from data.domain.identity import key_of_ref, keys_of
from data.domain.relation import link_name, target_of
from data.warehouse import events, facts, identities
from data.warehouse.entities import EntityRow

# What a link's fact says: that it is there, or there no more.
LINKING: dict[Verb, str | None] = {Verb.ASSOCIATED: "true", Verb.DISSOCIATED: None}


@dataclass(frozen=True)
class Heard:
    """An event that is stored, with its entity's row id."""

    event: Event
    event_id: int
    entity_id: int


@dataclass(frozen=True)
class LookedUp:
    """What was answered about one entity, true at a moment. `asked`: the names that were asked for.

    `of_record`: it is the CRM's own record, under the CRM's names; otherwise what others know, under names that no CRM has.
    `created_at`: when the CRM made the record, where it says so.
    """

    entity: EntityRef
    at: datetime
    values: Mapping[str, Any]
    asked: frozenset[str]
    of_record: bool = True
    created_at: datetime | None = None


@dataclass(frozen=True)
class Remembered:
    """When each event happened, for us; and the entities that are the same as another by what the events say."""

    moments: Mapping[int, datetime]
    joined: set[int]


@dataclass(frozen=True)
class Learned:
    """What look-ups have brought: the entities of which there is news, and those that are the same as another by it."""

    told_of: frozenset[EntityRef]
    joined: frozenset[int]


def targets_of(told: Iterable[tuple[EntityRef, Mapping[str, Any]]]) -> set[EntityRef]:
    """The records that properties name: they need a row before the facts that name them are stored."""
    found = (target_of(entity, name, value) for entity, properties in told for name, value in properties.items())
    return {target for target in found if target is not None}


def remember_events(
    session: Session,
    heard: Sequence[Heard],
    owners: Mapping[int, EntityRow],
    targets: Mapping[EntityRef, int],
    now: datetime,
    *,
    by_webhook: bool = True,
    gone_since: datetime | None = None,
) -> Remembered:
    """Stores what events say, and who is the same by it.

    The caller holds the rows of the events' entities, and took `now` after that. `by_webhook`: the sender of webhooks dated
    them. What was found by asking is dated by the records' own clock, which is not always the same. `gone_since`: since when it is
    known that what they say is no more, where a later deletion was told before; by default since `now`.
    """
    others = _dated_ahead(session, heard) if by_webhook else {}
    moments = _moments(heard, others, now) if by_webhook else {one.event_id: told_by(one.event.occurred_at, now) for one in heard}
    late = {each.entity_id for each in heard if _is_late(each, owners, moments)}
    before = facts.of_entities(session, late) if late else {}
    deleted = {each.entity_id for each in heard if each.event.verb in GONE}
    deletions = {(each.entity_id, each.event.occurred_at) for each in heard if each.event.verb in GONE}
    gone = facts.names_of(session, deleted) if deleted else {}
    beside = flags(session, [(each.event.entity, each.event.properties) for each in heard])
    added: list[Fact] = []
    origin = Origin.EVENT if by_webhook else Origin.FOUND
    for each in sorted(heard, key=lambda one: one.event.occurred_at):  # so that of two at one moment the later is stored later
        for fact in _facts_of(each, gone.get(each.entity_id, ()), targets, moments[each.event_id], now, beside, origin):
            added.append(fact)
            gone.get(each.entity_id, set()).add(fact.name)
            if by_webhook and _went_after(each, fact.entity_id, owners, deletions):
                added.append(_gone_with(fact, owners[fact.entity_id], others.get(fact.entity_id, ()), gone_since or now))
            stored = before.get(each.entity_id, [])
            if (confirmed := confirmation(stored, fact, owners[each.entity_id].looked_up_at)) is not None:
                added.append(confirmed)
                stored.append(confirmed)
    facts.add(session, added)
    previous.fill_in(session, {each.event_id: each.event for each in heard}, added, now)
    return Remembered(moments, identify(session, added, {each.entity_id: each.event.entity for each in heard}, now))


def remember_look_ups(session: Session, found: Sequence[LookedUp], ids: Mapping[EntityRef, int], now: datetime) -> Learned:
    """Stores what look-ups say and was not known, as known from `now` on, and who is the same by it.

    The caller holds the rows of their entities, and took `now` after that. `ids`: of these, and of all that they name.
    """
    before = facts.of_entities(session, {ids[each.entity] for each in found}) if found else {}
    added: list[Fact] = []
    overtaken: list[Fact] = []  # by events that came while it was asked
    told_of = set()
    for each in found:
        number = ids[each.entity]
        told = told_texts(each.entity.source, each.values) if each.of_record else _texts(each.values)
        fresh = [
            replace(
                fact,
                known_at=now,
                by_us=fact.by_us or fact.name.startswith(OUR_PREFIX),
                target_id=_target_id(each.entity, fact.name, fact.value, ids),
            )
            for fact in news(number, before[number], told, each.asked, each.at)
        ]
        latest = newest(before[number])
        overtaken += [fact for fact in fresh if fact.name in latest and latest[fact.name].occurred_at > fact.occurred_at]
        before[number] += fresh
        added += fresh
        told_of |= {each.entity for _ in fresh[:1]}
    facts.add(session, added)
    previous.fill_in(session, {}, overtaken, now)
    joined = identify(session, added, {ids[each.entity]: each.entity for each in found}, now)
    return Learned(frozenset(told_of), frozenset(joined))


def _dated_ahead(session: Session, heard: Sequence[Heard]) -> dict[int, list[Dated]]:
    """The events that are known of entities of which a sender's clock was ahead."""
    if not heard:
        return {}
    first = min(each.event.occurred_at for each in heard)
    return facts.dated(session, events.dated_ahead(session, {each.entity_id for each in heard}, first), but_from=ours.NAME)


def _moments(heard: Sequence[Heard], others: dict[int, list[Dated]], now: datetime) -> dict[int, datetime]:
    """When each event happened, for us: where a sender's clock is ahead, set right in the sender's own order.

    They are added to the `others`.
    """
    found: dict[int, datetime] = {}
    for each in sorted(heard, key=lambda one: one.event.occurred_at, reverse=True):
        known = others.setdefault(each.entity_id, [])
        found[each.event_id] = placed(each.event.occurred_at, now, known)
        known.append(Dated(each.event.occurred_at, found[each.event_id]))
    return found


def _is_late(each: Heard, owners: Mapping[int, EntityRow], moments: Mapping[int, datetime]) -> bool:
    asked = owners[each.entity_id].looked_up_at
    return asked is not None and moments[each.event_id] < asked


def _went_after(
    each: Heard, entity_id: int, owners: Mapping[int, EntityRow], deletions: Container[tuple[int, datetime | None]]
) -> bool:
    """Whether an entity was deleted after an event, and that was told before: a deletion takes what is known by then."""
    owner = owners.get(entity_id)
    if owner is None or not owner.was_deleted_after(each.event.occurred_at):
        return False
    return (entity_id, owner.deleted_at) not in deletions


def _gone_with(fact: Fact, owner: EntityRow, others: Iterable[Dated], now: datetime) -> Fact:
    """That a fact was no more from its entity's deletion on, in the order of its sender."""
    assert owner.deleted_at is not None
    at = max(fact.occurred_at, placed(owner.deleted_at, now, others))
    # It is not this event that says so.
    return replace(fact, value=None, target_id=None, occurred_at=at, known_at=now, event_id=None)


def _facts_of(
    each: Heard,
    gone: Iterable[str],
    targets: Mapping[EntityRef, int],
    happened_at: datetime,
    now: datetime,
    beside: Flags,
    origin: Origin,
) -> list[Fact]:
    event = each.event
    told: dict[str, str | None] = {**beside.get(stage_of(event.entity, event.properties), {})}
    told |= told_texts(event.entity.source, event.properties)
    links: dict[str, int] = {}
    if event.verb in GONE:
        told = dict.fromkeys(gone)  # whatever was known of it is no more
    elif event.verb in LINKING:
        told = {link_name(target): LINKING[event.verb] for target in event.targets}
        links = {link_name(target): targets[target] for target in event.targets if event.verb is Verb.ASSOCIATED}
    elif event.verb is not Verb.REVIEWED and not told:
        told = {NAMELESS: None}
    own = [
        Fact(
            entity_id=each.entity_id,
            name=name,
            value=value,
            occurred_at=happened_at,
            known_at=now,
            origin=origin,
            by_us=event.by_us or name.startswith(OUR_PREFIX),
            event_id=each.event_id,
            target_id=links.get(name) or _target_id(event.entity, name, value, targets),
        )
        for name, value in told.items()
    ]
    return own + [_other_side(each, fact, targets) for fact in own if event.verb in LINKING]


def _other_side(each: Heard, fact: Fact, targets: Mapping[EntityRef, int]) -> Fact:
    """A link is one for both of its ends, whichever of them tells of it."""
    target = targets[each.event.targets[0]]
    return replace(
        fact, entity_id=target, name=link_name(each.event.entity), target_id=None if fact.value is None else each.entity_id
    )


def identify(session: Session, added: Iterable[Fact], refs: Mapping[int, EntityRef], now: datetime) -> set[int]:
    """By what was just told of them, which of these entities are known by one key with others."""
    told: dict[identities.Key, set[int]] = {}
    for fact in added:
        if (ref := refs.get(fact.entity_id)) is None:
            continue  # the other end of a link
        for key in (*keys_of(ref.kind, fact.name, fact.value), key_of_ref(ref)):
            if key is not None:
                told.setdefault((ref.kind.value, key), set()).add(fact.entity_id)
    return identities.join(session, told, now) if told else set()


def told_texts(source: str, properties: Mapping[str, Any]) -> dict[str, str | None]:
    """A CRM's properties as the texts that are stored of them, without those that say nothing."""
    idle = HOUSEKEEPING.get(source, frozenset())
    return _texts({name: value for name, value in properties.items() if name not in idle and not is_profile_name(name)})


def _texts(properties: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: text_of(value) for name, value in properties.items() if 0 < len(name) <= LONGEST_NAME}


def _target_id(entity: EntityRef, name: str, value: str | None, targets: Mapping[EntityRef, int]) -> int | None:
    target = target_of(entity, name, value)
    return targets.get(target) if target is not None else None
