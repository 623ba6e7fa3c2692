"""Dead letters: what was set aside is looked at, goes through today's code once more, corrected if need be, or is discarded."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from automation.pipeline.collect import CollectedEvent, reparse
from automation.pipeline.collect_predictions import accounts_of, take
from automation.pipeline.context import Loop
from automation.pipeline.prediction_entries import read
from automation.sources.base import load_json
from data.domain.event import Driver
from data.domain.money import Account
from data.domain.stage import Stage
from data.errors import BadInput, Conflict, LeadloopError, NotFound, NotReady
from data.log import get_logger
from data.warehouse import dead_letters, events, payloads, resending
from data.warehouse.dead_letters import DeadLetter, DeadLetterState
from data.warehouse.payloads import Payload, PayloadState

log = get_logger("replay")

# Of these somebody else has the bytes, and they may be corrected. What was given up later is ours, and is tried as it is.
CORRECTABLE = frozenset({Stage.PARSE, Stage.VALIDATE, Stage.COLLECT_PREDICTIONS})


@dataclass(frozen=True)
class Replayed:
    """Whether it went through this time, and what came of it: the events that are new by it."""

    letter_id: int
    done: bool
    detail: str
    events: Sequence[CollectedEvent] = ()


@dataclass(frozen=True)
class Letter:
    """A dead letter with the payload that it was an item of, as its sender sent it."""

    letter: DeadLetter
    payload: Payload | None = field(default=None)


def listed(
    loop: Loop, *, state: str | None, stage: str | None, source: str | None, limit: int, before: int | None
) -> Sequence[DeadLetter]:
    with loop.database.read() as session:
        return dead_letters.listed(session, state=state, stage=stage, source=source, limit=limit, before=before)


def get(loop: Loop, letter_id: int) -> Letter:
    """One with its payload.

    Raises:
        NotFound: no such letter.
    """
    with loop.database.read() as session:
        letter = _found(session, letter_id)
        return Letter(letter, None if letter.payload_id is None else payloads.get(session, letter.payload_id))


def replay_all(loop: Loop, *, dry_run: bool = False) -> Iterator[Replayed]:
    """Every open dead letter, oldest first. One that cannot be replayed, or is somebody else's by now, stops none of the others.

    Raises:
        NotReady: the database is away.
    """
    with loop.database.read() as session:
        ids = dead_letters.open_ids(session)
    for number in ids:
        yield _tried(loop, number, dry_run=dry_run)


def replay_letter(loop: Loop, letter_id: int, *, content: bytes | None = None, dry_run: bool = False) -> Replayed:
    """One dead letter, with `content` in the place of what did not fit. It stays open if it still does not.

    What is corrected goes in as a payload of its own: the original bytes stay what they were.

    Raises:
        NotFound: no such letter. Conflict: it is not open. BadInput: nothing of it can be corrected.
    """
    with loop.database.read() as session:
        known = _accounts(loop, _found(session, letter_id), content)  # CRMs are asked before any transaction begins
    with loop.database.write() as session:
        letter = _open(session, letter_id, content)
        replayed = _again(loop, session, letter, content, known)
        if replayed.done:
            _close(loop, session, letter, DeadLetterState.REPLAYED)
        if dry_run or not replayed.done:
            session.rollback()
        return replayed


def discard(loop: Loop, letter_id: int) -> None:
    """It is worth no more work. It stays to be seen until its time is over.

    Raises:
        NotFound: no such letter. Conflict: it is not open.
    """
    with loop.database.write() as session:
        letter = _open(session, letter_id, None)
        _close(loop, session, letter, DeadLetterState.DISCARDED)


def _tried(loop: Loop, letter_id: int, *, dry_run: bool) -> Replayed:
    try:
        return replay_letter(loop, letter_id, dry_run=dry_run)
    except NotReady:
        raise
    except LeadloopError as error:
        return Replayed(letter_id, done=False, detail=error.detail)
    except Exception as error:  # a fault of ours with this one: the next one may be of another kind
        log.exception("replay.letter.failed", letter_id=letter_id)
        return Replayed(letter_id, done=False, detail=f"an unexpected fault: {type(error).__name__}")


def _found(session: Session, letter_id: int) -> DeadLetter:
    if (letter := dead_letters.get(session, letter_id)) is None:
        raise NotFound(f"there is no dead letter {letter_id}")
    return letter


def _open(session: Session, letter_id: int, content: bytes | None) -> DeadLetter:
    letter = _found(session, letter_id)
    if letter.state != DeadLetterState.OPEN:
        raise Conflict(f"dead letter {letter_id} was {letter.state} already")
    if content is not None and letter.stage not in CORRECTABLE:
        raise BadInput(
            f"a letter of the stage {letter.stage} is ours: nothing of it can be corrected; replay it without", field="content"
        )
    return letter


def _close(loop: Loop, session: Session, letter: DeadLetter, state: DeadLetterState) -> None:
    """What came of it is taken back where somebody else was first: two read on PostgreSQL that it is open."""
    assert letter.id is not None
    if not dead_letters.close(session, letter.id, state, loop.clock.now()):
        raise Conflict(f"dead letter {letter.id} was replayed or discarded meanwhile")


def _again(loop: Loop, session: Session, letter: DeadLetter, content: bytes | None, known: dict[str, Account]) -> Replayed:
    assert letter.id is not None
    now = loop.clock.now()
    if letter.delivery_id is not None:
        done = resending.revive(session, letter.delivery_id, now)
        return Replayed(letter.id, done=True, detail="back in the outbox" if done else "a newer delivery took its place")
    if letter.stage == Stage.COLLECT_PREDICTIONS:
        return _predictions_again(loop, session, letter, content, known)
    if letter.event_id is not None:
        done = events.revive(session, letter.event_id, now)
        return Replayed(letter.id, done=True, detail="back in the inbox" if done else "the event went on meanwhile")
    return _item_again(loop, session, letter, content)


def _item_again(loop: Loop, session: Session, letter: DeadLetter, content: bytes | None) -> Replayed:
    """An item of a payload, or the whole of it, from the stored bytes or from corrected ones."""
    assert letter.id is not None
    payload = payloads.get(session, letter.payload_id, lock=True) if letter.payload_id is not None else None
    if content is not None:
        body = content if letter.position is None else b"[" + content + b"]"
        payload = Payload(
            source=letter.source, driver=Driver.WORKER, body=body, received_at=loop.clock.now(), state=PayloadState.PARSED
        )
        payloads.add(session, payload)
    if payload is None or payload.state == PayloadState.PRUNED:
        return Replayed(
            letter.id, done=False, detail="its bytes have been let go of; replay it with corrected content, or discard it"
        )
    collected, parsed = reparse(loop, session, payload, None if content is not None else letter.position)
    if parsed.rejects:
        return Replayed(letter.id, done=False, detail=f"still does not fit: {parsed.rejects[0].reason}")
    said = f"{collected.accepted} accepted, {collected.duplicates} known already"
    return Replayed(letter.id, done=True, detail=said, events=collected.events)


def _predictions_again(
    loop: Loop, session: Session, letter: DeadLetter, content: bytes | None, known: dict[str, Account]
) -> Replayed:
    """What came to the third door and was refused, as if it came now."""
    assert letter.id is not None
    taken = take(loop, session, [read(_entry(letter, content))], Driver.WORKER, known, letters=False)
    if taken.refused:
        return Replayed(letter.id, done=False, detail=f"still refused: {taken.refused[0].error.detail}")
    return Replayed(letter.id, done=True, detail="its predictions are taken")


def _accounts(loop: Loop, letter: DeadLetter, content: bytes | None) -> dict[str, Account]:
    if letter.stage != Stage.COLLECT_PREDICTIONS:
        return {}
    return accounts_of(loop, [read(_entry(letter, content))])


def _entry(letter: DeadLetter, content: bytes | None) -> Any:
    return json.loads(letter.content) if content is None else load_json(content)
