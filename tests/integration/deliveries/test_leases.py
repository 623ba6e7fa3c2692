"""Leases, order per entity, and late answers, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from automation.destinations.crm import HUBSPOT
from automation.destinations.slack import SLACK
from automation.jobs import worker
from automation.pipeline.context import Loop
from automation.sandbox.state import Sandbox
from data.settings import Scope
from tests.outbox import by_destination, contact, score, settle, states
from tests.support import COLD, HOT, FakeClock, bearer


def test_confirm_is_idempotent_and_a_foreign_lease_is_refused(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **COLD)
    row = by_destination(score(api, loop))["hubspot"]
    assert settle(api, {**row, "lease_id": "somebody-else"}).status_code == 409
    assert settle(api, row, receipt="r").status_code == 200
    assert settle(api, row).status_code == 200
    assert settle(api, {**row, "lease_id": "somebody-else"}).status_code == 409
    assert settle(api, row, "fail").status_code == 409


def test_a_late_confirm_is_refused_and_the_newest_state_goes_out_again(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    row = by_destination(score(api, loop))["hubspot"]
    clock.move(seconds=61)
    worker.sweep_outbox(loop, HUBSPOT)  # the lease is over: the worker has written it
    assert states(api, "hubspot") == ["confirmed"]
    assert settle(api, row).status_code == 409
    assert states(api, "hubspot") == ["pending"]
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["confirmed"]


def test_a_late_answer_sends_the_newest_again_even_while_it_is_out(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    older = by_destination(score(api, loop, at_seconds=1))["hubspot"]
    clock.move(seconds=61)
    worker.sweep_outbox(loop, HUBSPOT)  # the worker took the lost lease over
    newest = by_destination(score(api, loop, at_seconds=2))["hubspot"]
    assert settle(api, older).status_code == 409, "the older write landed late, perhaps after the newest"
    assert settle(api, newest).status_code == 409
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["confirmed", "confirmed"]
    assert len(sandbox.get("hubspot", "contacts", "1").writes) == 2  # type: ignore[union-attr]


def test_a_newer_score_waits_behind_a_leased_one_and_replaces_a_waiting_one(
    api: httpx.Client, loop: Loop, sandbox: Sandbox
) -> None:
    contact(sandbox, **COLD)
    first = by_destination(score(api, loop, at_seconds=1))["hubspot"]
    assert by_destination(score(api, loop, at_seconds=2)) == {}
    assert by_destination(score(api, loop, at_seconds=3)) == {}
    assert sorted(states(api, "hubspot")) == ["leased", "pending", "superseded"]
    worker.sweep_outbox(loop, HUBSPOT)
    assert sandbox.get("hubspot", "contacts", "1").writes == []  # type: ignore[union-attr]
    assert settle(api, first).status_code == 200
    worker.sweep_outbox(loop, HUBSPOT)
    assert sorted(states(api, "hubspot")) == ["confirmed", "confirmed", "superseded"]


def test_a_score_is_never_overwritten_by_one_of_an_earlier_event(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **HOT)
    score(api, loop, at_seconds=10, driver="worker")
    score(api, loop, at_seconds=5, driver="worker")
    assert len(states(api, "hubspot")) == 1


def test_the_lease_call_hands_out_what_waits_for_n8n(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **COLD)
    row = by_destination(score(api, loop))["hubspot"]
    lease = api.post("/deliveries/lease", json={"destination": "hubspot"}, headers=bearer(Scope.ACTIVATE)).json()
    assert lease["deliveries"] == []
    assert settle(api, row).status_code == 200


@pytest.mark.slow
def test_two_workers_on_one_entity_send_it_once(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    for number in range(1, 31):
        contact(sandbox, str(number), **HOT)
        score(api, loop, str(number), driver="worker")
    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(worker.sweep_outbox, loop, destination) for _ in range(3) for destination in (HUBSPOT, SLACK)]:
            future.result()
    told = [block["block_id"] for message in sandbox.messages() for block in message["blocks"] if block["type"] == "section"]
    assert (len(told), len(set(told))) == (30, 30)
    assert set(states(api, "slack") + states(api, "hubspot")) == {"confirmed"}
    assert all(len(record.writes) == 1 for record in sandbox.records("hubspot", "contacts"))


def test_a_slow_worker_whose_lease_is_over_does_not_leave_an_old_score(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    score(api, loop, at_seconds=1, driver="worker")
    slow = threading.Event()

    def stall(vendor: str, path: str) -> int | None:
        """The first write waits in the network until another worker has written something newer."""
        if path.endswith("update") and not slow.is_set():
            slow.set()
            clock.move(seconds=61)
            contact(sandbox, **HOT)
            score(api, loop, at_seconds=2, driver="worker")
            worker.sweep_outbox(loop, HUBSPOT)
        return None

    sandbox.fault = stall
    worker.sweep_outbox(loop, HUBSPOT)
    worker.sweep_outbox(loop, HUBSPOT)
    record = sandbox.get("hubspot", "contacts", "1")
    assert record is not None
    assert record.properties["predicted_label"] == "high"
    assert "leased" not in states(api, "hubspot")
