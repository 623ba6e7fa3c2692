"""Stage 4: stores what was looked up, and recalls all that is visible now of the entities and of those they belong to.

With the entities' rows in hand, so that nobody adds a fact of theirs that is known by this moment and not seen here. (Of a
related company, deal or note a fact may be under way on another connection at this very instant; SQLite has one writer, so there
nothing is.)
"""

from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlmodel import Session

from automation import memory, previous
from automation.pipeline import review
from automation.pipeline.context import Case, Loop, properties_of
from data.domain.entity import EntityRef
from data.domain.event import EventState
from data.warehouse import entities, events, property_names
from data.warehouse.events import EventRow
from ml.features.build import needs_related
from ml.serving.predictor import Served


@dataclass(frozen=True)
class Recalled:
    """The cases that are still ours, and the facts that they are scored by."""

    cases: list[Case]
    facts: pl.DataFrame


def recall(loop: Loop, cases: list[Case], lease_id: str) -> Recalled:
    """Fills in `case.as_of`. Cases whose lease was lost meanwhile drop out."""
    found = [case.looked_up for case in cases if case.looked_up is not None]
    with loop.database.write() as session:
        targets = entities.ensure(session, memory.targets_of((each.entity, each.values) for each in found), loop.clock.now())
        ours = [case for case, _ in still_ours(session, cases, lease_id)]
        now = loop.clock.now()
        _remember(session, ours, targets, now)
        for case in ours:
            case.as_of = now
        ids = {case.event.entity_id for case in ours}
        asked = _asked(ours)
        related = any(needs_related(served.card.model, served.card.input_names) for served in asked)
        told = memory.read(session, ids, related=related)
        previous.fill_in(ours, told.facts)
        return Recalled(ours, memory.as_known(session, told, properties_of(asked)))


def still_ours(session: Session, cases: list[Case], lease_id: str) -> list[tuple[Case, EventRow]]:
    """Locks the entities; the cases whose lease still holds, each with its event as it is stored now."""
    entities.lock(session, [case.event.entity_id for case in cases])
    rows = events.by_ids(session, [case.event_id for case in cases])
    pairs = [(case, rows[case.event_id]) for case in cases]
    return [(case, row) for case, row in pairs if row.state == EventState.NEW and row.lease_id == lease_id]


def _remember(session: Session, cases: list[Case], targets: dict[EntityRef, int], now: datetime) -> None:
    owners = entities.by_ids(session, [case.event.entity_id for case in cases])
    found = {each.entity_id: each for case in cases if (each := case.looked_up) is not None}
    joined = memory.remember_look_ups(session, list(found.values()), targets, now)
    if joined:  # the others see from now on what is known of these; the worker takes the reviews from here
        review.of_the_same(session, joined, {case.event.entity_id for case in cases}, f"event {cases[0].event_id}", now)
    for number, each in found.items():
        owners[number].looked_up_at = each.at
        session.add(owners[number])
    named = {(case.event.source, case.ref.kind): case.names for case in cases if case.names}
    for (source, kind), names in named.items():
        property_names.add(session, source, kind, names, now)
    session.flush()


def _asked(cases: list[Case]) -> list[Served]:
    """The versions that these cases ask, with those in the shadow."""
    chosen = [choice for case in cases for choice in case.choices.values()]
    found = [served for choice in chosen for served in (choice.served, choice.shadow) if served is not None]
    return list({id(served): served for served in found}.values())
