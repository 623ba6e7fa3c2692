"""Stage 1: store the bytes, then parse them into events, then answer. Nothing is acknowledged that is not stored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from automation.erasure.guard import without_erased
from automation.fitting import noted
from automation.memory import Heard, remember_events, targets_of
from automation.pipeline import bare, echoes
from automation.pipeline.context import Loop
from automation.pipeline.follow import ask_others, follow, note_deletions
from automation.pipeline.letters import MOST_LETTERS, letters_of
from automation.pipeline.trigger import models_asked_of
from automation.settling import says_an_end, settle
from automation.sources import ours
from automation.sources.base import PARSE, VALIDATE, Parsed, Reject, as_bytes, load_json
from automation.sources.registry import SOURCES
from data.domain.event import Driver, Event, too_far_ahead
from data.domain.event_type import Verb
from data.errors import Busy, NotFound, Rejected
from data.log import get_logger
from data.warehouse import dead_letters, entities, events, payloads
from data.warehouse.events import Arrival
from data.warehouse.payloads import UNPARSED, Payload, PayloadState

log = get_logger("collect")

# So long a sender waits for entities that others hold, as the worker does while it stores a hundred scores.
PATIENCE_SECONDS = 0.05
Wanted = Callable[[int, Event], bool]  # the place of an item in its payload, and what was read of it


@dataclass(frozen=True)
class CollectedEvent:
    event_id: int
    type: str
    entity: dict[str, Any]
    models: list[str]


@dataclass(frozen=True)
class Collected:
    """The collector's answer: how many were new, repeats or set aside, and the new ones.

    `deferred`: the bytes are stored, and the worker sees what is in them; nothing is counted yet.
    """

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    events: list[CollectedEvent] = field(default_factory=list)
    deferred: bool = False


def collect(loop: Loop, source: str, body: bytes, driver: Driver) -> Collected:
    """Stores a payload that its sender's authentication has passed.

    Raises:
        NotFound: no such source.
    """
    with loop.turns.one() as it_is_ours:
        payload_id = loop.intake.store(_payload(loop, source, body, driver if it_is_ours else None))
        return _parse_soon(loop, payload_id) if it_is_ours else Collected(deferred=True)


async def put_off(loop: Loop, source: str, body: bytes) -> Collected:
    """`collect` while no turns are given: stores the payload and leaves it to the worker.

    Raises:
        NotFound: no such source.
    """
    await loop.intake.store_async(_payload(loop, source, body, None))
    return Collected(deferred=True)


def _payload(loop: Loop, source: str, body: bytes, driver: Driver | None) -> Payload:
    """A payload to be stored; without a driver the worker's, since its sender waits for the bytes to be safe and no longer."""
    if source not in SOURCES:
        raise NotFound(f"there is no source {source!r}; the sources are {', '.join(SOURCES)}")
    state = PayloadState.RECEIVED if driver else PayloadState.DEFERRED
    return Payload(source=source, driver=driver or Driver.WORKER, body=body, received_at=loop.clock.now(), state=state)


def collect_at_once(loop: Loop, source: str, body: bytes) -> Collected:
    """Stores a payload that the loop itself has made, with what is in it, in one transaction: what is answered is the whole count.

    It is never put off. Where that fails nothing is stored, and whoever made the payload makes it again.
    """
    payload = Payload(source=source, driver=Driver.WORKER, body=body, received_at=loop.clock.now())
    parsed = _parse(loop, payload, payload.received_at)
    with loop.database.write() as session:
        payloads.add(session, payload)
        collected, reviews = _store_all(loop, session, payload, parsed)
    return _stored(loop, payload, parsed, collected, reviews)


def _parse_soon(loop: Loop, payload_id: int) -> Collected:
    """Leaves it to the worker where others hold its entities for long."""
    try:
        return parse_payload(loop, payload_id, patience_seconds=PATIENCE_SECONDS)
    except Busy:
        with loop.database.write() as session:
            payloads.defer(session, payload_id)
        return Collected(deferred=True)


def parse_payload(loop: Loop, payload_id: int, *, patience_seconds: float | None = None) -> Collected:
    """Parses a payload that was just stored. Doing it again changes nothing: every event has its dedupe key.

    Raises:
        Busy: what it writes to was locked for longer than the patience; the payload is as it was.
    """
    with loop.database.read() as session:
        payload = payloads.get(session, payload_id)
    assert payload is not None
    parsed = _parse(loop, payload, payload.received_at)  # before anything is locked: others write meanwhile
    with loop.database.write(patience_seconds=patience_seconds) as session:
        stored = payloads.get(session, payload_id, lock=True)
        if stored is None or stored.state not in UNPARSED:
            return Collected(duplicates=len(parsed.events))
        collected, reviews = _store_all(loop, session, stored, parsed)
    return _stored(loop, payload, parsed, collected, reviews)


def parse_waiting(loop: Loop, payload_id: int) -> bool:
    """The worker's way: parses a payload unless somebody else has done so or is at it; says whether it did."""
    with loop.database.write() as session:
        if (payload := payloads.take(session, payload_id)) is None:
            return False
        parsed = _parse(loop, payload, payload.received_at)
        collected, reviews = _store_all(loop, session, payload, parsed)
    _stored(loop, payload, parsed, collected, reviews)
    return True


def _store_all(loop: Loop, session: Session, payload: Payload, parsed: Parsed) -> tuple[Collected, int | None]:
    payload.state = PayloadState.PARSED
    parsed, erased = without_erased(session, payload, parsed, lambda: _parse(loop, payload, payload.received_at))
    parsed = echoes.marked(session, parsed)
    found = _store(loop, session, payload, parsed, erased)
    dead_letters.add(session, letters_of(payload, parsed.rejects, loop.clock.now()))
    return found


def _stored(loop: Loop, payload: Payload, parsed: Parsed, collected: Collected, reviews: int | None) -> Collected:
    payload_id = payload.id
    for reject in parsed.rejects[:MOST_LETTERS]:
        log.info("collect.event.rejected", source=payload.source, payload_id=payload_id, stage=reject.stage, reason=reject.reason)
    log.info("collect.payload.accepted", source=payload.source, payload_id=payload_id, accepted=collected.accepted,
             duplicates=collected.duplicates, rejected=collected.rejected)  # fmt: skip
    if reviews is not None:
        parse_payload(loop, reviews)
    return collected


def reparse(
    loop: Loop, session: Session, payload: Payload, position: int | None = None, *, wanted: Wanted | None = None
) -> tuple[Collected, Parsed]:
    """Parses a payload again for a replay, only the item at `position` where one is named; what was found in it, too.

    What is known already stays as it is; what is new comes in as far as it is `wanted`. The worker parses the reviews that this
    gives rise to.
    """
    now = loop.clock.now()
    parsed = _parse(loop, payload, now)
    parsed, erased = without_erased(session, payload, parsed, lambda: _parse(loop, payload, now))
    parsed = echoes.marked(session, parsed)
    parsed = parsed if position is None else _only(parsed, position)
    parsed.events = [pair for pair in parsed.events if wanted is None or wanted(*pair)]
    collected, _ = _store(loop, session, payload, parsed, erased)
    return collected, parsed


def _parse(loop: Loop, payload: Payload, now: datetime) -> Parsed:
    try:
        parsed = SOURCES[payload.source](payload.body, app_id=loop.settings.hubspot_app_id)
    except Rejected as error:
        return Parsed(rejects=[Reject(None, error.stage, error.detail, payload.body)])
    except Exception as error:  # A parser's fault must cost no bytes and no 500: the payload is replayable.
        log.exception("collect.parser.failed", source=payload.source)
        return Parsed(rejects=[Reject(None, PARSE, f"the parser failed: {type(error).__name__}", payload.body)])
    ahead = [(place, event) for place, event in parsed.events if too_far_ahead(event, now)]
    for place, event in ahead:
        reason = f"occurred_at: {event.occurred_at:%Y-%m-%d %H:%M} lies more than a day in the future"
        parsed.rejects.append(Reject(place, VALIDATE, reason, _item(payload.body, place)))
    parsed.events = [pair for pair in parsed.events if pair not in ahead]
    return parsed


def _item(body: bytes, place: int) -> bytes:
    """One item of a payload that was read before."""
    value = load_json(body)
    return as_bytes(value[place] if isinstance(value, list) else value)


def _store(loop: Loop, session: Session, payload: Payload, parsed: Parsed, erased: int) -> tuple[Collected, int | None]:
    """Stores what was parsed, or one item of it; returns with it the id of a payload of reviews that it gave rise to.

    The caller holds the payload's row.
    """
    assert payload.id is not None
    found = [event for _, event in parsed.events]
    told = targets_of((event.entity, event.properties) for event in found) | {ref for event in found for ref in event.targets}
    ids = entities.ensure(session, {event.entity for event in found} | told, loop.clock.now())
    owners = entities.lock(session, {ids[ref] for event in found for ref in (event.entity, *event.targets)})
    now = loop.clock.now()  # with the entities in hand: whoever scored one of them before knew nothing of this
    note_deletions(session, found, owners, ids)
    arrivals = [
        Arrival(event, ids[event.entity], models_asked_of(loop, event, owners[ids[event.entity]]), noted(event)) for event in found
    ]
    grace = loop.settings.n8n_grace_seconds if payload.driver == Driver.N8N else 0
    new = events.add_new(
        session, arrivals, payload_id=payload.id, driver=Driver(payload.driver), now=now, due=now + timedelta(seconds=grace)
    )
    fresh = [arrival for arrival in _once(arrivals) if arrival.key in new]
    heard = [Heard(arrival.event, new[arrival.key], arrival.entity_id) for arrival in fresh]
    remembered = remember_events(session, heard, owners, ids, now, by_webhook=payload.source != ours.NAME)
    follow(session, heard, owners, ids, now)
    settle(session, {one.entity_id: one.event.entity.kind for one in fresh if _says_an_end(one.event)}, now)
    bare.read_soon(loop, session, fresh, owners, now)
    collected = Collected(
        accepted=len(fresh),
        duplicates=len(arrivals) - len(fresh) + erased,
        rejected=len(parsed.rejects),
        events=[_collected(new[arrival.key], arrival) for arrival in fresh],
    )
    asked = {arrival.entity_id for arrival in fresh if arrival.models and arrival.event.verb is not Verb.REVIEWED}
    return collected, ask_others(loop, session, heard, owners, payload.id, now, told=asked, remembered=remembered)


def _only(parsed: Parsed, position: int) -> Parsed:
    return Parsed(
        [(place, event) for place, event in parsed.events if place == position],
        [reject for reject in parsed.rejects if reject.position in (position, None)],
    )


def _once(arrivals: list[Arrival]) -> list[Arrival]:
    return list({arrival.key: arrival for arrival in reversed(arrivals)}.values())[::-1]


def _collected(event_id: int, arrival: Arrival) -> CollectedEvent:
    event = arrival.event
    return CollectedEvent(event_id, event.type, event.entity.model_dump(mode="json"), list(arrival.models))


def _says_an_end(event: Event) -> bool:
    return says_an_end(event.entity.kind, event.properties)
