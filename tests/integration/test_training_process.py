"""A training runs alone, in a process of its own, and what becomes of it is remembered."""

import sys
import time
from collections.abc import Callable, Iterator

import pytest

from automation import models, retraining
from automation.jobs import scheduler, watch_process
from automation.jobs.schedule import Job, jobs
from automation.jobs.watch import Watcher
from automation.pipeline.context import Loop
from data.domain.training import TrainingState
from data.errors import NotReady
from data.warehouse import trainings
from data.warehouse.trainings import TrainingRow
from tests.conftest import LoopFactory
from tests.support import until
from tests.watched import BY_HAND, MODEL, states


def test_of_two_at_once_one_trains(loop: Loop, make_loop: LoopFactory) -> None:
    with retraining.alone(loop.database):
        with pytest.raises(NotReady, match="training"), retraining.alone(make_loop().database):
            pytest.fail("both are alone")
    with retraining.alone(loop.database):
        pass


@pytest.mark.slow
def test_a_training_that_fails_is_remembered_with_its_reason(loop: Loop) -> None:
    row = retraining.retrain(loop, MODEL, BY_HAND, 0)
    assert row.state == TrainingState.FAILED
    assert "0 finished examples" in (row.error or "")
    shown = models.monitored(loop, MODEL).training
    assert shown is not None
    assert (shown.state, shown.why) == ("failed", "by_hand")


def test_one_that_somebody_broke_off_counts_for_nothing(loop: Loop) -> None:
    with pytest.raises(KeyboardInterrupt), retraining.remembered(loop.database, loop.clock, MODEL, BY_HAND, 5):
        raise KeyboardInterrupt
    assert states(loop) == [("interrupted", "it was interrupted by hand")]
    assert models.monitored(loop, MODEL).training is None


def test_a_training_whose_process_died_is_noticed_by_the_next(loop: Loop) -> None:
    with loop.database.write() as session:
        trainings.start(session, TrainingRow(model=MODEL, why="time", said="", examples=0, started_at=loop.clock.now()))
    assert watch_process.watch(loop)
    assert states(loop) == [("failed", retraining.DIED)]


Watched = Callable[[str], Watcher]


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Watchers of a process that does what a line of Python says."""
    made: list[Watcher] = []

    def make(line: str) -> Watcher:
        made.append(Watcher([sys.executable, "-c", line]))
        return made[-1]

    yield make
    for watcher in made:
        watcher.stop()


def running_training(loop: Loop) -> None:
    with loop.database.write() as session:
        trainings.start(session, TrainingRow(model=MODEL, why="time", said="", examples=0, started_at=loop.clock.now()))


def test_a_process_that_dies_is_noticed_and_not_started_again_at_once(loop: Loop, watched: Watched) -> None:
    watcher = watched("import sys; sys.exit(7)")
    watcher(loop)
    running_training(loop)
    until("it ends", lambda: not watcher.is_running)
    watcher(loop)
    assert states(loop) == [("failed", "its process ended with status 7")]
    watcher(loop)
    assert not watcher.is_running


def test_a_process_that_hangs_is_ended_and_told(make_loop: LoopFactory, watched: Watched) -> None:
    loop = make_loop(retrain_timeout_seconds=0.01)
    watcher = watched("import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); time.sleep(60)")
    watcher(loop)
    running_training(loop)
    time.sleep(0.02)
    watcher(loop)
    assert not watcher.is_running
    assert states(loop) == [("failed", "it took longer than 0.01 s and was ended")]


def test_the_end_of_the_service_ends_the_process_and_counts_for_nothing(loop: Loop, watched: Watched) -> None:
    watcher = watched("import time; time.sleep(60)")
    watcher(loop)
    running_training(loop)
    assert watcher.is_running
    watcher.stop()
    assert not watcher.is_running
    assert states(loop) == [("interrupted", "the service was stopped")]
    with loop.database.read() as session:
        assert trainings.newest(session, MODEL) is None


def test_a_service_that_has_just_started_is_left_alone_first(loop: Loop) -> None:
    first = {job.name: job.first_after_seconds for job in jobs(loop.settings)}
    assert first["models.watch"] >= 60
    assert first["notices.sweep"] == first["inbox.sweep"] == 0


def test_the_scheduler_ends_what_its_jobs_have_started(make_loop: LoopFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []
    started = Job("models.watch", 60, lambda loop: None, stop=lambda: stopped.append("models.watch"))
    monkeypatch.setattr(scheduler, "jobs", lambda settings: (started,))
    running = scheduler.build_scheduler(make_loop())
    running.start()
    running.shutdown()
    assert stopped == ["models.watch"]
    (watch,) = [job for job in jobs(make_loop().settings) if job.name == "models.watch"]
    assert isinstance(watch.run, Watcher)
    assert watch.stop == watch.run.stop
