"""`leadloop export`: a table of the warehouse as Parquet or CSV."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
from rich.console import Console

from automation import audit
from data.clock import SystemClock
from data.db import Database
from data.domain.audit import Action
from data.errors import BadInput, NotReady
from data.migrations import upgrade
from data.settings import Settings
from data.warehouse import export
from scripts.environment import OWN_EYES
from scripts.terminal import progress_bar


def run_export(settings: Settings, table: str, to: Path, console: Console) -> None:
    """All of the table or nothing: what was there stays until the new file is whole.

    Raises:
        BadInput: no such table; OUT is no place, or ends in neither .parquet nor .csv.
        NotReady: the disk does not take it.
    """
    _check(to)
    export.schema(table)  # says so if there is none
    database = Database(settings.database_url)
    upgrade(database)
    clock = SystemClock()
    try:
        with audit.recorded(database, clock, audit.command_line_actor(), Action.EXPORT, table) as details:
            with database.read() as session:
                details["rows"] = total = export.count(session, table)
            with progress_bar(console, f"Exporting {table}", total) as step:
                written = _write(database, table, to, step)
            details["rows"] = written
    except (OSError, pl.exceptions.PolarsError) as error:
        raise NotReady(f"--to {to} cannot be written ({error}); make room, or name another place") from error
    finally:
        database.dispose()
    console.print(f"{written:,} rows of {table} are in {to}.", markup=False, soft_wrap=True)


def _check(to: Path) -> None:
    if to.suffix.lower() not in WRITERS:
        raise BadInput(f"--to {to}: the name must end in {' or '.join(WRITERS)}", field="to")
    if to.is_dir() or not to.parent.is_dir():
        raise BadInput(f"--to {to}: {'this is a folder' if to.is_dir() else 'there is no such folder'}; name a file", field="to")


def _write(database: Database, table: str, to: Path, step: Callable[[int], None]) -> int:
    """In parts, so that a table of any size fits into memory; how many rows."""
    rows = 0
    with tempfile.TemporaryDirectory(prefix=".export-", dir=to.parent) as folder:
        parts = Path(folder)
        with database.read() as session:
            for number, frame in enumerate(export.frames(session, table)):
                frame.write_parquet(parts / f"{number:08}.parquet")
                rows += len(frame)
                step(len(frame))
        whole = parts / "whole"
        whole.touch(OWN_EYES)
        WRITERS[to.suffix.lower()](pl.scan_parquet(sorted(parts.glob("*.parquet"))), whole)
        whole.replace(to)
    return rows


def _parquet(table: pl.LazyFrame, path: Path) -> None:
    table.sink_parquet(path)


def _csv(table: pl.LazyFrame, path: Path) -> None:
    """Bytes as text: what is no UTF-8 is shown as \\xNN."""
    binary = [name for name, kind in table.collect_schema().items() if kind == pl.Binary]
    shown = pl.col(binary).map_elements(lambda body: body.decode("utf-8", "backslashreplace"), return_dtype=pl.String)
    (table.with_columns(shown) if binary else table).sink_csv(path)


WRITERS: dict[str, Callable[[pl.LazyFrame, Path], None]] = {".parquet": _parquet, ".csv": _csv}
