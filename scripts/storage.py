"""What goes into the database and out of it: `leadloop backfill`, `import`, `replay`, `export`, `backup` and `restore`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scripts.environment import Usage, settings_for_command, wrong_is_usage

console = Console()


def backfill(
    source: Annotated[str, typer.Argument(help="hubspot or pipedrive.")],
) -> None:
    """Load a CRM's past: records, histories, links, activities. Goes on where it was stopped; a second run changes nothing."""
    from scripts.history import run_backfill

    raise typer.Exit(0 if run_backfill(settings_for_command(), source, console) else 1)


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV (also .gz, .zip), Parquet or JSONL.")],
    mapping: Annotated[Path, typer.Option(help="What its columns mean, in YAML: docs/history.md.")],
) -> None:
    """Load a file that was taken out of a CRM, as the past of its records. Status 1 if a row was set aside."""
    from scripts.history import run_import

    raise typer.Exit(0 if run_import(settings_for_command(), file, mapping, console) else 1)


def replay(
    dead_letters: Annotated[bool, typer.Option("--dead-letters", help="Replay what was set aside.")] = False,
    events: Annotated[bool, typer.Option("--events", help="Replay all that came in a range of time.")] = False,
    since: Annotated[datetime | None, typer.Option(help="With --events: from this moment on (UTC), else from the first.")] = None,
    until: Annotated[datetime | None, typer.Option(help="With --events: before this moment (UTC), else to the last.")] = None,
    source: Annotated[str | None, typer.Option(help="With --events: hubspot, pipedrive or generic alone.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")] = False,
) -> None:
    """Send stored bytes through today's code once more: what was set aside, or all of a range of time.

    With --events, what today's code reads otherwise is corrected in the rows that are there.
    """
    from scripts.replaying import replay_events, replay_letters

    if dead_letters == events:
        raise Usage("say what to replay: --dead-letters or --events")
    if (since or until or source) and not events:
        raise Usage("--since, --until and --source belong to --events")
    if events:
        replay_events(settings_for_command(), since, until, source, console, dry_run=dry_run)
    else:
        replay_letters(settings_for_command(), console, dry_run=dry_run)


def export(
    table: Annotated[str, typer.Argument(help="A table of the warehouse, as events, facts or predictions.")],
    to: Annotated[Path, typer.Option(help="Where to write: F.parquet or F.csv. What is there is replaced.")],
) -> None:
    """Write any table of the warehouse to a file that is readable by you alone: it has personal data."""
    from scripts.exporting import run_export

    settings = settings_for_command()
    with wrong_is_usage():
        run_export(settings, table, to, console)


def backup(to: Annotated[Path, typer.Option(help="A folder that does not exist yet; it is readable by you alone.")]) -> None:
    """Copy database, models and MLflow's files into a folder, while the service runs."""
    from scripts.backup import run_backup

    run_backup(settings_for_command(), to, console)


def restore(folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `leadloop backup` wrote.")]) -> None:
    """Put a back-up into an empty database and folder, with the service stopped."""
    from scripts.backup import run_restore

    run_restore(settings_for_command(), folder, console)
