"""Stage 4: stores what was looked up, and recalls all that is visible now of the entities and of those they belong to.

With the entities' rows in hand, so that nobody adds a fact of theirs that is known by this moment and not seen here. (Of a
related company, deal or note a fact may be under way on another connection at this very instant; SQLite has one writer, so there
nothing is.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlmodel import Session

from automation import knowledge
from automation.erasure.records import looked_up_without_erased
from automation.pipeline.context import Case, Loop, properties_of
from automation.pipeline.keep import ids_of, keep, keep_names, turned_meanwhile
from automation.pipeline.trigger import drop_what_is_gone
from data.domain.entity import EntityRef
from data.domain.event import EventState
from data.errors import Retryable
from data.warehouse import entities, events
from data.warehouse.entities import EntityRow
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
    with loop.database.write() as session:
        cases = _without_erased(session, cases, loop.clock.now())
        found = [look_up for case in cases for look_up in case.look_ups]
        known = ids_of(session, found, loop.clock.now())
        # With those besides of whom something was found (their companies): all at once, in one order.
        owners = entities.lock(session, {*(case.event.entity_id for case in cases), *(known[each.entity] for each in found)})
        ours = [case for case, _ in still_ours(session, cases, lease_id)]
        now = loop.clock.now()
        _without_outdated(session, ours, owners, known)
        keep(session, [look_up for case in ours for look_up in case.look_ups], known, now)
        keep_names(session, {(case.event.source, case.ref.kind): case.names for case in ours if case.names}, now)
        for case in ours:
            case.as_of = now
        ids = {case.event.entity_id for case in ours}
        asked = _asked(ours)
        related = any(needs_related(served.card.model, served.card.input_names) for served in asked)
        told = knowledge.read(session, ids, related=related)
        return Recalled(ours, knowledge.as_known(session, told, properties_of(asked)))


def _without_erased(session: Session, cases: list[Case], now: datetime) -> list[Case]:
    """A case about somebody who was erased before drops out: the erasure that is asked for takes its event too."""
    storable = looked_up_without_erased(session, [look_up for case in cases for look_up in case.look_ups], now)
    left = []
    for case in cases:
        kept = [found for look_up in case.look_ups if (found := storable(look_up)) is not None]
        if len(kept) == len(case.look_ups):
            case.look_ups = kept
            left.append(case)
    return left


def _without_outdated(session: Session, cases: list[Case], owners: Mapping[int, EntityRow], known: Mapping[EntityRef, int]) -> None:
    """What went while it was read is asked nothing; of what came back, or took others in, another reading is needed."""
    found = [look_up for case in cases for look_up in case.look_ups]
    turned = turned_meanwhile(session, found, known)
    for case in cases:
        case.entity = owners[case.event.entity_id]
        case.look_ups = [look_up for look_up in case.look_ups if look_up not in turned]
        if case.ref in {look_up.entity for look_up in turned}:
            case.error = Retryable("it went, came back or took others in while it was read")
        drop_what_is_gone(case)


def still_ours(session: Session, cases: list[Case], lease_id: str) -> list[tuple[Case, EventRow]]:
    """Locks the entities; the cases whose lease still holds, each with its event as it is stored now."""
    entities.lock(session, [case.event.entity_id for case in cases])
    rows = events.by_ids(session, [case.event_id for case in cases])
    pairs = [(case, rows[case.event_id]) for case in cases if case.event_id in rows]  # one that is gone was erased
    return [(case, row) for case, row in pairs if row.state == EventState.NEW and row.lease_id == lease_id]


def _asked(cases: list[Case]) -> list[Served]:
    """The versions that these cases ask, with those in the shadow."""
    chosen = [choice for case in cases for choice in case.choices.values()]
    found = [served for choice in chosen for served in (choice.served, choice.shadow) if served is not None]
    return list({id(served): served for served in found}.values())
