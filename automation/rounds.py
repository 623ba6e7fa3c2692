"""Asks the CRM whether it still has what is known here: what was deleted, merged or restored moves no record's date, so no look at
changes finds it. Each known record is asked for once a round, a page at a time; a round that is stopped goes on where it was.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from automation.clients.history import History, Presence
from automation.missed import LAG, OVERLAP, Item, Known, item_of, known_of, link_items, merge_items, restored
from automation.pipeline.collect import collect_at_once
from automation.pipeline.context import Loop
from automation.sources import ours
from data.domain.entity import EntityKind, EntityRef
from data.domain.event_type import VERBS, Verb
from data.errors import VendorError
from data.log import get_logger
from data.warehouse import entities, reconciliations, rounds

log = get_logger("reconcile")

# Of a kind, in one turn: with a turn each quarter of an hour, 96,000 records a day. Who has more has longer rounds.
PAGES = 10
# A record may be back from the recycle bin for so long (HubSpot: 90 days, Pipedrive: 30); then it is asked for no more.
MAY_COME_BACK = timedelta(days=90)
# So many records of a page, and more than half of it, of which nobody says that they were deleted: more likely the token is another
# account's, or its user may see less.
MANY = 10


@dataclass(frozen=True)
class Page:
    """Some records that are known, in the order of a round. `after`: where the next page begins; None: there is none."""

    records: Mapping[EntityRef, Known]
    after: str | None


def go_on(loop: Loop, source: str, history: History) -> int:
    """Goes on with the round of every kind, as far as one turn goes; how many events it made.

    A kind that cannot be read now is read on the next time. One that is refused waits until its changes can be looked at again.
    """
    every = timedelta(hours=loop.settings.reconcile_round_hours)
    if not every:
        return 0
    with loop.database.read() as session:
        refused = {row.kind for row in reconciliations.every(session) if row.source == source and row.refused is not None}
    found = 0
    for kind in history.watched:
        if kind.value not in refused:
            try:
                found += _turn(loop, source, history, kind, every)
            except VendorError as error:
                log.warning("reconcile.look.failed", source=source, kind=kind, reason=error.detail)
    return found


def _turn(loop: Loop, source: str, history: History, kind: EntityKind, every: timedelta) -> int:
    with loop.database.write() as session:
        after = rounds.due(session, source, kind, every, loop.clock.now()).after
    found = 0
    for _ in range(PAGES):
        if after is None:
            break
        page = _page(loop, source, kind, after, history.asked_at_once(kind))
        told = _tell(loop, history, kind, page)
        after, found = page.after, found + told
        with loop.database.write() as session:
            rounds.keep(session, source, kind, after, len(page.records), told)
    if found:
        log.warning("reconcile.gap.closed", source=source, kind=kind, missed=found)
    return found


def _page(loop: Loop, source: str, kind: EntityKind, after: str, size: int) -> Page:
    """What is heard of just now is left out: webhooks may tell more of it still."""
    youngest = loop.clock.now() - OVERLAP
    with loop.database.read() as session:
        rows = entities.behind(session, source, kind, after=after, limit=size)
        old = [row for row in rows if row.created_at <= youngest]
        records = {row.ref: its for row, its in zip(old, known_of(session, old), strict=True)}
        return Page(records, rows[-1].vendor_id if rows else None)


def _tell(loop: Loop, history: History, kind: EntityKind, page: Page) -> int:
    asked_at = loop.clock.now()
    gone = {ref.id: its.deletion for ref, its in page.records.items() if its.deletion is not None}
    wanted = [ref.id for ref in page.records if ref.id not in gone or gone[ref.id].occurred_at > asked_at - MAY_COME_BACK]
    if not wanted:
        return 0
    said = _plausible(page, history.present(kind, wanted, known_gone=gone.keys()))
    with loop.database.read() as session:  # by what has come in meanwhile, too
        rows = [entities.find(session, ref) for ref in page.records]
        items = _items(session, said, dict(zip(page.records, known_of(session, rows), strict=True)), asked_at)
    return collect_at_once(loop, ours.NAME, json.dumps(items).encode()).accepted if items else 0


def _plausible(page: Page, said: Presence) -> Presence:
    """Without those of which nobody says that they were deleted, where they are too many to be true."""
    live = [ref for ref, its in page.records.items() if its.deletion is None]
    vanished = [ref for ref in live if ref.id in said.vanished]
    if len(vanished) >= MANY and 2 * len(vanished) > len(live):
        some = vanished[0]
        log.warning("reconcile.round.doubtful", source=some.source, kind=some.kind, vanished=len(vanished), asked=len(live))
        return replace(said, vanished=frozenset())
    for ref in vanished:
        if ref.kind is EntityKind.CONTACT:
            log.warning("reconcile.contact.vanished", source=ref.source, id=ref.id)
    return said


def _items(session: Session, said: Presence, known: Mapping[EntityRef, Known], asked_at: datetime) -> list[Item]:
    found: list[Item] = []
    merged: dict[tuple[EntityRef, datetime], list[str]] = defaultdict(list)
    for ref, its in known.items():
        if its.is_part:
            continue
        if ref.id in said.merged and Verb.MERGED in VERBS[ref.kind]:
            number, at = said.merged[ref.id]
            merged[ref.model_copy(update={"id": number}), at or asked_at].append(ref.id)
        elif its.deletion is not None:
            if ref.id in said.there and its.deletion.received_at <= asked_at - LAG:
                found.append(restored(ref, asked_at, {}))
        elif ref.id in said.deleted or ref.id in said.merged or ref.id in said.vanished:
            found.append(_deleted(ref, its, said.deleted.get(ref.id, asked_at), asked_at))
        else:
            for kind, ends in said.links.items():
                found += link_items(ref, its, kind, ends[ref.id], asked_at) if ref.id in ends else []
    for (into, at), gone in merged.items():
        found += merge_items(session, into, gone, at)
    return found


def _deleted(ref: EntityRef, its: Known, at: datetime, asked_at: datetime) -> Item:
    """Where something is known of it that is dated later, by another clock, it is gone since it was asked for."""
    dated = [*(fact.occurred_at for fact in its.told), *([its.restored_at] if its.restored_at is not None else [])]
    return item_of(ref, Verb.DELETED, asked_at if any(moment > at for moment in dated) else at, f"{ref} deleted")
