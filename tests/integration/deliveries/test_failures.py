"""What fails is tried again or given up, and what was sent is not sent again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from sqlmodel import Session, select

from automation.destinations.crm import HUBSPOT
from automation.jobs import worker
from automation.pipeline.context import Loop
from automation.sandbox.state import Sandbox
from data.db import Database
from data.errors import NotReady
from data.settings import Scope
from data.warehouse.deliveries import DeliveryRow
from tests.outbox import by_destination, contact, score, settle, states
from tests.support import COLD, FakeClock, bearer


class AwayForAMoment:
    """A database that cannot be written to for some times, once something was sent."""

    def __init__(self, database: Database, sandbox: Sandbox, times: int) -> None:
        self._database, self._sandbox, self.left = database, sandbox, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def write(self, **options: Any) -> Any:
        if self.left and any(request.path.endswith("batch/update") for request in self._sandbox.requests):
            self.left -= 1
            raise NotReady("the database cannot be used now")
        return self._database.write(**options)


def test_what_was_sent_is_not_sent_again_because_the_database_was_away_for_a_moment(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    score(api, loop, driver="worker")
    clock.move(seconds=61)
    away = AwayForAMoment(loop.database, sandbox, times=2)
    worker.sweep_outbox(replace(loop, database=cast(Database, away)), HUBSPOT)
    assert away.left == 0
    assert states(api, "hubspot") == ["confirmed"]
    clock.move(seconds=61)
    worker.sweep_outbox(loop, HUBSPOT)
    assert sum(request.path.endswith("batch/update") for request in sandbox.requests) == 1


class CommitsUnheard:
    """A database whose answer to a commit gets lost, once something was sent: what it stored is there, and nobody knows."""

    def __init__(self, database: Database, sandbox: Sandbox) -> None:
        self._database, self._sandbox, self.left = database, sandbox, 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def write(self, **options: Any) -> Iterator[Session]:
        with self._database.write(**options) as session:
            yield session
        if self.left and any(request.path.endswith("batch/update") for request in self._sandbox.requests):
            self.left -= 1
            raise NotReady("the database cannot be used now")


@pytest.mark.parametrize(("status", "left"), [(None, "confirmed"), (400, "dead"), (503, "pending"), (429, "pending")])
def test_what_became_of_a_batch_is_stored_once_where_nobody_heard_of_the_commit(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, status: int | None, left: str
) -> None:
    contact(sandbox, **COLD)
    score(api, loop, driver="worker")
    sandbox.fault = lambda vendor, path: status if vendor == "hubspot" and path.endswith("update") else None
    unheard = CommitsUnheard(loop.database, sandbox)
    worker.sweep_outbox(replace(loop, database=cast(Database, unheard)), HUBSPOT)
    assert unheard.left == 0
    assert states(api, "hubspot") == [left]
    letters = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    assert [letter["stage"] for letter in letters] == ["activate"] * (left == "dead")
    with loop.database.read() as session:
        assert session.exec(select(DeliveryRow.attempts)).one() == (1 if status in (400, 503) else 0)


def test_a_failure_is_tried_again_later_and_given_up_in_the_end(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    row = by_destination(score(api, loop))["hubspot"]
    sandbox.fault = lambda vendor, path: 503 if vendor == "hubspot" and path.endswith("update") else None
    assert settle(api, row, "fail", error="the node failed").status_code == 200
    assert settle(api, row, "fail", error="the node failed").status_code == 200
    for _ in range(loop.settings.max_attempts):
        clock.move(seconds=601)
        worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["dead"]
    (letter,) = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    assert (letter["stage"], letter["delivery_id"]) == ("activate", row["delivery_id"])
    sandbox.fault = None
    replayed = api.post(f"/dead-letters/{letter['id']}/replay", headers=bearer(Scope.ADMIN)).json()
    assert replayed["replayed"]
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["confirmed"]
