"""A service starts a process, which sees that there is much to learn, trains, and is gone; then a new champion answers."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from sqlmodel import select

import scripts.training
from automation import audit, models, retraining, training
from automation.jobs import champions, watch_process
from automation.jobs import notices as notice_jobs
from automation.jobs.watch import COMMAND, Watcher
from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.clock import SystemClock
from data.errors import NotReady
from data.settings import ROOT
from data.warehouse.trainings import TrainingRow
from ml.models.registry import MODELS
from ml.monitoring.when import Reason, Why
from ml.training import samples
from ml.training.train import train
from scripts.training import train_warehouse
from tests.conftest import LoopFactory, Run
from tests.integration.test_monitoring import MODEL, places_won, sample, scored, until, won
from tests.support import FakeClock

pytestmark = pytest.mark.slow
LEADS = 500
AGO = timedelta(days=100)


def with_history(loop: Loop, clock: FakeClock, rows: int = LEADS) -> None:
    """Leads that came in long ago, of which some were won soon after; then it is today."""
    clock.move(seconds=(datetime.now(UTC) - AGO - clock.now()).total_seconds())
    found = sample(rows)
    for start in range(0, rows, 100):
        scored(loop, found[start : start + 100], f"part{start}-")
        clock.move(hours=1)
    clock.move(days=3)
    for start in range(0, rows, 100):
        won(loop, places_won(found[start : start + 100]), f"part{start}-")
    clock.follow_the_machine()


def with_a_champion_that_knows_nothing(loop: Loop) -> None:
    """As it is in MLflow too: the base rate for everybody."""
    table = samples.lead_score(0, 2_000).table
    shuffled = replace(table, labels=np.random.default_rng(0).permutation(table.labels))
    model = replace(MODELS[MODEL], learners={})
    made = train(model, shuffled, data_hash="", now=SystemClock().now())
    training.register(loop.settings, training.registry(loop.settings), loop.database, model, made, SystemClock(), actor="cli:ada")
    champions.refresh(loop)


def rows_of(loop: Loop) -> list[TrainingRow]:
    with loop.database.read() as session:
        return list(session.exec(select(TrainingRow)))


def ticking(watchers: list[Watcher], loop: Loop) -> Callable[[], bool]:
    """Whether all that they have started is done."""

    def done() -> bool:
        time.sleep(0.2)
        return not any(watcher.is_running for watcher in watchers)

    return done


def test_a_process_of_its_own_trains_and_the_service_takes_the_new_champion(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses, model=False, retrain_budget_seconds=0, hot_threshold=0.999)
    loop = replace(loop, clients=replace(loop.clients, crms={}))
    with_a_champion_that_knows_nothing(loop)
    with_history(loop, clock)
    watchers = [Watcher(), Watcher()]  # as in two processes of the service
    for watcher in watchers:
        watcher(loop)
    until("the trainings end", ticking(watchers, loop), seconds=600)
    for watcher in watchers:
        watcher(loop)
    (row,) = rows_of(loop)
    assert (row.state, row.why, row.version, row.champion, row.error) == ("promoted", "grown", "2", "1", None)
    assert row.figures["auc"][1] > row.figures["auc"][0] == 0.5
    trail = [(row.actor, row.action, row.target, row.details["version"]) for row in audit.listed(loop.database)]
    assert trail == [("job:models.watch", "promote", MODEL, "2"), ("cli:ada", "promote", MODEL, "1")]
    assert loop.predictor.champion(MODEL).card.version == "1"
    champions.refresh(loop)
    assert loop.predictor.champion(MODEL).card.version == "2"
    seen = models.monitored(loop, MODEL)
    assert seen.check is not None
    assert seen.check.version == "1"
    assert seen.check.examples == row.examples == LEADS
    notice_jobs.sweep(loop)
    texts = [str(message["blocks"]) for message in sandbox.messages()]
    assert sum("was trained again: version 2 answers now" in text for text in texts) == 1
    for watcher in watchers:
        watcher(loop)
        assert not watcher.is_running, "all is done"


def test_a_training_that_fails_in_its_process_is_remembered_and_told(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    loop = make_loop(
        addresses, mlflow_tracking_uri=f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}", retrain_budget_seconds=0, hot_threshold=0.999
    )  # fmt: skip
    loop = replace(loop, clients=replace(loop.clients, crms={}))
    with_history(loop, clock, 200)
    watcher = Watcher()
    watcher(loop)
    until("the training ends", ticking([watcher], loop), seconds=600)
    watcher(loop)
    (row,) = rows_of(loop)
    assert (row.state, row.version) == ("failed", None)
    assert row.error
    notice_jobs.sweep(loop)
    assert any("could not be trained again" in str(message["blocks"]) for message in sandbox.messages())
    assert loop.predictor.champion(MODEL).card.version == "1"


def test_a_training_by_hand_is_remembered_too_and_waits_for_its_turn(
    make_loop: LoopFactory, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, MODEL, replace(MODELS[MODEL], learners=samples.QUICK))
    loop = make_loop(model=False, retrain_budget_seconds=0)
    with_a_champion_that_knows_nothing(loop)
    with_history(loop, clock, 200)
    found = train_warehouse(loop.settings, MODEL, keep=("sessions",), budget_seconds=0, seed=0, console=Console(quiet=True))
    (row,) = rows_of(loop)
    assert (row.why, row.state, row.examples, row.version) == ("by_hand", "promoted", 200, found.card.version)
    again = retraining.retrain(loop, MODEL, Reason(why=Why.TIME, said="time has come"), 200)
    assert (again.keep, again.state) == (["sessions"], "promoted"), "what a person keeps stays kept"
    monkeypatch.setattr(scripts.training, "PATIENCE_SECONDS", 0.0)
    with retraining.alone(loop.database), pytest.raises(NotReady, match="training"):
        train_warehouse(loop.settings, MODEL, keep=(), budget_seconds=0, seed=0, console=Console(quiet=True))


def test_the_process_ends_when_the_service_is_killed() -> None:
    line = "from automation.jobs.watch_process import end_with_the_service as end; import time; end(); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", line], cwd=ROOT, stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.close()  # as the operating system does for whoever dies
    assert child.wait(30) == watch_process.ABANDONED


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_command_is_the_process_and_it_stands_back(make_loop: LoopFactory) -> None:
    assert COMMAND[1:] == ("-m", watch_process.__name__)
    settings: Any = make_loop().settings
    read = "import os; from data.settings import load_settings as s; from automation.jobs.watch_process import stand_back as b;"
    line = f"{read} b(s()); print(os.nice(0), len(os.sched_getaffinity(0)), s().database_url, s().retrain_cores)"
    done = subprocess.run(
        [sys.executable, "-c", line], cwd=ROOT, env=settings.environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(watch_process.NICENESS), "1", settings.database_url, "1"]


def test_a_look_by_hand_is_a_table_and_what_comes_of_it(make_loop: LoopFactory, clock: FakeClock, leadloop: Run) -> None:
    loop = make_loop()
    clock.move(seconds=(datetime.now(UTC) - timedelta(hours=1) - clock.now()).total_seconds())
    scored(loop, sample(200), channel="billboard")
    places = {"VAR_DIR": str(loop.settings.var_dir), "DATABASE_URL": loop.database.url.replace("+psycopg", ""),
              "MLFLOW_TRACKING_URI": loop.settings.mlflow_tracking_uri}  # fmt: skip
    status, said, wrong = leadloop("models", "check", MODEL, **places)
    assert status == 0, wrong
    assert "channel" in said
    assert "drift in 200 scored" in said
    assert "nothing new to learn from" in said
    assert "drift in 200 scored" in leadloop("models", "show", MODEL, **places)[1]
    assert leadloop("models", "check", "nobody", **places)[0] == 1
