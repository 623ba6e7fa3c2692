"""Dead letters of what did not fit in a payload."""

from collections.abc import Sequence
from datetime import datetime

from automation.sources.base import VALIDATE, Reject
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.payloads import Payload

# A mebibyte has room for half a million items that do not fit: a row for each would hold everybody else up for minutes.
MOST_LETTERS = 1000


def letters_of(payload: Payload, rejects: Sequence[Reject], now: datetime) -> list[DeadLetter]:
    """One for each reject up to MOST_LETTERS; one for all the others, whose bytes are in the payload."""
    return [_letter(payload, reject, now) for reject in _worth_one(rejects)]


def _worth_one(rejects: Sequence[Reject]) -> Sequence[Reject]:
    if len(rejects) <= MOST_LETTERS:
        return rejects
    said = f"{len(rejects) - MOST_LETTERS:,} more items of this payload do not fit; a replay of this one tries all of it again"
    return [*rejects[:MOST_LETTERS], Reject(None, VALIDATE, said, b"")]


def _letter(payload: Payload, reject: Reject, now: datetime) -> DeadLetter:
    return DeadLetter(
        source=payload.source, stage=reject.stage, reason=reject.reason, payload_id=payload.id,
        position=reject.position, content=reject.content, created_at=now,
    )  # fmt: skip
