"""Reads a CRM's past into the warehouse, page by page. A kill costs no more than one page; a second run changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from automation import past
from automation.clients.history import History, Page, Patience
from automation.jobs import names
from automation.pipeline.context import Loop
from data.domain.entity import EntityKind
from data.errors import Permanent
from data.log import get_logger
from data.warehouse import backfills

log = get_logger("backfill")

# With the pauses between them, a quarter of an hour: whoever started it is told then, and it goes on from there the next time.
PATIENCE = Patience(tries=12)
PATIENCE_SECONDS = 600.0  # for a turn: nobody waits for a page, and the loop has the limit first

Progress = Callable[[EntityKind, int, int | None], None]


@dataclass(frozen=True)
class Done:
    """What was read of a kind. `refused`: why the CRM does not give it out."""

    kind: EntityKind
    records: int
    facts: int
    refused: str | None


def backfill(
    loop: Loop,
    source: str,
    history: History,
    *,
    progress: Progress = lambda _kind, _records, _total: None,
) -> list[Done]:
    """Reads what is not read yet. `progress` is told of each page: the kind, how many of its records are read, and of how many.

    Raises:
        Retryable: the CRM could not be read for long; the next run goes on from there.
    """
    with loop.database.write() as session:
        rows = backfills.begin(session, source, list(history.kinds), loop.clock.now())
        begun = {kind: row.done_at is not None for kind, row in rows.items()}
    names.refresh(loop, [source])  # what is read has ids of options, which are of use by their labels
    for kind in history.kinds:
        if not begun[kind]:
            _read(loop, source, history, kind, progress)
    with loop.database.read() as session:
        found = {row.kind: row for row in backfills.every(session) if row.source == source}
    return [Done(kind, found[kind].records, found[kind].facts, found[kind].refused) for kind in history.kinds]


def _read(loop: Loop, source: str, history: History, kind: EntityKind, progress: Progress) -> None:
    try:
        total = history.count(kind)
        after, more = _place(loop, source, kind), True
        while more:
            page = history.past(kind, after)
            progress(kind, _keep(loop, source, kind, page), total)
            after, more = page.after, page.after is not None
    except Permanent as error:
        log.warning("backfill.kind.refused", source=source, kind=kind, reason=error.detail)
        with loop.database.write() as session:
            row = backfills.get(session, source, kind)
            row.done_at, row.refused = loop.clock.now(), error.detail[:500]
            session.add(row)


def _place(loop: Loop, source: str, kind: EntityKind) -> str | None:
    with loop.database.read() as session:
        return backfills.get(session, source, kind).after


def _keep(loop: Loop, source: str, kind: EntityKind, page: Page) -> int:
    """Stores a page and how far it goes, in one transaction; returns how many records are read by now."""
    with loop.database.write() as session:
        stored = past.store(session, page.records, loop.clock.now())
        row = backfills.get(session, source, kind)
        row.records, row.facts, row.after = row.records + stored.records, row.facts + stored.facts, page.after
        if page.after is None:
            row.done_at = loop.clock.now()
        session.add(row)
        return row.records
