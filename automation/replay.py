"""Replay: stored payloads go through today's code once more, and what it reads otherwise is corrected in the rows that are there.

An event is the same one by its dedupe key. Where today's code says something else of it, its row and its facts are made anew, as
known since it was received. Records that were scored by it are asked about again; what was predicted stays, as what was said then.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from automation.fitting import noted
from automation.memory import Heard, remember_events, targets_of
from automation.pipeline import review
from automation.pipeline.collect import Wanted, parse_payload, reparse
from automation.pipeline.context import Loop
from automation.pipeline.follow import follow
from automation.pipeline.trigger import models_asked_of
from automation.retention import may_be_gone
from automation.settling import settle
from automation.sources import ours
from automation.sources.base import Parsed
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Event, EventState
from data.domain.event_type import GONE, parts_of
from data.warehouse import dead_letters, deletions, entities, events, facts, payloads
from data.warehouse.dead_letters import DeadLetterState
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.payloads import Payload, PayloadState

# What an event says, as its row has it. What came of it on its way (models, notes, what was derived) is not its own.
SAID = ("type", "entity", "occurred_at", "properties", "previous", "targets", "by_us")


@dataclass(frozen=True)
class Changed:
    """An event that today's code reads otherwise: field -> what the row has, and what it is to have."""

    event_id: int
    type: str
    fields: dict[str, tuple[Any, Any]]


@dataclass
class Difference:
    """What a replay has changed, or would change."""

    payloads: int = 0
    same: int = 0
    changed: list[Changed] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    """Events that were not there: their types, and whom they are about."""
    gone: list[int] = field(default_factory=list)
    """Events that today's code does not find in their payload any more. Their rows stay."""
    letters: int = 0
    """Dead letters that fit now."""
    unreadable: int = 0
    """Payloads whose bytes have been let go of."""
    old: int = 0
    """Payloads as old as events that have been let go of: what is not there of them is not brought back."""

    def add(self, other: "Difference") -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def count(loop: Loop, since: datetime | None, until: datetime | None, source: str | None) -> int:
    """How many payloads a replay would go through."""
    with loop.database.read() as session:
        return payloads.count_received(session, since, until, source)


def replay(
    loop: Loop, since: datetime | None, until: datetime | None, source: str | None, *, dry_run: bool
) -> Iterator[Difference]:
    """What came in a range of time (`since` inclusive, `until` not), oldest first; yields what each payload makes different."""
    last = 0
    while True:
        with loop.database.read() as session:
            found = payloads.received(session, since, until, source, behind=last)
        for payload_id in found:
            yield _replay_one(loop, payload_id, dry_run=dry_run)
        if not found:
            return
        last = found[-1]


def _replay_one(loop: Loop, payload_id: int, *, dry_run: bool) -> Difference:
    with loop.database.write() as session:
        payload = payloads.get(session, payload_id, lock=True)
        if payload is None or payload.state != PayloadState.PARSED:
            return Difference(payloads=1, unreadable=int(payload is not None and payload.state == PayloadState.PRUNED))
        before = events.of_payload(session, payload_id)
        wanted = _what_was_never_there(session, payload_id, before) if may_be_gone(loop, payload.received_at) else None
        collected, parsed = reparse(loop, session, payload, wanted=wanted)
        new = [f"{one.type} {one.entity['kind']} {one.entity['id']}" for one in collected.events]
        difference = Difference(payloads=1, new=new, old=int(wanted is not None))
        corrected = _correct(loop, session, payload, parsed, before, difference)
        difference.letters = _close_letters(loop, session, payload, parsed)
        reviews = _ask_about(session, corrected, payload_id, loop.clock.now())
        if dry_run:
            session.rollback()
            return difference
    if reviews is not None:
        parse_payload(loop, reviews)
    return difference


def _what_was_never_there(session: Session, payload_id: int, before: dict[str, EventRow]) -> Wanted | None:
    """What is set aside has never been an event; anything else that is missing was let go of. None: all is set aside."""
    places = {letter.position for letter in dead_letters.open_of(session, payload_id)}
    return None if None in places else lambda place, event: place in places or event.dedupe_key in before


@dataclass(frozen=True)
class Corrected:
    """The entities of which today's code says something else, and those of them of whom it says what asks a model."""

    touched: frozenset[int] = frozenset()
    asking: frozenset[int] = frozenset()


def _ask_about(session: Session, corrected: Corrected, payload_id: int, now: datetime) -> int | None:
    """Who was scored by what was read before, and who would have been scored had it been read as it is now."""
    if not corrected.touched:
        return None
    run = f"replay of payload {payload_id} at {now.isoformat()}"
    return review.of_the_same(session, corrected.touched, (), run, now, unscored=corrected.asking)


def _correct(
    loop: Loop, session: Session, payload: Payload, parsed: Parsed, before: dict[str, EventRow], difference: Difference
) -> Corrected:
    """Brings the rows to what today's code says."""
    said = {event.dedupe_key: event for _, event in parsed.events}
    owners = entities.by_ids(session, {row.entity_id for row in before.values()})
    found: list[tuple[EventRow, Event]] = []
    for key, row in before.items():
        if (event := said.get(key)) is None:
            difference.gone.append(_number(row))
            continue
        if fields := _apart(row, event, owners[row.entity_id]):
            difference.changed.append(Changed(_number(row), row.type, fields))
            found.append((row, event))
        else:
            difference.same += 1
    return _rewrite(loop, session, payload, found) if found else Corrected()


def _apart(row: EventRow, event: Event, owner: EntityRow) -> dict[str, tuple[Any, Any]]:
    """Field by field what differs. What a row knows of former values beyond its sender's word was added to it here, and stays."""
    now = event.model_dump(mode="json", include={"type", "properties", "previous", "by_us"})
    theirs = {
        **now, "entity": str(event.entity), "occurred_at": event.occurred_at,
        "targets": [{"kind": target.kind.value, "id": target.id} for target in event.targets],
    }  # fmt: skip
    stored = {
        "type": row.type, "entity": str(owner.ref), "occurred_at": row.occurred_at, "properties": row.properties,
        "previous": {name: value for name, value in row.previous.items() if name in event.previous}, "targets": row.targets,
        "by_us": row.by_us,
    }  # fmt: skip
    return {name: (stored[name], theirs[name]) for name in SAID if stored[name] != theirs[name]}


def _rewrite(loop: Loop, session: Session, payload: Payload, found: list[tuple[EventRow, Event]]) -> Corrected:
    """The same rows with what is said now, their facts anew, and what follows from it."""
    told = [event for _, event in found]
    named = targets_of((event.entity, event.properties) for event in told) | {ref for event in told for ref in event.targets}
    ids = entities.ensure(session, {event.entity for event in told} | named, payload.received_at)
    touched = {row.entity_id for row, _ in found} | {ids[event.entity] for event in told}
    named_before = _named_by(session, touched)
    contacts = {contact for _, contact in named_before}
    owners = entities.lock(session, touched | contacts | {ids[ref] for ref in named})
    deletions.note(session, owners.values(), [(ids[one.entity], one.verb, one.occurred_at) for one in told if not one.by_us])
    no_deletions = [(owners[row.entity_id], row.occurred_at) for row, event in found if _was_no_deletion(row, event, ids)]
    heard = []
    for row, event in found:
        former = {name: value for name, value in row.previous.items() if name not in event.previous}
        row.type, row.entity_id, row.occurred_at, row.by_us = event.type, ids[event.entity], event.occurred_at, event.by_us
        row.properties, row.previous = event.properties, {**event.previous, **former}
        row.targets = [{"kind": target.kind.value, "id": target.id} for target in event.targets]
        row.notes = {**row.notes, **noted(event)}
        session.add(row)
        facts.forget_event(session, _number(row))
        session.flush()
        one = Heard(event, _number(row), row.entity_id)
        by_webhook, now = payload.source != ours.NAME, loop.clock.now()
        remember_events(session, [one], owners, ids, row.received_at, by_webhook=by_webhook, gone_since=now)
        heard.append(one)
    for owner, at in no_deletions:
        deletions.take_back(session, owner, at)
    follow(session, heard, owners, ids, payload.received_at)
    settle(session, {number: EntityKind(owners[number].kind) for number in touched}, payload.received_at)
    lost = named_before - _named_by(session, touched)  # what was told of these may have been the end of another's deal
    entities.revise_end(session, {contact for _, contact in lost})
    return Corrected(frozenset(touched), frozenset(_asking(loop, found, owners)))


def _was_no_deletion(row: EventRow, event: Event, ids: Mapping[EntityRef, int]) -> bool:
    """Whether it was read as a deletion, and is another one now or none."""
    is_same = event.verb in GONE and (ids[event.entity], event.occurred_at) == (row.entity_id, row.occurred_at)
    return parts_of(row.type)[1] in GONE and not is_same


def _asking(loop: Loop, found: list[tuple[EventRow, Event]], owners: Mapping[int, EntityRow]) -> set[int]:
    """Whom events ask about that are done. One that still waits is scored in its turn, by the models that it asks now."""
    asking = set()
    for row, event in found:
        models = models_asked_of(loop, event, owners[row.entity_id])
        if row.state == EventState.NEW:
            row.models = list(models)
        elif models:
            asking.add(row.entity_id)
    return asking


def _named_by(session: Session, entity_ids: Iterable[int]) -> set[tuple[int, int]]:
    """Of each entity the contacts that it names."""
    return {(number, contact) for number in entity_ids for contact in facts.named_by(session, number, EntityKind.CONTACT)}


def _close_letters(loop: Loop, session: Session, payload: Payload, parsed: Parsed) -> int:
    """Letters of this payload whose item fits now."""
    assert payload.id is not None
    fits = {place for place, _ in parsed.events}
    whole = not any(reject.position is None for reject in parsed.rejects)
    found = [
        each for each in dead_letters.open_of(session, payload.id) if each.position in fits or (each.position is None and whole)
    ]
    numbers = [each.id for each in found if each.id is not None]
    return sum(dead_letters.close(session, number, DeadLetterState.REPLAYED, loop.clock.now()) for number in numbers)


def _number(row: EventRow) -> int:
    assert row.id is not None
    return row.id
