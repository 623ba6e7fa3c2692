"""Who lets go of what has been kept for long enough: the command, and the worker once a day, in one of all processes."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automation import audit, retention
from automation.jobs import privacy
from automation.jobs.schedule import Job, jobs
from automation.jobs.scheduler import _guarded
from automation.pipeline.context import Loop
from automation.retention import STEPS, prune
from data.db import Database
from data.domain.audit import Result
from data.errors import NotReady
from scripts import cli
from tests.ada import rows
from tests.conftest import LoopFactory
from tests.kept import EVERYTHING, FOR_EVER, KEPT_DAYS, SETTINGS, a_payload, all_that_may_go, keys
from tests.shelf import stored
from tests.support import FakeClock

pytestmark = pytest.mark.slow

MakeBare = Callable[..., Loop]
Command = Callable[..., str]


@pytest.fixture
def make_bare(make_loop: LoopFactory) -> MakeBare:
    """A loop without a model, with all kept for ever but what is said."""
    return lambda **settings: make_loop(model=False, **{**FOR_EVER, **settings})


@pytest.fixture
def leadloop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], make_bare: MakeBare, database: Database, tmp_path: Path
) -> Command:
    """Runs a command in this process, on the test's database and clock; what it says."""
    loop = make_bare()
    monkeypatch.setattr("automation.loop.build_loop", lambda settings: replace(loop, settings=settings))

    def run(*arguments: str, status: int = 0) -> str:
        settings = {name: str(KEPT_DAYS) for name in SETTINGS}
        for name, value in {**settings, "database_url": database.url, "var_dir": str(tmp_path)}.items():
            monkeypatch.setenv(f"LEADLOOP_{name.upper()}", value)
        monkeypatch.setenv("COLUMNS", "300")
        monkeypatch.setattr(sys, "argv", ["leadloop", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        assert ended.value.code == status, told.err
        return told.out + told.err

    return run


def counts(said: str, title: str) -> dict[str, int]:
    """`Gone: events 3, payloads 1.`"""
    told = said.split(f"{title}: ")[1].partition(".")[0]
    return {name: int(count) for name, count in (each.split() for each in told.split(", "))}


def test_the_command_says_what_would_go_and_removes_nothing(make_bare: MakeBare, clock: FakeClock, leadloop: Command) -> None:
    loop = make_bare(**EVERYTHING)
    stored(loop, *all_that_may_go())
    before = rows(loop.database)
    clock.move(days=KEPT_DAYS, seconds=1)
    said = counts(leadloop("prune", "--dry-run"), "Would go")
    assert said.keys() == {step.name for step in STEPS}
    assert rows(loop.database) == before


def test_the_command_leaves_who_did_it_in_the_trail(make_bare: MakeBare, clock: FakeClock, leadloop: Command) -> None:
    loop = make_bare(**EVERYTHING)
    goes = set[tuple[str, Any]]().union(*stored(loop, *all_that_may_go()))
    before = keys(loop.database)
    clock.move(days=KEPT_DAYS, seconds=1)
    said = counts(leadloop("prune"), "Gone")
    assert goes <= before - keys(loop.database)
    (row,) = audit.listed(loop.database)
    assert (row.actor, row.action, row.target, row.result) == (audit.command_line_actor(), "prune", "retention", Result.DONE)
    assert {step: count for step, count in row.details.items() if count} == said


def test_the_command_says_so_while_another_process_lets_go(loop: Loop, leadloop: Command) -> None:
    with loop.database.exclusive(retention.LOCK):
        assert "another process" in leadloop("prune", status=1)
    (row,) = audit.listed(loop.database)
    assert (row.action, row.result) == ("prune", Result.FAILED)


def test_the_worker_leaves_a_row_in_the_trail_where_something_went(make_bare: MakeBare, clock: FakeClock) -> None:
    loop = make_bare(retain_payloads_days=KEPT_DAYS)
    stored(loop, a_payload)
    privacy.prune(loop)
    assert list(audit.listed(loop.database)) == [], "nothing went"
    clock.move(days=KEPT_DAYS, seconds=1)
    with loop.database.exclusive(retention.LOCK):
        with pytest.raises(NotReady):
            prune(loop)
        privacy.prune(loop)
    assert list(audit.listed(loop.database)) == [], "another process is at it"
    privacy.prune(loop)
    privacy.prune(loop)
    (row,) = audit.listed(loop.database)
    assert (row.actor, row.action, row.result, row.details) == ("worker", "prune", Result.DONE, {"payloads": 1})


@pytest.mark.parametrize("name", ["retention.prune", "crm.reconcile"])
def test_each_turn_of_what_is_done_once_is_taken_by_one_of_all_processes(loop: Loop, clock: FakeClock, name: str) -> None:
    ran: list[int] = []
    (job,) = [job for job in jobs(loop.settings) if job.name == name]
    with processes(loop, 3) as others:
        for turn in range(1, 6):
            at_once(others, lambda number: replace(job, run=lambda _loop: ran.append(number)))
            assert len(ran) == turn
            clock.move(seconds=job.every_seconds)


@contextmanager
def processes(loop: Loop, count: int) -> Iterator[list[Loop]]:
    """As many on one database, each with connections of its own."""
    made = [replace(loop, database=Database(loop.database.url)) for _ in range(count)]
    yield made
    for one in made:
        one.database.dispose()


def at_once(loops: list[Loop], job_of: Callable[[int], Job]) -> None:
    """The schedulers of all of them come to a job at the same moment."""
    together = threading.Barrier(len(loops))

    def come(number: int, loop: Loop) -> None:
        together.wait()
        _guarded(job_of(number), loop)

    threads = [threading.Thread(target=come, args=each) for each in enumerate(loops)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
