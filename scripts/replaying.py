"""`leadloop replay`: stored bytes through today's code once more."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from automation import audit, replay
from automation.dead_letters import replay_all
from automation.jobs.champions import refresh
from automation.loop import build_loop
from automation.pipeline.context import Loop
from automation.replay import Changed, Difference
from automation.sources.registry import SOURCES
from data.domain.audit import Action
from data.migrations import upgrade
from data.settings import Settings
from scripts.environment import Usage
from scripts.terminal import plain, progress_bar

SHOWN = 20  # of each kind of difference


def replay_letters(settings: Settings, console: Console, *, dry_run: bool) -> None:
    """Every open dead letter; those that still do not fit stay."""
    tried = done = 0
    with _loop(settings) as loop, _recorded(loop, "dead letters", dry_run=dry_run) as details:
        for row in replay_all(loop, dry_run=dry_run):
            tried, done = tried + 1, done + row.done
            details |= {"tried": tried, "replayed": done}
            console.print(plain(f"{row.letter_id}: {'replayed' if row.done else 'not replayed'}: {row.detail}"), markup=False)
    console.print(f"{done} of {tried} dead letters {'would go' if dry_run else 'went'} through.")


def replay_events(
    settings: Settings, since: datetime | None, until: datetime | None, source: str | None, console: Console, *, dry_run: bool
) -> None:
    """All payloads of a range of time; prints what is different."""
    if source is not None and source not in SOURCES:
        raise Usage(f"--source {source}: the sources are {', '.join(SOURCES)}", field="source")
    begin, end = (moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None for moment in (since, until))
    found = Difference()
    with (
        _loop(settings) as loop,
        _recorded(loop, "events", dry_run=dry_run, since=str(since), until=str(until), source=source) as details,
    ):
        with progress_bar(console, "Replaying", replay.count(loop, begin, end, source)) as step:
            for one in replay.replay(loop, begin, end, source, dry_run=dry_run):
                found.add(one)
                step(1)
        details |= {"payloads": found.payloads, "changed": len(found.changed), "new": len(found.new), "gone": len(found.gone)}
    _tell(console, found, dry_run=dry_run)


@contextmanager
def _loop(settings: Settings) -> Iterator[Loop]:
    loop = build_loop(settings)
    upgrade(loop.database)
    refresh(loop)
    yield loop
    loop.database.dispose()


@contextmanager
def _recorded(loop: Loop, target: str, *, dry_run: bool, **details: Any) -> Iterator[dict[str, Any]]:
    if dry_run:
        yield {}
        return
    with audit.recorded(loop.database, loop.clock, audit.command_line_actor(), Action.REPLAY, target, **details) as found:
        yield found


def _tell(console: Console, found: Difference, *, dry_run: bool) -> None:
    lists = (
        ("is read otherwise", [_in_words(one) for one in found.changed]),
        ("is new", found.new),
        ("is found no more, and stays", [f"event {number}" for number in found.gone]),
    )
    for said, lines in lists:
        for line in lines[:SHOWN]:
            console.print(plain(f"{said}: {line}"), markup=False, highlight=False)
        if len(lines) > SHOWN:
            console.print(f"{said}: {len(lines) - SHOWN:,} more")
    if found.unreadable:
        console.print(f"{found.unreadable:,} payloads have been let go of, and are left out.")
    if found.old:
        old = f"{found.old:,} payloads are older than LEADLOOP_RETAIN_EVENTS_DAYS"
        console.print(f"{old}: events of them that have been let go of are not brought back.")
    done = "would be" if dry_run else "were"
    console.print(
        f"{found.payloads:,} payloads: {found.same:,} events are the same, {len(found.changed):,} {done} corrected, "
        f"{len(found.new):,} {done} added, {found.letters:,} dead letters {'would ' if dry_run else ''}fit now.",
        highlight=False,
    )


def _in_words(one: Changed) -> str:
    told = "; ".join(f"{name}: {before} -> {after}" for name, (before, after) in one.fields.items())
    return f"event {one.event_id} ({one.type}): {told}"
