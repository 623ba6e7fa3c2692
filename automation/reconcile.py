"""Finds what webhooks missed: records whose last change in the CRM says something that is not known here.

What is found comes in as events, by the source of our own and through the same door as all others: stored, ordered by when it
happened in the CRM, and asking the models that such a change asks.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from automation.clients.history import Current, History
from automation.missed import LAG, OVERLAP, missed_links, missed_of
from automation.pipeline.collect import collect_at_once
from automation.pipeline.context import Loop
from automation.sources import ours
from automation.sources.properties import CALCULATED
from data.domain.entity import EntityKind
from data.errors import Permanent, VendorError
from data.log import get_logger
from data.warehouse import payloads, reconciliations

log = get_logger("reconcile")

# What waits here to be parsed was not missed: the look stays that far behind, and no further.
LONGEST_WAIT = timedelta(hours=1)
# How far the first look goes back: what came before that is the backfill's.
FIRST = timedelta(days=1)
LONGEST_REASON = 500
MOST_AT_ONCE = 200  # records in one transaction: others wait for it


@dataclass(frozen=True)
class Gap:
    """What a look at one kind of record found. `missed`: the events that it made."""

    kind: EntityKind
    records: int
    missed: int


def reconcile(loop: Loop, source: str, history: History) -> list[Gap]:
    """Looks at all that changed since the last look. A kind that cannot be looked at now is looked at the next time.

    A kind that is refused, since the token has no scope for it, is asked for again too; that is told when it begins and ends.
    """
    found: list[Gap] = []
    for kind in history.watched:
        try:
            found.append(_look(loop, source, history, kind))
        except Permanent as error:
            _keep_refusal(loop, source, kind, error.detail)
        except VendorError as error:
            log.warning("reconcile.look.failed", source=source, kind=kind, reason=error.detail)
    return found


def _look(loop: Loop, source: str, history: History, kind: EntityKind) -> Gap:
    now = loop.clock.now()
    until = _until(loop, now)
    with loop.database.write() as session:
        row = reconciliations.get(session, source, kind, otherwise=now - FIRST, now=now)
        since = row.seen_until - OVERLAP
    records = missed = 0
    after: str | None = None
    more = since < until
    while more:
        asked_at = loop.clock.now()
        page = history.changed(kind, since, until, after)
        records += len(page.records)
        missed += sum(_tell(loop, history, kind, some, since, asked_at) for some in _parts(page.records))
        after, more = page.after, page.after is not None
    gap = Gap(kind, records, missed)
    _keep(loop, source, gap, until)
    return gap


def _until(loop: Loop, now: datetime) -> datetime:
    """Up to when webhooks have been heard."""
    with loop.database.read() as session:
        _, first = payloads.waiting(session)
    return max(min(now, first or now), now - LONGEST_WAIT) - LAG


def _keep(loop: Loop, source: str, gap: Gap, seen_until: datetime) -> None:
    now = loop.clock.now()
    with loop.database.write() as session:
        row = reconciliations.get(session, source, gap.kind, otherwise=seen_until, now=now)
        row.seen_until, row.looked_at = max(row.seen_until, seen_until), now
        row.records, row.missed, row.missed_ever = gap.records, gap.missed, row.missed_ever + gap.missed
        was_refused, row.refused = row.refused is not None, None
        session.add(row)
    if was_refused:
        log.info("reconcile.kind.readable", source=source, kind=gap.kind)
    if gap.missed:
        log.warning("reconcile.gap.closed", source=source, kind=gap.kind, records=gap.records, missed=gap.missed)


def _keep_refusal(loop: Loop, source: str, kind: EntityKind, reason: str) -> None:
    now = loop.clock.now()
    with loop.database.write() as session:
        row = reconciliations.get(session, source, kind, otherwise=now - FIRST, now=now)
        is_new, row.refused = row.refused is None, reason[:LONGEST_REASON]
        session.add(row)
    if is_new:
        log.warning("reconcile.kind.refused", source=source, kind=kind, reason=reason)


def _tell(loop: Loop, history: History, kind: EntityKind, records: Sequence[Current], since: datetime, asked_at: datetime) -> int:
    """Puts what is not known into the inbox, whatever else comes in meanwhile; how many events that made which were missed.

    What a CRM calculates of what is known was not missed: its webhooks need not tell of it. Of records that are new it is asked
    whom they belong to, which moves no date of theirs.
    """
    new = [record for record in records if record.created_at >= since]
    links = history.links(kind, [record.ref.id for record in new]) if new else {}
    with loop.database.read() as session:
        items = missed_of(session, records, asked_at) + missed_links(session, new, links, asked_at)
    made = [item for item in items if (said := item.get("properties")) and said.keys() <= CALCULATED.get(item["source"], set())]
    missed = [item for item in items if item not in made]
    if made:
        collect_at_once(loop, ours.NAME, json.dumps(made).encode())
    return collect_at_once(loop, ours.NAME, json.dumps(missed).encode()).accepted if missed else 0


def _parts(records: Sequence[Current]) -> Iterator[Sequence[Current]]:
    return (records[start : start + MOST_AT_ONCE] for start in range(0, len(records), MOST_AT_ONCE))
