"""One peer on one or more parts of a table: run in a process of its own, and stored so that it is never run twice."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import NotReady
from data.settings import ROOT
from tests.bench.models.environments import python_of
from tests.bench.models.registry import Peer
from tests.bench.models.splits import Part
from tests.bench.models.tables import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A peer without a budget takes minutes at most; one with a budget overruns it, but not by this much.
SECONDS_BESIDE_BUDGET = 900
BUDGETS = 3
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "LOKY_MAX_CPU_COUNT")


# A thread that spins while it waits for its turn takes the core from the one it waits for, where others use the
# machine too: a fit of a tenth of a second then takes a minute.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


@dataclass(frozen=True)
class How:
    """What holds for all tasks of a run."""

    results: Path
    budget_seconds: float
    threads: int
    seed: int = 0


@dataclass(frozen=True)
class Task:
    """`place` is where it belongs in the results: bench/table/split. The parts are run one after the other."""

    peer: Peer
    table: Table
    parts: tuple[Part, ...]
    place: str
    how: How
    table_digest: str

    @property
    def name(self) -> str:
        return f"{self.place} {self.peer.name}"

    @property
    def path(self) -> Path:
        """The file of its result: named by the peer, and by a digest of all that the result depends on."""
        budget = (self.how.budget_seconds, self.how.threads) if self.peer.has_budget else ()
        words = json.dumps([self.peer.fingerprint(), self.table_digest, _digest(self.parts), budget, self.how.seed])
        return self.how.results / self.place / f"{self.peer.name}-{hashlib.sha256(words.encode()).hexdigest()[:12]}.parquet"


COSTS = ("seconds", "cpu_seconds", "others_share", "peak_megabytes")


@dataclass(frozen=True)
class Outcome:
    """A stored result: per test row its part, its row number in the table and the probability; and the cost."""

    part: Ints
    row: Ints
    probability: Floats
    seconds: list[float] = field(default_factory=list)  # per part, fit and predict
    cpu_seconds: float = 0.0  # of all parts and threads: under a budget, how much of the machine the peer really had
    others_share: float = 0.0  # of the processors, taken by other programs meanwhile
    peak_megabytes: float = 0.0


def stored(task: Task) -> Outcome | None:
    """The result of an earlier run, None where there is none."""
    if not task.path.is_file():
        return None
    rows = pl.read_parquet(task.path)
    measured = json.loads(task.path.with_suffix(".json").read_text())
    columns = (rows[name].to_numpy() for name in ("part", "row", "probability"))
    return Outcome(*columns, **{name: measured[name] for name in COSTS})


def forget(task: Task) -> None:
    task.path.unlink(missing_ok=True)


def was_disturbed(task: Task, most: float) -> bool:
    """Whether other programs took more than this share of the processors from a peer whose time is limited."""
    done = stored(task) if task.peer.has_budget else None
    return done is not None and done.others_share > most


def run(task: Task, say: Callable[[str], None]) -> Outcome:
    """Runs the task and stores its result.

    Raises:
        NotReady: the peer failed, or answered with something that is no probability; says what it said last.
    """
    python = python_of(task.peer.lock, say)
    with tempfile.TemporaryDirectory(prefix="leadloop-bench-") as scratch:
        folder = Path(scratch)
        _write(task, folder)
        _start(task, python, folder)
        outcome = _read(task, folder)
        _store(task, outcome)
    return outcome


def _write(task: Task, folder: Path) -> None:
    for number, part in enumerate(task.parts):
        task.table.frame[part.train].write_parquet(folder / f"train-{number}.parquet")
        task.table.frame[part.test].drop(task.table.target).write_parquet(folder / f"test-{number}.parquet")
    job = {
        "target": task.table.target,
        "time": task.table.time,
        "budget_seconds": task.how.budget_seconds,
        "seed": task.how.seed,
        "threads": task.how.threads,
    }
    (folder / "task.json").write_text(json.dumps({"module": task.peer.module, "parts": len(task.parts), "job": job}))


def _start(task: Task, python: Path, folder: Path) -> None:
    limit = (BUDGETS * task.how.budget_seconds + SECONDS_BESIDE_BUDGET) * len(task.parts)
    threads = dict.fromkeys(THREAD_VARIABLES, str(task.how.threads))
    # Peers leave folders behind where they run: that is the scratch folder, and the modules are found by their path.
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    quiet = {"PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": "0", "PYTHONPATH": path}
    environment = {**os.environ, **threads, **WAITING, **quiet}
    log = folder / "log.txt"
    with log.open("w") as out:
        try:
            done = subprocess.run(
                [str(python), "-m", "tests.bench.models.worker", str(folder)],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=limit, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise NotReady(f"{task.name}: not done after {limit:.0f} seconds") from None
    if done.returncode:
        raise NotReady(f"{task.name}: {' | '.join(log.read_text(errors='replace').strip().splitlines()[-3:])}")


def _read(task: Task, folder: Path) -> Outcome:
    found = pl.read_parquet(folder / "probabilities.parquet")
    part, probability = found["part"].to_numpy(), found["probability"].to_numpy()
    if np.bincount(part, minlength=len(task.parts)).tolist() != [len(each.test) for each in task.parts]:
        raise NotReady(f"{task.name}: not one probability for each row")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise NotReady(f"{task.name}: some answers are no probabilities")
    row = np.concatenate([each.test for each in task.parts])
    return Outcome(part, row, probability, **json.loads((folder / "measured.json").read_text()))


def _store(task: Task, outcome: Outcome) -> None:
    """The Parquet file comes last and at once: where it is, the result is whole."""
    task.path.parent.mkdir(parents=True, exist_ok=True)
    measured = {**{name: getattr(outcome, name) for name in COSTS}, "how": asdict(task.how)}
    task.path.with_suffix(".json").write_text(json.dumps(measured, default=str))
    half = task.path.with_suffix(".half")
    pl.DataFrame({"part": outcome.part, "row": outcome.row, "probability": outcome.probability}).write_parquet(half)
    shutil.move(half, task.path)


def _digest(parts: tuple[Part, ...]) -> str:
    return hashlib.sha256(b"".join(rows.tobytes() for part in parts for rows in (part.train, part.test))).hexdigest()
