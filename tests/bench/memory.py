"""`python -m tests.bench memory [ROWS ...]`: what `leadloop train --csv` takes of the machine, from the file to the registry."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data.samples import leads
from data.settings import ROOT

ROWS = (93_000, 500_000)
BUDGET_SECONDS = 60
MIB = 2**10  # of the kibibytes in which the system counts


@dataclass(frozen=True)
class Taken:
    """`peak_mib`: of the process, all of its threads and what it started."""

    rows: int
    seconds: float
    peak_mib: float


def main(arguments: Sequence[str] = ()) -> int:
    """Prints seconds and the peak of memory for each number of rows; 1 if a training failed."""
    grid = Table(title=f"leadloop train --csv --time --budget {BUDGET_SECONDS}; {os.cpu_count()} cores")
    for column in ("rows", "seconds", "peak memory"):
        grid.add_column(column, justify="right")
    for rows in [int(float(one)) for one in arguments] or ROWS:
        taken = measured(rows)
        if taken is None:
            return 1
        grid.add_row(f"{taken.rows:,}", f"{taken.seconds:.1f}", f"{taken.peak_mib:,.0f} MiB")
    Console(width=140).print(grid)
    return 0


def measured(rows: int) -> Taken | None:
    """One training of the synthetic leads, in a process and a folder of its own; None if it fails, which it has then said."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "leads.csv"
        leads.table(rows, 0).drop("true_probability").write_csv(path)
        places = {
            "VAR_DIR": scratch,
            "DATABASE_URL": f"sqlite:///{scratch}/l.db",
            "MLFLOW_TRACKING_URI": f"sqlite:///{scratch}/m.db",
        }
        command = (
            sys.executable, "-m", "scripts.cli", "train", "--csv", str(path), "--target", "is_won", "--time", "created_at",
            "--budget", str(BUDGET_SECONDS),
        )  # fmt: skip
        started = time.monotonic()
        env = {**os.environ, **{f"LEADLOOP_{name}": value for name, value in places.items()}}
        child = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        return Taken(rows, time.monotonic() - started, usage.ru_maxrss / MIB) if child.returncode == 0 else None
