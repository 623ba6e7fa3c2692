"""The models are looked after: drift and live performance from what is stored, trainings one at a time, each thing told once."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import polars as pl
import pytest

from automation import models, monitoring, retraining
from automation.destinations.digest import BLOCK_PREFIX
from automation.jobs import notices as notice_jobs
from automation.jobs import scheduler, watch_process, worker
from automation.jobs.schedule import Job, jobs
from automation.jobs.watch import Watcher
from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.training import TrainingState
from data.errors import LeadloopError, NotReady
from data.samples import leads
from data.settings import Scope
from data.warehouse import model_checks, trainings
from data.warehouse.trainings import TrainingRow
from ml.monitoring.reference import REFERENCE
from ml.monitoring.when import Reason, Why
from ml.training.rows import HOLDOUT
from ml.version import CHECKSUMS
from tests.conftest import LoopFactory
from tests.integration.test_pipeline import post
from tests.support import FakeClock, bearer, generic, until

MODEL = "lead_score"
BY_HAND = Reason(why=Why.BY_HAND, said="by hand")
FEW = 200


def sample(rows: int, seed: int = 5) -> pl.DataFrame:
    """Leads of the world that the model has learned from, each with what became of it."""
    return leads.table(rows, seed)


def scored(loop: Loop, rows: pl.DataFrame, name: str = "lead", **changed: Any) -> None:
    """These leads come in now, and are scored."""
    items = [
        generic(f"{name}{number}", at=loop.clock.now(), **{**row, **changed})
        for number, row in enumerate(rows.select(leads.COLUMNS).to_dicts())
    ]
    post(loop, "generic", items)
    worker.sweep_inbox(loop)


def won(loop: Loop, places: list[int], name: str = "lead") -> None:
    post(loop, "generic", [generic(f"{name}{n}", at=loop.clock.now(), lifecyclestage="customer") for n in places])


def places_won(rows: pl.DataFrame) -> list[int]:
    return [number for number, one in enumerate(rows["is_won"].to_list()) if one]


@pytest.mark.slow
def test_leads_like_those_of_the_training_raise_no_alarm_and_others_do(loop: Loop, clock: FakeClock) -> None:
    scored(loop, sample(FEW))
    found = monitoring.check(loop, MODEL)
    assert (found.drift.rows, found.drift.drifted) == (FEW, ())
    clock.move(days=31)
    scored(loop, sample(FEW), "other", channel="billboard", page_views=40)
    drifted = {shift.name for shift in monitoring.check(loop, MODEL).drift.drifted}
    assert {"channel", "page_views", "score"} <= drifted
    assert monitoring.newest(loop, MODEL) == monitoring.check(loop, MODEL)


@pytest.mark.slow
def test_a_busy_lead_counts_once(loop: Loop, clock: FakeClock) -> None:
    scored(loop, sample(FEW))
    for _ in range(20):
        clock.move(seconds=1)
        scored(loop, sample(3), channel="billboard")
    found = monitoring.check(loop, MODEL).drift
    assert (found.rows, found.drifted) == (FEW, ())


def test_with_few_answers_it_says_how_many_are_needed(loop: Loop) -> None:
    scored(loop, sample(20))
    found = monitoring.check(loop, MODEL)
    assert "20 scored of the 200 that are needed" in found.drift.said
    assert found.live is not None
    assert "not enough to tell" in found.live.said
    assert found.decided.reason is None


@pytest.mark.slow
def test_only_answers_whose_end_is_in_sight_are_judged(loop: Loop, clock: FakeClock) -> None:
    """The wins of the newest are known already, their losses are not: with them the rate would be far too high."""
    old, new = sample(300), sample(300, seed=6)
    scored(loop, old, "old")
    clock.move(days=3)
    won(loop, places_won(old), "old")
    clock.move(days=50)
    scored(loop, new, "new")
    clock.move(days=3)
    won(loop, places_won(new), "new")
    clock.move(days=7)
    live = monitoring.check(loop, MODEL).live
    assert live is not None
    assert (live.version, live.rows, live.won, live.young) == ("1", 300, len(places_won(old)), 300)
    assert live.promised_rate is not None
    assert live.low < live.promised_rate < live.high
    assert not live.has_dropped, live.said


@pytest.mark.slow
def test_answers_that_come_true_the_other_way_round_are_a_reason_to_train(loop: Loop, clock: FakeClock) -> None:
    rows = sample(350)
    scored(loop, rows)
    clock.move(days=3)
    worst = rows.with_row_index().sort("true_probability")["index"].head(45).to_list()
    won(loop, worst)
    clock.move(days=60)
    found = monitoring.check(loop, MODEL)
    assert found.live is not None
    assert found.live.has_dropped
    assert found.decided.reason is not None
    assert found.decided.reason.why is Why.LIVE_DROP


@pytest.mark.slow
def test_what_the_last_training_has_learned_from_is_not_judged_again(loop: Loop, clock: FakeClock) -> None:
    scored(loop, sample(FEW))
    clock.move(days=61)
    remember(loop, TrainingState.CHALLENGER, examples=FEW)
    clock.move(days=2)
    found = monitoring.check(loop, MODEL)
    assert found.live is not None
    assert found.live.rows == 0
    assert "0 finished examples are new" in found.decided.said


@pytest.mark.slow
def test_a_version_from_before_there_were_references_is_judged_by_its_scores(loop: Loop) -> None:
    folder = loop.settings.models_dir / MODEL / "1"
    (folder / REFERENCE).unlink()
    (folder / CHECKSUMS).unlink()
    scored(loop, sample(FEW), channel="referral", page_views=40, sessions=9, engaged_sessions=9)
    found = monitoring.check(loop, MODEL).drift
    assert [shift.name for shift in found.drifted] == ["score"]
    assert found.inputs == ()


@pytest.mark.slow
@pytest.mark.slow
def test_a_drift_is_one_message_however_often_it_is_seen(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses, deliver_slack="worker", hot_threshold=0.999)
    scored(loop, sample(FEW), channel="<!channel>")
    for _ in range(3):
        clock.move(hours=6)
        monitoring.check(loop, MODEL)
        notice_jobs.sweep(loop)
    (message,) = sandbox.messages()
    text = str(message["blocks"])
    assert "leads are not what they were" in text
    assert "channel: “other” was" in text
    assert "<!channel>" not in text
    assert message["blocks"][1]["block_id"] == "leadloop:lead_score:1:drift"


@pytest.mark.parametrize("loses_the_answer", [False, True])
def test_a_notice_that_slack_did_not_take_comes_later_and_once(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock, loses_the_answer: bool
) -> None:
    loop = make_loop(addresses, hot_threshold=0.999)
    clock.follow_the_machine()
    with retraining.alone(loop.database), pytest.raises(RuntimeError):
        with retraining.remembered(loop.database, loop.clock, MODEL, BY_HAND, 5):
            raise RuntimeError("the disk is full")
    with loop.database.write() as session:
        row = trainings.newest(session, MODEL)
        assert row is not None
        retraining.notices.tell_training(loop, session, row, "")
    if not loses_the_answer:
        sandbox.fault = lambda _vendor, path: 503 if "postMessage" in path else None
        notice_jobs.sweep(loop)
        assert sandbox.messages() == []
        sandbox.fault = None
    else:
        notice_jobs.sweep(loop)  # sent, and then this process dies before that is stored
        with loop.database.write() as session:
            session.exec(notice_update(state="leased"))
    with loop.database.write() as session:
        session.exec(notice_update(next_attempt_at=loop.clock.now()))
    for _ in range(2):
        notice_jobs.sweep(loop)
    assert len(sandbox.messages()) == 1


def notice_update(**values: Any) -> Any:
    from sqlalchemy import update

    from data.warehouse.notices import NoticeRow

    return update(NoticeRow).values(**values)


def remember(loop: Loop, state: TrainingState, *, examples: int = 0) -> None:
    with loop.database.write() as session:
        row = TrainingRow(model=MODEL, why="time", said="time has come", examples=examples, started_at=loop.clock.now())
        trainings.end(session, trainings.start(session, row), state, loop.clock.now())


def states(loop: Loop) -> list[tuple[str, str | None]]:
    from sqlmodel import select

    with loop.database.read() as session:
        return [(row.state, row.error) for row in session.exec(select(TrainingRow).order_by(TrainingRow.id))]  # type: ignore[arg-type]


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


@pytest.mark.slow
def test_a_look_is_due_again_after_its_hours_or_when_what_it_asked_for_was_not_done(loop: Loop, clock: FakeClock) -> None:
    assert monitoring.is_due(loop, MODEL)
    scored(loop, sample(FEW))
    clock.move(days=61)
    asked = monitoring.check(loop, MODEL)
    assert asked.decided.reason is not None
    assert asked.decided.reason.why is Why.GROWN
    assert monitoring.is_due(loop, MODEL), "nobody has trained yet"
    clock.move(seconds=1)
    remember(loop, TrainingState.INTERRUPTED)
    assert monitoring.is_due(loop, MODEL), "the service was stopped meanwhile"
    remember(loop, TrainingState.PROMOTED, examples=FEW)
    assert not monitoring.is_due(loop, MODEL)
    clock.move(hours=loop.settings.watch_hours)
    assert monitoring.is_due(loop, MODEL)


@pytest.mark.slow
def test_a_training_may_be_left_to_people(make_loop: LoopFactory, clock: FakeClock) -> None:
    loop = make_loop(retrain=False)
    scored(loop, sample(FEW))
    clock.move(days=61)
    assert watch_process.watch(loop)
    assert states(loop) == []
    assert not monitoring.is_due(loop, MODEL)


def test_one_model_that_cannot_be_looked_at_is_told(loop: Loop) -> None:
    (loop.settings.models_dir / MODEL / "1" / REFERENCE).write_text("{")
    assert not watch_process.watch(loop)
    with loop.database.read() as session:
        assert model_checks.newest(session, MODEL) is None


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


def test_a_message_about_a_model_is_no_alert_of_a_lead(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> None:
    loop = make_loop(addresses)
    retraining.retrain(loop, MODEL, BY_HAND, 0)
    notice_jobs.sweep(loop)
    (message,) = sandbox.messages()
    assert not any(str(block.get("block_id", "")).startswith(BLOCK_PREFIX) for block in message["blocks"])


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


def test_rows_of_a_version_that_cannot_be_read_are_no_reason_not_to_look(loop: Loop) -> None:
    path = loop.settings.models_dir / MODEL / "1" / HOLDOUT
    path.write_bytes(path.read_bytes()[:-20])
    assert monitoring._rows(loop.settings.models_dir, MODEL, "1") is None


@pytest.mark.slow
def test_the_last_look_is_shown_over_http(api: httpx.Client, loop: Loop) -> None:
    before = api.get(f"/models/{MODEL}", headers=bearer(Scope.READ)).json()["monitoring"]
    assert before == {"check": None, "training": None}
    scored(loop, sample(FEW), channel="billboard")
    monitoring.check(loop, MODEL)
    with pytest.raises(LeadloopError), retraining.remembered(loop.database, loop.clock, MODEL, BY_HAND, 5):
        raise LeadloopError("the disk is full")
    shown = api.get(f"/models/{MODEL}", headers=bearer(Scope.READ)).json()["monitoring"]
    assert shown["check"]["drift"]["inputs"][0]["name"] == "channel"
    assert shown["check"]["drift"]["inputs"][0]["drifted"] is True
    assert "drift in 200 scored: " in shown["check"]["drift"]["said"]
    assert "not enough to tell" in shown["check"]["live"]["said"]
    assert "nothing new to learn from" in shown["check"]["decided"]["said"]
    assert (shown["training"]["state"], shown["training"]["error"]) == ("failed", "the disk is full")
