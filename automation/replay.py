"""Replay: what was set aside goes through today's code once more, from the stored bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from automation.pipeline.collect import reparse
from automation.pipeline.context import Loop
from data.errors import Conflict, NotFound
from data.warehouse import dead_letters, events, leases, payloads
from data.warehouse.dead_letters import DeadLetter, DeadLetterState


@dataclass(frozen=True)
class Replayed:
    """Whether it went through this time, and what came of it."""

    letter_id: int
    done: bool
    detail: str


def listed(loop: Loop, *, state: str | None, limit: int, before: int | None) -> Sequence[DeadLetter]:
    with loop.database.read() as session:
        return dead_letters.listed(session, state=state, limit=limit, before=before)


def replay_all(loop: Loop, *, dry_run: bool = False) -> list[Replayed]:
    """Every open dead letter, oldest first."""
    with loop.database.read() as session:
        ids = dead_letters.open_ids(session)
    return [replay_letter(loop, number, dry_run=dry_run) for number in ids]


def replay_letter(loop: Loop, letter_id: int, *, dry_run: bool = False) -> Replayed:
    """One dead letter. It stays open if it still does not fit.

    Raises:
        NotFound: no such letter.
        Conflict: it was replayed already.
    """
    with loop.database.write() as session:
        replayed = _replay(loop, session, letter_id)
        if dry_run:
            session.rollback()
        return replayed


def _replay(loop: Loop, session: Session, letter_id: int) -> Replayed:
    if (letter := dead_letters.get(session, letter_id)) is None:
        raise NotFound(f"there is no dead letter {letter_id}")
    if letter.state == DeadLetterState.REPLAYED:
        raise Conflict(f"dead letter {letter_id} was replayed already")
    done, detail = _again(loop, session, letter)
    if done:
        letter.state, letter.replayed_at = DeadLetterState.REPLAYED, loop.clock.now()
        session.add(letter)
    return Replayed(letter_id, done, detail)


def _again(loop: Loop, session: Session, letter: DeadLetter) -> tuple[bool, str]:
    now = loop.clock.now()
    if letter.delivery_id is not None:
        done = leases.revive(session, letter.delivery_id, now)
        return True, "back in the outbox" if done else "a newer delivery took its place"
    if letter.event_id is not None:
        done = events.revive(session, letter.event_id, now)
        return True, "back in the inbox" if done else "the event went on meanwhile"
    payload = payloads.get(session, letter.payload_id, lock=True) if letter.payload_id is not None else None
    if payload is None:
        return False, "its payload is gone"
    collected = reparse(loop, session, payload, letter.position)
    if collected.rejected:
        return False, "still does not fit"
    return True, f"{collected.accepted} accepted, {collected.duplicates} known already"
