"""More than can be parsed comes at once: the bytes are kept, the answer says so, and the worker does the rest."""

import asyncio
import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from automation.intake import Intake
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.turns import REST_SECONDS, Turns
from data.db import Database
from data.domain.event import Driver
from data.errors import NotReady
from data.settings import Scope
from data.warehouse import payloads
from data.warehouse.payloads import Payload
from tests.conftest import LoopFactory
from tests.support import COLD, HOT, NOON, FakeClock, bearer, generic


@pytest.fixture
def loop(make_loop: LoopFactory, clock: FakeClock) -> Loop:
    return replace(make_loop(), turns=Turns(lambda: clock.now().timestamp()))


@contextmanager
def busy(loop: Loop, clock: FakeClock) -> Iterator[None]:
    """Somebody else's payload is being parsed meanwhile."""
    with loop.turns.one() as taken:
        assert taken
        yield
    clock.move(seconds=REST_SECONDS)


def body_of(*items: dict[str, Any]) -> bytes:
    return json.dumps(items).encode()


def rows(loop: Loop, query: str) -> list[Any]:
    with loop.database.read() as session:
        return list(session.execute(text(query)).all())


def test_who_finds_the_turn_taken_is_answered_at_once_and_parsed_by_the_worker(
    loop: Loop, clock: FakeClock, api: httpx.Client
) -> None:
    with busy(loop, clock):
        answer = api.post(
            "/collect/generic?driver=n8n", content=body_of(generic("ada@example.com", **HOT)), headers=bearer(Scope.COLLECT)
        )
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 0, "duplicates": 0, "rejected": 0, "events": [], "deferred": True}
    assert rows(loop, "SELECT state, driver FROM payloads") == [("deferred", "worker")], "n8n was told of no event to walk"
    with loop.database.read() as session:
        assert payloads.waiting(session)[0] == 1
    worker.sweep_payloads(loop)
    worker.sweep_inbox(loop)
    assert rows(loop, "SELECT state FROM payloads") == [("parsed",)]
    assert len(rows(loop, "SELECT id FROM predictions")) == 1
    with loop.database.read() as session:
        assert payloads.waiting(session) == (0, None)


def test_whoever_comes_while_no_turns_are_given_waits_for_none_and_is_stored_too(
    loop: Loop, clock: FakeClock, api: httpx.Client
) -> None:
    with busy(loop, clock):
        for number in range(3):
            body = body_of(generic(f"lead{number}@example.com", **COLD))
            assert api.post("/collect/generic?driver=n8n", content=body, headers=bearer(Scope.COLLECT)).json()["deferred"]
            assert loop.turns.are_over
    assert not loop.turns.are_over
    assert rows(loop, "SELECT state, driver, count(*) FROM payloads GROUP BY state, driver") == [("deferred", "worker", 3)]
    worker.sweep_payloads(loop)
    assert rows(loop, "SELECT count(*) FROM events") == [(3,)]


@pytest.mark.parametrize("path", ["/collect/salesforce", "/collect/hubspot"])
def test_also_while_no_turns_are_given_only_what_is_authenticated_is_stored(
    loop: Loop, clock: FakeClock, api: httpx.Client, path: str
) -> None:
    with busy(loop, clock):
        assert loop.turns.are_over or api.post("/collect/generic", content=b"[]", headers=bearer(Scope.COLLECT)).json()["deferred"]
        assert api.post(path, content=b"[]", headers=bearer(Scope.COLLECT)).status_code in {401, 404}
    assert rows(loop, "SELECT source FROM payloads") == [("generic",)]


def test_what_is_parsed_later_ends_as_what_was_parsed_at_once(loop: Loop, clock: FakeClock) -> None:
    first, second = generic("ada@example.com", at=NOON, **HOT), generic("ada@example.com", at=NOON.replace(minute=1), **COLD)
    with busy(loop, clock):
        assert collect(loop, "generic", body_of(first), Driver.WORKER).deferred
    assert collect(loop, "generic", body_of(second), Driver.WORKER).accepted == 1
    with busy(loop, clock):
        collect(loop, "generic", body_of(second, {"id": "x"}), Driver.WORKER)
    worker.sweep_payloads(loop)
    worker.sweep_inbox(loop)
    assert rows(loop, "SELECT type, state FROM events ORDER BY occurred_at") == [("contact.changed", "done")] * 2
    assert rows(loop, "SELECT stage FROM dead_letters") == [("validate",)]
    ((last,), (before,)) = rows(loop, "SELECT score FROM predictions ORDER BY id")
    assert last == before < 0.5, "the later values count, whichever was parsed first"


def test_two_workers_share_what_waits(loop: Loop, clock: FakeClock) -> None:
    with busy(loop, clock):
        for number in range(30):
            collect(loop, "generic", body_of(generic(f"lead{number}@example.com", **COLD)), Driver.WORKER)
    threads = [threading.Thread(target=worker.sweep_payloads, args=(loop,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(loop, "SELECT state, count(*) FROM payloads GROUP BY state") == [("parsed", 30)]
    assert rows(loop, "SELECT count(*) FROM events") == [(30,)]


def test_one_that_cannot_be_stored_now_holds_up_no_other(loop: Loop, clock: FakeClock) -> None:
    with busy(loop, clock):
        for number in range(3):
            collect(loop, "generic", body_of(generic(f"lead{number}@example.com", **COLD)), Driver.WORKER)
    change(loop, "UPDATE payloads SET driver = 'nobody' WHERE id = 2")  # such a driver there is not: a fault of ours
    worker.sweep_payloads(loop)
    assert rows(loop, "SELECT id, state FROM payloads ORDER BY id") == [(1, "parsed"), (2, "deferred"), (3, "parsed")]
    change(loop, "UPDATE payloads SET driver = 'worker' WHERE id = 2")
    worker.sweep_payloads(loop)
    assert rows(loop, "SELECT count(*) FROM events") == [(3,)]


def change(loop: Loop, statement: str) -> None:
    with loop.database.write() as session:
        session.execute(text(statement))


def test_a_turn_is_given_back_also_by_who_failed() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="midway"), turns.one():
        raise ValueError("midway")
    with turns.one() as again:
        assert again


def test_after_somebody_did_without_so_does_everybody_for_a_while_and_no_longer(clock: FakeClock) -> None:
    turns = Turns(lambda: clock.now().timestamp())
    with turns.one() as first, turns.one(0) as second:
        assert (first, second) == (True, False)
    for _ in range(2):  # who comes meanwhile does not make it longer
        with turns.one() as soon:
            assert not soon
        clock.move(seconds=REST_SECONDS / 2)
    with turns.one() as later:
        assert later


def test_payloads_that_come_together_share_a_transaction(loop: Loop) -> None:
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda number: loop.intake.store(of(number)), range(40)))

    async def store() -> list[int]:
        return await asyncio.gather(*(loop.intake.store_async(of(number)) for number in range(40, 80)))

    found += asyncio.run(store())
    assert rows(loop, "SELECT id, body FROM payloads ORDER BY id") == sorted(
        (number, str(place).encode()) for place, number in enumerate(found)
    )


def test_nothing_is_stored_for_who_has_left_and_nobody_else_is_held_up(loop: Loop) -> None:
    async def store() -> int:
        with loop.intake._writing:  # as while others are being written
            leaving, staying = (asyncio.create_task(loop.intake.store_async(of(number))) for number in (1, 2))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.wait([leaving])
        return await staying

    stored = asyncio.run(store())
    assert rows(loop, "SELECT id, body FROM payloads") == [(stored, b"2")]


def of(number: int) -> Payload:
    return Payload(source="generic", driver=Driver.WORKER, body=str(number).encode(), received_at=NOON)


def test_what_cannot_be_stored_is_told_to_everybody_whose_it_was(loop: Loop) -> None:
    change(loop, "ALTER TABLE payloads RENAME TO payloads_elsewhere")
    with pytest.raises((DBAPIError, NotReady)):
        loop.intake.store(of(1))

    async def store() -> list[int | BaseException]:
        return await asyncio.gather(*(loop.intake.store_async(of(number)) for number in range(3)), return_exceptions=True)

    assert [isinstance(error, DBAPIError | NotReady) for error in asyncio.run(store())] == [True] * 3
    change(loop, "ALTER TABLE payloads_elsewhere RENAME TO payloads")
    assert loop.intake.store(of(2)) == 1


def test_on_sqlite_the_intake_goes_before_whoever_else_waits_to_write(migrated_sqlite: Path, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path)}")
    intake, there = Intake(database), list[int]()

    def work() -> None:
        with database.write() as session:
            there.append(session.execute(text("SELECT count(*) FROM payloads")).scalar_one())

    assert database._turn is not None
    with ThreadPoolExecutor(2) as pool:
        with database.write():
            for number, who in enumerate((work, lambda: intake.store(of(1)))):
                pool.submit(who)
                while len(database._turn._waiting) <= number:
                    time.sleep(0.001)
    database.dispose()
    assert there == [1]
