"""`leadloop backfill`, `leadloop import`: a CRM's past into the warehouse."""

import json
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from automation import audit, backfill
from automation.backfill import Done
from automation.clients.histories import history_of
from automation.clients.pace import SharedPace
from automation.clients.registry import build_clients
from automation.imports.mapping import read_mapping
from automation.imports.rows import read_rows
from automation.imports.run import import_rows
from automation.loop import build_loop
from data.domain.audit import Action
from data.domain.entity import EntityKind
from data.errors import NotFound
from data.migrations import upgrade
from data.settings import Settings
from scripts.environment import OWN_EYES, wrong_is_usage
from scripts.terminal import counting, progress_bar


def run_backfill(settings: Settings, source: str, console: Console) -> bool:
    """Reads all of it, or goes on where an earlier run was stopped. Whether the CRM gave out people and deals."""
    loop = build_loop(settings)
    pace = SharedPace(loop.database, loop.clock, backfill.PATIENCE_SECONDS)
    with wrong_is_usage(NotFound):
        history = history_of(source, build_clients(settings, pace), settings, backfill.PATIENCE)
    upgrade(loop.database)
    with ExitStack() as stack:
        details = stack.enter_context(
            audit.recorded(loop.database, loop.clock, audit.command_line_actor(), Action.BACKFILL, source)
        )
        shown = stack.enter_context(counting(console, f"Reading {source}"))
        done = backfill.backfill(loop, source, history, progress=lambda kind, n, total: shown(_plural(kind), n, total))
        details |= {"records": sum(each.records for each in done), "refused": [each.kind for each in done if each.refused]}
    console.print(_summary(source, done))
    loop.database.dispose()
    console.print("Score everybody by it with: leadloop rescore. Learn from it with: leadloop train lead_score.")
    return not any(each.refused for each in done if each.kind in {EntityKind.CONTACT, EntityKind.DEAL})


def run_import(settings: Settings, path: Path, mapping: Path, console: Console) -> bool:
    """Loads a file; whether every row fitted. Those that did not are written beside it, for its owner's eyes."""
    columns = read_mapping(mapping)
    total, rows = read_rows(path, columns)
    loop = build_loop(settings)
    upgrade(loop.database)
    with (
        audit.recorded(loop.database, loop.clock, audit.command_line_actor(), Action.IMPORT, path.name) as details,
        progress_bar(console, f"Importing {_plural(columns.kind)}", total) as step,
    ):
        done = import_rows(loop, rows, columns, step)
        details |= {"kind": columns.kind, "records": done.records, "facts": done.facts, "rejected": len(done.rejected)}
    loop.database.dispose()
    console.print(f"{done.records:,} rows are in the warehouse, {done.facts:,} facts are new.")
    if done.rejected:
        aside = path.with_name(path.name + ".rejected.jsonl")
        aside.unlink(missing_ok=True)  # one of before may be readable by others
        aside.touch(OWN_EYES)
        with aside.open("w", encoding="utf-8") as out:
            for each in done.rejected:
                told = {"row": each.row.number, "reason": each.reason, "values": each.row.values}
                out.write(json.dumps(told, ensure_ascii=False, default=str) + "\n")
        first = done.rejected[0]
        console.print(
            f"{len(done.rejected):,} rows were set aside, in {aside}. The first: row {first.row.number}: {first.reason}",
            markup=False,
        )
    return not done.rejected


def _summary(source: str, done: list[Done]) -> Table:
    grid = Table(title=f"{source}'s past")
    for name in ("kind", "records", "new facts", ""):
        grid.add_column(name, justify="right" if "s" in name else "left")
    for each in done:
        grid.add_row(_plural(each.kind), f"{each.records:,}", f"{each.facts:,}", each.refused or "")
    return grid


def _plural(kind: EntityKind) -> str:
    words = {EntityKind.COMPANY: "companies", EntityKind.ACTIVITY: "activities", EntityKind.EMAIL: "e-mails"}
    return words.get(kind, f"{kind}s")
