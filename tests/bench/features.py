"""Features of 10^5, 10^6, 10^7 events: time and memory, against the same aggregation hand-written in DuckDB's SQL.

Each runs in a process of its own, for its peak memory, with two threads; the outputs are compared cell by cell.
`python -m tests.bench features [EVENTS ...]`; DuckDB comes with the extra `bench`.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from data.db import Database
from data.migrations import upgrade
from data.settings import ROOT
from data.warehouse import fact_frames
from ml.features.build import build
from tests.bench import features_sql
from tests.bench.features_data import OF_CONTACT, OF_DEAL, examples, facts

Run = Callable[[], pl.DataFrame]
Side = Callable[[str, pl.DataFrame, pl.DataFrame], Run]

SIZES = (100_000, 1_000_000)
MODELS = {"lead_score": "contact", "win_probability": "deal"}
# The properties that no subject reads, in the order of the columns.
OWN = {
    "lead_score": sorted({*OF_CONTACT[4:]} - {"associatedcompanyid", "hubspot_owner_id"}),
    "win_probability": sorted({*OF_DEAL} - {"associatedcompanyid", "hubspot_owner_id", "dealstage", "amount"}),
}
SAME = 1e-9  # DuckDB divides the same whole numbers in another order here and there
MOST_ROWS_STORED = 1_000_000  # filling SQLite with more would take longer than all the rest


def main(arguments: Sequence[str] = ()) -> int:
    """Prints a row per size and model. Without DuckDB our own figures only."""
    if arguments and arguments[0] in SIDES:
        side, model, folder = arguments
        print(json.dumps(measured(SIDES[side], model, Path(folder))))
        return 0
    grid = Table(title="Features as of each example's moment; seconds (CPU seconds), peak memory of the process")
    for column in ("events", "model", "examples", "columns", "Leadloop", "DuckDB", "ratio", "CPU ratio", "peak", "DuckDB's peak"):
        grid.add_column(column, justify="right")
    for events in [int(float(each)) for each in arguments] or SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            for row in compared(events, Path(scratch)):
                grid.add_row(*row)
    Console(width=150).print(grid)
    if find_spec("duckdb") is None:
        print("DuckDB is not installed: pip install 'leadloop[bench]' to compare with it")
    return 0


def compared(events: int, folder: Path) -> list[list[str]]:
    """Measures both sides on the same data.

    Raises:
        AssertionError: they do not agree.
    """
    frame = facts(events)
    frame.write_parquet(folder / "facts.parquet")
    rows = []
    for model, kind in MODELS.items():
        examples(frame, kind).with_row_index("row").write_parquet(folder / f"{model}.parquet")
    read = read_seconds(frame, folder) if events <= MOST_ROWS_STORED else None
    del frame
    for model in MODELS:
        ours = in_a_process("leadloop", model, folder)
        theirs = in_a_process("duckdb", model, folder) if find_spec("duckdb") is not None else None
        if theirs is not None:
            assert_same(folder, model)
        rows.append(shown(events, model, ours, theirs))
    if read is not None:
        print(f"{events:,} facts from SQLite to columns: {read:.2f} s")
    return rows


def in_a_process(side: str, model: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench", "features", side, model, str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def measured(run: Side, model: str, folder: Path) -> dict[str, float]:
    """Seconds from tables in memory to a table in memory."""
    asked, told = pl.read_parquet(folder / f"{model}.parquet"), pl.read_parquet(folder / "facts.parquet")
    ready = run(model, asked, told)
    started, worked = time.perf_counter(), time.process_time()
    made = ready()
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    side = next(name for name, each in SIDES.items() if each is run)
    made.write_parquet(folder / f"{model}.{side}.parquet")
    return {"seconds": seconds, "cpu": cpu, "peak_gb": peak, "rows": len(made), "columns": made.width}


def leadloop(model: str, asked: pl.DataFrame, told: pl.DataFrame) -> Run:
    return lambda: build(model, asked, told)


def duckdb(model: str, asked: pl.DataFrame, told: pl.DataFrame) -> Run:
    import duckdb as engine

    connection = engine.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("facts_view", told.to_arrow())
    connection.register("examples_view", asked.to_arrow())
    connection.execute("CREATE TABLE facts AS FROM facts_view; CREATE TABLE examples AS FROM examples_view")
    query = getattr(features_sql, model)(OWN[model])

    def run() -> pl.DataFrame:
        connection.execute(features_sql.PREPARE)
        made = pl.from_arrow(connection.sql(query).to_arrow_table())
        assert isinstance(made, pl.DataFrame)
        return made.drop("row")

    return run


SIDES = {"leadloop": leadloop, "duckdb": duckdb}


def assert_same(folder: Path, model: str) -> None:
    """The same columns, the same texts, the same numbers."""
    ours, theirs = (pl.read_parquet(folder / f"{model}.{side}.parquet") for side in SIDES)
    assert set(ours.columns) == set(theirs.columns), set(ours.columns) ^ set(theirs.columns)
    for name in ours.columns:
        mine, other = ours[name], theirs[name].cast(ours[name].dtype)
        assert mine.null_count() == other.null_count(), name
        if mine.dtype == pl.String:
            assert mine.equals(other), name
        else:
            assert mine.is_null().equals(other.is_null()), name
            assert not ((mine - other).abs() > SAME * (1 + other.abs())).any(), name


def read_seconds(frame: pl.DataFrame, folder: Path) -> float:
    """Stores the facts in SQLite, and reads them back by columns."""
    database = Database(f"sqlite:///{folder / 'facts.db'}")
    upgrade(database)
    fill(database, frame)
    started = time.perf_counter()
    with database.read() as session:
        assert len(fact_frames.of_all(session)) == frame.select((~pl.col("by_us")).sum()).item()
    database.dispose()
    return time.perf_counter() - started


def fill(database: Database, frame: pl.DataFrame) -> None:
    """Straight into the tables, without keys between them: filling is not what is measured."""
    entities = frame.select("entity", "source", "kind").unique()
    rows = frame.with_columns(pl.col("occurred_at", "known_at").to_physical())
    columns = ("id", "entity", "event", "name", "value", "target", "occurred_at", "known_at", "origin", "by_us")
    raw = database.engine.raw_connection()
    raw.execute("PRAGMA foreign_keys = OFF")
    raw.execute("BEGIN")
    raw.cursor().executemany(
        "INSERT INTO entities (id, source, kind, vendor_id, created_at) VALUES (?, ?, ?, ?, '2026-01-01 00:00:00.000000')",
        [(number, source, kind, str(number)) for number, source, kind in entities.iter_rows()],
    )
    raw.cursor().executemany(
        "INSERT INTO facts (id, entity_id, event_id, name, value, target_id, occurred_at, known_at, origin, by_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows.select(columns).iter_rows(),
    )
    raw.execute("COMMIT")
    raw.close()


def shown(events: int, model: str, ours: dict[str, float], theirs: dict[str, float] | None) -> list[str]:
    def cells(side: dict[str, float] | None) -> tuple[str, str]:
        return (f"{side['seconds']:.2f} ({side['cpu']:.2f})", f"{side['peak_gb']:.2f} GB") if side else ("-", "-")

    (time_ours, peak_ours), (time_theirs, peak_theirs) = cells(ours), cells(theirs)
    ratios = [f"{ours[each] / theirs[each]:.2f}" if theirs else "-" for each in ("seconds", "cpu")]
    counts = [f"{events:,}", model, f"{int(ours['rows']):,}", str(int(ours["columns"]))]
    return [*counts, time_ours, time_theirs, *ratios, peak_ours, peak_theirs]
