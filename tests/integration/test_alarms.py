"""What is wrong is told to Slack once when it begins and once when it is over, whoever looks and however often."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from automation import alarms
from automation.clients.pace import SharedPace
from automation.doctor.run import CHECKS
from automation.jobs import notices as notice_jobs
from automation.jobs.schedule import Job, jobs
from automation.jobs.scheduler import _guarded
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.event import Driver
from data.domain.pace import FAILURES_UNTIL_REST, Rate
from data.errors import Retryable
from data.settings import ROOT
from tests.conftest import LoopFactory
from tests.support import HOT, FakeClock, generic

TURN = timedelta(seconds=alarms.EVERY_SECONDS)


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses) -> Loop:
    return make_loop(addresses)


def look(loop: Loop, clock: FakeClock, times: int = 1) -> None:
    """So many turns of the job; what it has to tell goes to Slack."""
    for _ in range(times):
        clock.move(seconds=alarms.EVERY_SECONDS)
        alarms.look(loop)
        notice_jobs.sweep(loop)


def headers(sandbox: Sandbox) -> list[str]:
    return [message["blocks"][0]["text"]["text"] for message in sandbox.messages()]


def execute(loop: Loop, statement: str, **values: Any) -> None:
    with loop.database.write() as session:
        session.execute(text(statement), values)


def set_aside(loop: Loop) -> None:
    collect(loop, "generic", b"no JSON", Driver.WORKER)


def put_right(loop: Loop) -> None:
    execute(loop, "UPDATE dead_letters SET state = 'discarded'")


def test_a_fault_is_one_message_when_it_begins_and_one_when_it_is_over(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    look(loop, clock, 3)
    assert headers(sandbox) == []
    set_aside(loop)
    look(loop, clock)
    assert headers(sandbox) == [], "it may be gone by the next look"
    look(loop, clock)
    assert headers(sandbox) == ["Alarm: dead letters"]
    set_aside(loop)
    look(loop, clock, 20)
    assert headers(sandbox) == ["Alarm: dead letters"]
    put_right(loop)
    look(loop, clock)
    assert headers(sandbox) == ["Alarm: dead letters"], "it may be there again by the next look"
    look(loop, clock, 5)
    assert headers(sandbox) == ["Alarm: dead letters", "Over: dead letters"]
    began, over = (str(message["blocks"]) for message in sandbox.messages())
    assert "1 were set aside" in began
    assert "What to do: `leadloop replay --dead-letters --dry-run`" in began
    assert "It lasted 115 min. The last that was seen of it: 2 were set aside" in over


def test_what_begins_again_is_told_again(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    for _ in range(2):
        set_aside(loop)
        look(loop, clock, 2)
        put_right(loop)
        look(loop, clock, 2)
    assert headers(sandbox) == ["Alarm: dead letters", "Over: dead letters"] * 2


def test_what_comes_and_goes_between_two_looks_is_told_to_nobody(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    for _ in range(5):
        set_aside(loop)
        look(loop, clock)
        put_right(loop)
        look(loop, clock)
    assert headers(sandbox) == []
    set_aside(loop)
    look(loop, clock, 2)
    for _ in range(5):
        put_right(loop)
        look(loop, clock)
        set_aside(loop)
        look(loop, clock)
    assert headers(sandbox) == ["Alarm: dead letters"], "nor is it over and begun again each time"


def test_of_all_processes_one_looks_and_a_restart_forgets_nothing(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    set_aside(make_loop(addresses))
    for _ in range(4):
        processes = [make_loop(addresses) for _ in range(2)]  # new ones each time: nothing is in their memory
        clock.move(seconds=alarms.EVERY_SECONDS)
        for process in processes:
            _guarded(job(process), process)
            notice_jobs.sweep(process)
        if len(headers(sandbox)) == 1:
            break
    assert headers(sandbox) == ["Alarm: dead letters"]
    assert clock.now() == FakeClock().now() + 2 * TURN, "two processes in one turn are one look"
    put_right(processes[0])
    for _ in range(3):
        clock.move(seconds=alarms.EVERY_SECONDS)
        for process in processes:
            _guarded(job(process), process)
            notice_jobs.sweep(process)
    assert headers(sandbox) == ["Alarm: dead letters", "Over: dead letters"]


def job(loop: Loop) -> Job:
    (found,) = (one for one in jobs(loop.settings) if one.name == "alarms.look")
    assert found.once
    return found


def test_two_that_look_at_the_same_moment_tell_it_once(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    one, other = make_loop(addresses), make_loop(addresses)
    set_aside(one)
    for _ in range(4):
        clock.move(seconds=alarms.EVERY_SECONDS)
        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(alarms.look, (one, other))) == [None, None]
        notice_jobs.sweep(one)
    assert headers(sandbox) == ["Alarm: dead letters"]


def backlog(loop: Loop, clock: FakeClock) -> Loop:
    collect(loop, "generic", json.dumps([generic(**HOT)]).encode(), Driver.WORKER)
    clock.move(hours=3)
    return loop


def no_token(loop: Loop, _clock: FakeClock) -> Loop:
    return replace(loop, settings=loop.settings.model_copy(update={"api_tokens": SecretStr("")}))


def no_champion(loop: Loop, _clock: FakeClock) -> Loop:
    return replace(loop, settings=loop.settings.model_copy(update={"lead_model": "nobody"}))


def nobody_looks(loop: Loop, clock: FakeClock) -> Loop:
    execute(loop, "INSERT INTO reconciliations (source, kind, seen_until, looked_at, records, missed, missed_ever) "
            "VALUES ('hubspot', 'contact', :now, :now, 0, 0, 0)", now=clock.now())  # fmt: skip
    clock.move(hours=2)
    return loop


def vendor_away(loop: Loop, clock: FakeClock, said: str = "HubSpot answered 503") -> Loop:
    pace, rate = SharedPace(loop.database, clock), Rate(calls=100, per_seconds=1, burst=100)
    for _ in range(FAILURES_UNTIL_REST):
        with pytest.raises(Retryable), pace.call("hubspot", rate, vendor="hubspot"):
            raise Retryable(said)
    return loop


def token_refused(loop: Loop, clock: FakeClock) -> Loop:
    return vendor_away(loop, clock, "HubSpot answered 401: the token is wrong")


FAULTS: dict[str, tuple[Callable[[Loop, FakeClock], Loop], str, str]] = {
    "backlog": (backlog, "waiting events", "is the worker alive?"),
    "no token": (no_token, "tokens", "`leadloop tokens create n8n"),
    "no champion": (no_champion, "models", "`leadloop train nobody"),
    "nobody looks": (nobody_looks, "reconciliation hubspot", "reconcile.look.failed"),
    "vendor away": (vendor_away, "calls to hubspot", "its status page"),
    "token refused": (token_refused, "calls to hubspot", "its token is refused"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_that_the_database_knows_of_is_told_with_its_remedy(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, name: str
) -> None:
    fault, check, remedy = FAULTS[name]
    asked = len(sandbox.requests)
    faulty = fault(loop, clock)
    alarms.look(faulty)
    assert len(sandbox.requests) == asked, "no vendor is asked"
    look(faulty, clock, 3)
    assert headers(sandbox) == [f"Alarm: {check}"]
    assert remedy in str(sandbox.messages()[0]["blocks"])


def test_a_vendor_is_away_until_it_has_answered(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    """Its rest is over after seconds; a call that comes through is what shows that it is back."""
    vendor_away(loop, clock)
    look(loop, clock, 4)
    assert headers(sandbox) == ["Alarm: calls to hubspot"]
    with SharedPace(loop.database, clock).call("hubspot", Rate(calls=100, per_seconds=1, burst=100), vendor="hubspot"):
        pass
    look(loop, clock, 2)
    assert headers(sandbox) == ["Alarm: calls to hubspot", "Over: calls to hubspot"]


def test_one_that_nobody_calls_any_more_is_no_fault_for_ever(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    vendor_away(loop, clock)
    look(loop, clock, 2)
    clock.move(days=2)
    look(loop, clock, 2)
    assert headers(sandbox) == ["Alarm: calls to hubspot", "Over: calls to hubspot"]


def test_a_look_that_did_not_see_all_says_of_nothing_that_it_is_over(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    set_aside(loop)
    look(loop, clock, 2)
    execute(loop, "ALTER TABLE dead_letters RENAME TO hidden")
    look(loop, clock, 3)
    execute(loop, "ALTER TABLE hidden RENAME TO dead_letters")
    look(loop, clock, 3)
    assert headers(sandbox) == ["Alarm: dead letters"]


def test_one_check_that_breaks_leaves_the_others(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    execute(loop, "DROP TABLE reconciliations")
    set_aside(loop)
    look(loop, clock, 2)
    assert headers(sandbox) == ["Alarm: dead letters"]


def test_no_secret_is_told(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    vendor_away(loop, clock, "https://vendor.example?api_token=0123456789 answered 503")
    look(loop, clock, 2)
    (message,) = sandbox.messages()
    assert "0123456789" not in json.dumps(message)


def test_what_is_watched_is_a_check_and_the_docs_name_it() -> None:
    assert {name for name, _ in CHECKS} >= alarms.WATCHED
    page = (ROOT / "docs" / "doctor.md").read_text()
    assert {name for name in alarms.WATCHED if f"| {name} | yes |" not in page} == set()
    assert page.count("| yes |") == len(alarms.WATCHED)
