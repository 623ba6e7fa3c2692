"""How a backlog is worked off. `python -m tests.bench drain [--database sqlite] [--events 100000]`

First a small backlog (5,000 events) on an idle, empty system; then a large one. Both are put there while the worker is away (on
SQLite, the service), and timed from when it has begun until every event is parsed, scored and done. No vendor is configured:
how fast they take what is to be written is theirs to say.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlmodel import col, func, select

from data.domain.event import Driver, EventState
from data.warehouse import payloads
from data.warehouse.events import EventRow
from data.warehouse.payloads import UNPARSED, Payload, PayloadState
from tests.bench.service import BATCH, Service, service

SMALL = 5_000
LOOK_SECONDS = 0.2
PARTS = 10


@dataclass(frozen=True)
class Look:
    """How much was left at a moment, and how much memory the process that works it off had."""

    at: float
    left: int
    mib: float


def main(arguments: Sequence[str] = ()) -> int:
    wanted = _arguments(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        with service(Path(scratch), postgres=wanted.database == "postgres") as made:
            _drained(made, SMALL)  # warm: what is loaded once is loaded
            small = _drained(made, SMALL)
            large = _drained(made, wanted.events)
    idle, rate = _per_second(SMALL, small), _per_second(wanted.events, large)
    table = Table(title=f"{wanted.database}: a backlog of {wanted.events:,} events")
    for name in ("worked off", "events/s", "worker's memory, MiB"):
        table.add_column(name, justify="right")
    for part in range(PARTS):
        some = [
            look for look in large if wanted.events * (1 - (part + 1) / PARTS) <= look.left <= wanted.events * (1 - part / PARTS)
        ]
        if len(some) > 1:
            speed = (some[0].left - some[-1].left) / (some[-1].at - some[0].at)
            table.add_row(f"{(part + 1) / PARTS:.0%}", f"{speed:,.0f}", f"{max(look.mib for look in some):.0f}")
    console = Console(width=120)
    console.print(table)
    console.print(f"idle system: {idle:,.0f} events/s; backlog: {rate:,.0f} events/s; ratio {rate / idle:.2f}")
    return 0


def _drained(made: Service, events: int) -> list[Look]:
    """Puts so many into the database while who works them off is away, starts it, and looks until nothing is left."""
    process = made.process("api-1" if made.database.is_sqlite else "worker-1")
    process.end()
    with made.database.write() as session:
        for _ in range(events // BATCH):
            came = Payload(source="hubspot", driver=Driver.WORKER, body=made.batch(), received_at=datetime.now(UTC),
                           state=PayloadState.DEFERRED)  # fmt: skip
            payloads.add(session, came)
    before = _left(made)
    process.start()
    looks = [Look(time.monotonic(), before, 0.0)]
    while looks[-1].left:
        time.sleep(LOOK_SECONDS)
        left = _left(made)
        if left == before:  # it is still starting
            looks = []
        looks.append(Look(time.monotonic(), left, process.resident_bytes / 2**20))
    return looks


def _left(made: Service) -> int:
    """Events that are not done, those in payloads that nobody has parsed yet among them."""
    with made.database.read() as session:
        unparsed = session.exec(select(func.count()).where(col(Payload.state).in_(UNPARSED))).one()
        return unparsed * BATCH + session.exec(select(func.count()).where(EventRow.state == EventState.NEW)).one()


def _per_second(events: int, looks: Sequence[Look]) -> float:
    return (looks[0].left - looks[-1].left) / (looks[-1].at - looks[0].at)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=drain", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--events", type=int, default=100_000)
    return parser.parse_args(list(arguments))
