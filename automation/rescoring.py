"""Scores records anew, without anything having happened to them."""

from collections.abc import Iterable

from automation.pipeline import review
from automation.pipeline.collect import parse_payload
from automation.pipeline.context import Loop
from data.domain.entity import EntityRef


def ask_again(loop: Loop, refs: Iterable[EntityRef], run: str) -> int:
    """Puts a review of each of these records into the inbox; returns how many are new.

    `run` names what asks for it: the same run again asks nobody twice.
    """
    with loop.database.write() as session:
        payload_id = review.store(session, refs, run, loop.clock.now())
    return 0 if payload_id is None else parse_payload(loop, payload_id).accepted
