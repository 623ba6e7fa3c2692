"""`python -m tests.bench training`: the answers of a service while a model is trained beside it, against those without.

For comparison also beside the same training with all cores and at the usual priority.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from api.app import create_app
from automation.jobs.watch import THREADS
from automation.jobs.watch_process import end_with_the_service, stand_back
from automation.loop import build_loop
from data import log
from data.migrations import upgrade
from data.settings import ROOT, Scope, load_settings
from ml.models.lead_score import MODEL
from ml.training import samples
from ml.training.fit import fit_table
from tests.bench.swap import asked
from tests.support import bearer, put_model, serving, settings_for

ROUNDS = 5
ANSWERS = 400  # in each round and way
ROWS = 20_000
CHILD, KIND, USUAL = "child", "kind", "as usual"


def main(arguments: Sequence[str] = ()) -> int:
    """Prints milliseconds of POST /score and POST /predict in turn; with `child` it is the training itself."""
    if arguments and arguments[0] == CHILD:
        return train(stands_back=arguments[1] == KIND)
    log.configure(json=True, level="CRITICAL")
    found = measured()
    grid = Table(title=f"Milliseconds of {ROUNDS * ANSWERS:,} answers each, in {ROUNDS} rounds by turns; {os.cpu_count()} cores")
    for column in ("", "p50", "p95", "p99", "p50 to alone", "p95 to alone", "p99 to alone"):
        grid.add_column(column, justify="right" if column else "left")
    alone = np.quantile(found["no training"], [0.5, 0.95, 0.99])
    for name, times in found.items():
        marks = np.quantile(times, [0.5, 0.95, 0.99])
        grid.add_row(name, *(f"{mark:.2f}" for mark in marks), *(f"{ratio:.2f}" for ratio in marks / alone))
    Console(width=140).print(grid)
    return 0


def measured() -> dict[str, np.ndarray]:
    """Milliseconds of each answer, by what went on beside."""
    found: dict[str, list[float]] = {"no training": [], "a training of the service": [], "a training with all cores": []}
    with tempfile.TemporaryDirectory() as scratch:
        settings = settings_for(Path(scratch))
        put_model(settings.models_dir)
        loop = build_loop(settings)
        upgrade(loop.database)
        with (
            serving(create_app(settings, loop=loop, jobs=())) as url,
            httpx.Client(base_url=url, timeout=30, trust_env=False, headers=bearer(Scope.SCORE)) as http,
        ):
            for _ in range(ROUNDS):
                for name, way in zip(found, (None, KIND, USUAL), strict=True):
                    with training(way):
                        found[name] += [asked(http, number) for number in range(ANSWERS)]
        loop.database.dispose()
    return {name: np.array(times) for name, times in found.items()}


@contextmanager
def training(way: str | None) -> Iterator[None]:
    """Goes on beside until the end of the block; None: nothing."""
    if way is None:
        yield
        return
    env = {**os.environ, **(dict.fromkeys(THREADS, str(load_settings().retrain_cores)) if way == KIND else {})}
    command = (sys.executable, "-m", "tests.bench", "training", CHILD, way)
    child = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdout.readline()  # it says when it begins
    try:
        yield
    finally:
        child.stdin.close()
        child.wait()


def train(*, stands_back: bool) -> int:
    """Trains and tunes until its standard input ends."""
    end_with_the_service()
    if stands_back:
        stand_back(load_settings())
    table = samples.lead_score(0, ROWS).table
    print("begun", flush=True)
    while True:
        fit_table(table, settings=MODEL.learners, budget_seconds=60.0)
