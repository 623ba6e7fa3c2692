"""How much the collector takes, and how soon it answers. `python -m tests.bench intake [--database sqlite] [--seconds 30]`

Two loads of signed batches of 100 events, over HTTP, with the workers at work beside:

- a steady 1,000 events a second: how long each batch waits for its 202;
- as fast as they are taken: how many events a second are durable, against a bare loop that puts the same events, a row each,
  into a table of the same database, 100 rows to a statement and a commit, with nothing else running.
"""

import argparse
import itertools
import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psycopg
from rich.console import Console
from rich.table import Table

from tests.bench.service import BATCH, Sender, Service, service

STEADY_PER_SECOND = 1_000
SENDERS = 8


@dataclass
class Load:
    """Seconds that each batch waited, and how many of them the worker was left to parse."""

    waits: list[float] = field(default_factory=list)
    deferred: int = 0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.waits) * BATCH / self.seconds

    def wait_ms(self, quantile: float) -> float:
        return float(np.quantile(self.waits, quantile)) * 1000


def main(arguments: Sequence[str] = ()) -> int:
    wanted = _arguments(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        postgres = wanted.database == "postgres"
        with service(folder, postgres=postgres) as made:
            bare = [_bare(made, wanted.seconds / 2)]
            steady = _steady(made, wanted.seconds)
            flood = _flood(made, wanted.seconds)
            peaks = made.peak_mib()
            # Again with the service gone, so that what it left to do counts for neither.
            bare.append(_bare(made, wanted.seconds / 2))
    table = Table(title=f"{wanted.database}: batches of {BATCH} events, {wanted.seconds:g} s each, milliseconds until the 202")
    for name in ("load", "events/s", "p50", "p95", "p99", "max", "deferred"):
        table.add_column(name, justify="left" if name == "load" else "right")
    for name, load in ((f"steady {STEADY_PER_SECOND:,}/s", steady), (f"flood, {SENDERS} senders", flood)):
        waits = (f"{load.wait_ms(q):.0f}" for q in (0.5, 0.95, 0.99, 1.0))
        table.add_row(name, f"{load.per_second:,.0f}", *waits, f"{load.deferred / len(load.waits):.0%}")
    console = Console(width=120)
    console.print(table)
    console.print(f"bare loop, rows/s: {', '.join(f'{one:,.0f}' for one in bare)}")
    console.print(f"durable intake / bare loop: {flood.per_second / np.mean(bare):.2f}")
    console.print(f"most memory, MiB: {', '.join(f'{name} {size:.0f}' for name, size in peaks.items())}")
    return 0


def _steady(made: Service, seconds: float) -> Load:
    """Batches at even intervals, whether or not the one before has been answered."""
    load, every = Load(), BATCH / STEADY_PER_SECOND
    bodies = [made.batch() for _ in range(int(seconds / every))]
    senders = _Senders(made.address)
    started = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as pool:
        for place, body in enumerate(bodies):
            time.sleep(max(0.0, started + place * every - time.monotonic()))
            pool.submit(senders.send, body, load, started + place * every)
    load.seconds = time.monotonic() - started
    senders.close()
    return load


def _flood(made: Service, seconds: float) -> Load:
    load, senders = Load(), _Senders(made.address)
    bodies = [made.batch() for _ in range(2_000)]
    places = itertools.count()
    started = time.monotonic()

    def send() -> None:
        while time.monotonic() - started < seconds:
            place = next(places)
            # No two batches are the same; beyond those that are ready they are made while the others wait.
            senders.send(bodies[place] if place < len(bodies) else made.batch(), load, time.monotonic())

    with ThreadPoolExecutor(SENDERS) as pool:
        for job in [pool.submit(send) for _ in range(SENDERS)]:
            job.result()
    load.seconds = time.monotonic() - started
    senders.close()
    return load


class _Senders:
    """A connection for each thread."""

    def __init__(self, url: str) -> None:
        self._url, self._own, self._all = url, threading.local(), list[Sender]()
        self._lock = threading.Lock()

    def send(self, body: bytes, load: Load, due: float) -> None:
        """Waits are counted from when the batch was due: one that could not be sent in time has waited, too."""
        if not hasattr(self._own, "sender"):
            self._own.sender = Sender(self._url)
            with self._lock:
                self._all.append(self._own.sender)
        answer = self._own.sender.post(body)
        with self._lock:
            load.waits.append(time.monotonic() - due)
            load.deferred += answer["deferred"]

    def close(self) -> None:
        for sender in self._all:
            sender.close()


def _bare(made: Service, seconds: float) -> float:
    """Rows a second of a loop that does nothing but insert."""
    events = [json.dumps(event).encode() for _ in range(50) for event in json.loads(made.batch())]
    batches = itertools.cycle([events[place : place + BATCH] for place in range(0, len(events), BATCH)])
    if made.database.is_sqlite:
        with closing(sqlite3.connect(made.folder / "leadloop.db", isolation_level=None, timeout=60)) as connection:
            for pragma in ("journal_mode=WAL", "synchronous=FULL"):  # as durable as ours
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
            statement = f"INSERT INTO bare (body) VALUES {', '.join(['(?)'] * BATCH)}"
            return _rate(lambda: connection.execute(statement, next(batches)), seconds)
    url = made.database.url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, body bytea NOT NULL)")
        inserting = f"INSERT INTO bare (body) VALUES {', '.join(['(%s)'] * BATCH)}"
        return _rate(lambda: server.execute(inserting, next(batches)), seconds)


def _rate(insert: Callable[[], object], seconds: float) -> float:
    started, rows = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        insert()
        rows += BATCH
    return rows / (time.monotonic() - started)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=intake", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each load")
    return parser.parse_args(list(arguments))
