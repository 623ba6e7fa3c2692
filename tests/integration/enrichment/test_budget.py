"""What others may be asked in a day is one budget for all processes."""

import threading
from datetime import timedelta

import pytest

from automation.jobs import enrichments, worker
from automation.sandbox.state import Sandbox
from data.db import Database
from data.warehouse import company_data_use
from data.warehouse.enrichment_tries import EnrichmentTry
from data.warehouse.events import EventRow
from tests.integration.enrichment.asking import asked, lead, logged, logging, post, rows
from tests.integration.enrichment.conftest import MakeLoop
from tests.support import NOON, FakeClock


def test_one_budget_is_shared_by_all_processes(
    with_data: MakeLoop, sandbox: Sandbox, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = with_data(hunter_per_day=2), with_data(hunter_per_day=2)
    with logging():
        for number, loop in enumerate((first, second, first, second)):
            post(loop, lead(f"lead{number}", domain=f"{number}.example"))
            worker.sweep_inbox(loop)
    assert [(line["provider"], line["per_day"]) for line in logged(capsys, "company_data.budget.spent")] == [("hunter", 2)]
    assert asked(sandbox) == ["0.example", "1.example"]
    notes = [row.notes for row in rows(first, EventRow)]
    assert notes[:2] == [{}, {}]
    assert notes[2] == notes[3] == {"company_profile": "hunter: the day's budget of 2 calls is spent"}
    waiting = rows(first, EnrichmentTry)
    assert {row.next_attempt_at for row in waiting} == {NOON + timedelta(hours=12)}, "the next day, in UTC"
    clock.move(hours=12)
    enrichments.sweep(second)
    assert sorted(asked(sandbox)[2:]) == ["2.example", "3.example"]
    assert rows(first, EnrichmentTry) == []


def test_a_spent_budget_uses_up_no_tries(with_data: MakeLoop, clock: FakeClock) -> None:
    loop = with_data(hunter_per_day=1, enrich_tries=1)
    with loop.database.write() as session:
        today = NOON.date()
        assert not company_data_use.spend(session, "clearbit", today, 0)
        assert company_data_use.spend(session, "hunter", today, 1)
        assert not company_data_use.spend(session, "hunter", today, 1)
        assert [company_data_use.tell(session, "hunter", today) for _ in range(2)] == [True, False]
        assert company_data_use.spend(session, "hunter", today + timedelta(days=1), 1)
    post(loop, lead())
    worker.sweep_inbox(loop)
    clock.move(hours=13)  # the next day, whose one call is made already
    enrichments.sweep(loop)
    (waiting,) = rows(loop, EnrichmentTry)
    assert (waiting.attempts, waiting.next_attempt_at) == (0, NOON + timedelta(hours=36))


def test_calls_are_counted_by_the_database_itself(database: Database) -> None:
    spent: list[bool] = []

    def spend() -> None:
        for _ in range(10):
            with database.write() as session:
                spent.append(company_data_use.spend(session, "hunter", NOON.date(), 25))

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (spent.count(True), spent.count(False)) == (25, 15)
