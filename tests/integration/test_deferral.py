"""More than can be parsed comes at once: the bytes are kept, the answer says so, and the worker does the rest."""

import json
import threading
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.turns import Turns
from data.domain.event import Driver
from data.settings import Scope
from data.warehouse import payloads
from tests.support import COLD, HOT, NOON, bearer, generic


def body_of(*items: dict[str, Any]) -> bytes:
    return json.dumps(items).encode()


def rows(loop: Loop, query: str) -> list[Any]:
    with loop.database.read() as session:
        return list(session.execute(text(query)).all())


def test_who_finds_the_turn_taken_is_answered_at_once_and_parsed_by_the_worker(loop: Loop, api: httpx.Client) -> None:
    with loop.turns.one(0):
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


def test_what_is_parsed_later_ends_as_what_was_parsed_at_once(loop: Loop) -> None:
    first, second = generic("ada@example.com", at=NOON, **HOT), generic("ada@example.com", at=NOON.replace(minute=1), **COLD)
    with loop.turns.one(0):
        assert collect(loop, "generic", body_of(first), Driver.WORKER).deferred
    assert collect(loop, "generic", body_of(second), Driver.WORKER).accepted == 1
    with loop.turns.one(0):
        collect(loop, "generic", body_of(second, {"id": "x"}), Driver.WORKER)
    worker.sweep_payloads(loop)
    worker.sweep_inbox(loop)
    assert rows(loop, "SELECT type, state FROM events ORDER BY occurred_at") == [("contact.changed", "done")] * 2
    assert rows(loop, "SELECT stage FROM dead_letters") == [("validate",)]
    ((last,), (before,)) = rows(loop, "SELECT score FROM predictions ORDER BY id")
    assert last == before < 0.5, "the later values count, whichever was parsed first"


def test_two_workers_share_what_waits(loop: Loop) -> None:
    with loop.turns.one(0):
        for number in range(30):
            collect(loop, "generic", body_of(generic(f"lead{number}@example.com", **COLD)), Driver.WORKER)
    threads = [threading.Thread(target=worker.sweep_payloads, args=(loop,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(loop, "SELECT state, count(*) FROM payloads GROUP BY state") == [("parsed", 30)]
    assert rows(loop, "SELECT count(*) FROM events") == [(30,)]


def test_one_that_cannot_be_stored_now_holds_up_no_other(loop: Loop) -> None:
    with loop.turns.one(0):
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
    with pytest.raises(ValueError, match="midway"), turns.one(0):
        raise ValueError("midway")
    with turns.one(0) as first, turns.one(0) as second:
        assert (first, second) == (True, False)
    with turns.one(0) as again:
        assert again
