"""Runs all benchmarks and prints a table. Absolute times depend on the machine; the ratios are what to compare."""

import json
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from api.app import create_app
from automation.jobs import worker
from automation.loop import build_loop
from data import log
from data.migrations import upgrade
from data.settings import Scope
from ml.features.inputs import typed_rows
from ml.version import load
from tests.bench import swap
from tests.support import HOT, bearer, generic, put_model, serving, settings_for

ROUNDS = 300
BATCH = 100


@dataclass(frozen=True)
class Timing:
    """Milliseconds of each round, in pairs: ours, then the floor, then ours again."""

    name: str
    floor_name: str
    ours: list[float]
    floor: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(a / b for a, b in zip(self.ours, self.floor, strict=True))


def main() -> None:
    log.configure(json=True, level="CRITICAL")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        settings = settings_for(folder)
        put_model(settings.models_dir)
        loop = build_loop(settings)
        upgrade(loop.database)
        with (
            serving(create_app(settings, loop=loop, jobs=())) as url,
            httpx.Client(base_url=url, timeout=30, trust_env=False) as http,
        ):
            timings = [
                pairs("POST /score", lambda: score(http), "GET /health/live, the framework alone", lambda: live(http)),
                pairs("POST /collect, 1 event", lambda: collect(http, 1), "one durable SQLite insert", durable_insert(folder)),
                pairs(
                    f"POST /collect, {BATCH} events", lambda: collect(http, BATCH), "one durable SQLite insert",
                    durable_insert(folder), rounds=40,
                ),
                pairs(
                    "score with factors, in process", lambda: loop.predictor.champion("lead_score").predict([HOT]),
                    "XGBoost's own predict, no factors", bare_predict(folder),
                ),
            ]  # fmt: skip
            worker.sweep_inbox(loop)
        loop.database.dispose()
        shutil.rmtree(folder / "models")
    show(timings)
    swap.main()


def pairs(name: str, ours: Callable[[], object], floor_name: str, floor: Callable[[], object], *, rounds: int = ROUNDS) -> Timing:
    """Ours and the floor in turn, so that a machine that slows down slows both."""
    for _ in range(10):
        ours(), floor()
    measured = [(timed(ours), timed(floor)) for _ in range(rounds)]
    return Timing(name, floor_name, [a for a, _ in measured], [b for _, b in measured])


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def score(http: httpx.Client) -> None:
    http.post("/score", json=HOT, headers=bearer(Scope.SCORE)).raise_for_status()


def live(http: httpx.Client) -> None:
    http.get("/health/live").raise_for_status()


def collect(http: httpx.Client, events: int) -> None:
    body = json.dumps([generic(f"lead{number}@example.com") for number in range(events)])
    http.post("/collect/generic", content=body, headers=bearer(Scope.COLLECT)).raise_for_status()


def durable_insert(folder: Path) -> Callable[[], None]:
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE IF NOT EXISTS t (body BLOB)"):
        connection.execute(statement)
    body = json.dumps([generic()]).encode()

    def insert() -> None:
        connection.execute("INSERT INTO t VALUES (?)", (body,))

    return insert


def bare_predict(folder: Path) -> Callable[[], object]:
    version = load(folder / "models" / "lead_score" / "1")
    (member,) = version.scorer.members
    matrix = version.scorer.preparations[member.form].apply(typed_rows(version.card.inputs, [HOT]))
    return lambda: member.fitted.margins(matrix)


def show(timings: list[Timing]) -> None:
    grid = Table(title="Milliseconds, and the ratio pair by pair (median)")
    for column in ("what", "p50", "p95", "floor", "p50 ", "ratio"):
        grid.add_column(column, justify="left" if column in {"what", "floor"} else "right")
    for row in timings:
        p50, p95 = np.quantile(row.ours, [0.5, 0.95])
        grid.add_row(row.name, f"{p50:.2f}", f"{p95:.2f}", row.floor_name, f"{np.median(row.floor):.2f}", f"{row.ratio:.1f}")
    Console(width=120).print(grid)


if __name__ == "__main__":
    main()
