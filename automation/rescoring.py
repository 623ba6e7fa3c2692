"""Scores records anew, without anything having happened to them."""

from collections.abc import Callable, Iterable

from automation.destinations.registry import DESTINATIONS
from automation.jobs.worker import sweep_outbox
from automation.pipeline import review
from automation.pipeline.collect import parse_payload
from automation.pipeline.context import Loop
from automation.pipeline.run import drive
from automation.triggers import kinds_that_ask, models_asked
from data.domain.entity import EntityRef
from data.errors import NotFound
from data.warehouse import events, open_entities

BATCH = 100


def ask_again(loop: Loop, refs: Iterable[EntityRef], run: str) -> int:
    """Puts a review of each of these records into the inbox; returns how many are new.

    `run` names what asks for it: the same run again asks nobody twice.
    """
    with loop.database.write() as session:
        payload_id = review.store(session, refs, run, loop.clock.now())
    return 0 if payload_id is None else parse_payload(loop, payload_id).accepted


def ask_all_open(loop: Loop, model: str, run: str, progress: Callable[[int], None] = lambda _n: None) -> int:
    """Puts a review of every open record that a model scores into the inbox; returns how many.

    Raises:
        NotFound: nothing asks that model.
    """
    asked = models_asked(loop.settings.lead_model)
    if model not in asked:
        raise NotFound(f"no event asks a model {model[:80]!r}; those that are asked: {', '.join(asked)}", field="model")
    kinds = kinds_that_ask(model, loop.settings.lead_model)
    after = total = 0
    while True:
        with loop.database.read() as session:
            rows = open_entities.open_ones(session, kinds, after=after, limit=BATCH)
        if not rows:
            return total
        after = rows[-1].id or after
        total += ask_again(loop, [row.ref for row in rows], run)
        progress(len(rows))


def waiting(loop: Loop, run: str) -> int:
    """How many reviews of a run are not answered yet."""
    with loop.database.read() as session:
        return events.waiting(session, review.key_of(run))


def work(loop: Loop) -> int:
    """Scores some of what waits in the inbox and sends what is due to the CRMs and to Slack; returns how many were taken."""
    taken = drive(loop)
    for destination in DESTINATIONS.values():
        sweep_outbox(loop, destination)
    return taken
