"""Whoever is erased is taken out of Slack too: a message of their own, their part of a digest, and what is said there later."""

import re
from typing import Any

import pytest

from automation import endings
from automation.destinations.slack import SLACK
from automation.erasure import run
from automation.jobs import privacy, worker
from automation.pipeline.context import Loop
from automation.sandbox.habits import Habits
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.warehouse import leases
from data.warehouse.erasures import Origin
from tests.ada import ADA, still_told
from tests.conftest import LoopFactory
from tests.integration.test_endings import ended, hot, sweep
from tests.support import FakeClock

pytestmark = pytest.mark.slow

NAMED = re.compile(r"\bada\b", re.IGNORECASE)
OTHERS = ("bo", "cy", "di")


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, clock: FakeClock) -> Loop:
    clock.follow_the_machine()  # messages are looked for by when they were posted
    return make_loop(addresses)


def alert(loop: Loop, *others: str) -> None:
    """Ada is hot, and the others are; all of them are told in Slack."""
    hot(loop, "ada", email=ADA)
    for who in others:
        hot(loop, who)
    worker.sweep_outbox(loop, SLACK)


def erase(loop: Loop) -> int:
    number = run.ask(loop, ADA, Origin.COMMAND)
    run.erase(loop, number)
    privacy.take_back(loop)
    return number


def titles(message: dict[str, Any]) -> list[str]:
    return sorted(block["text"]["text"].splitlines()[0] for block in message["blocks"] if block["type"] == "section")


def test_how_a_neighbour_in_the_digest_ended_says_nothing_of_whoever_was_erased(loop: Loop, sandbox: Sandbox) -> None:
    alert(loop, *OTHERS)
    ended(loop, "won", "cy")
    sweep(loop)
    assert "*Hot lead: Ada*" in titles(sandbox.messages()[0])
    erase(loop)
    assert still_told(loop.database, NAMED) == {}
    for result, word, after in (("", "Won", 0), ("lost", "Lost", 1)):  # as it stands, and once it is told anew
        if result:
            ended(loop, result, "cy", after=after)
            sweep(loop)
        (message,) = sandbox.messages()
        assert titles(message) == ["*Hot lead: Bo*", "*Hot lead: Di*", f"*{word}: Cy*"]
        assert not NAMED.search(str(message))
    assert still_told(loop.database, NAMED) == {}


def test_a_message_of_their_own_is_deleted(loop: Loop, sandbox: Sandbox) -> None:
    alert(loop, "bo")
    assert [message["text"].split(",")[0] for message in sandbox.messages()] == ["Hot lead: Ada", "Hot lead: Bo"]
    number = erase(loop)
    assert [message["text"].split(",")[0] for message in sandbox.messages()] == ["Hot lead: Bo"]
    assert run.reported(loop, number).slack == {"done": 1}


def test_their_part_of_a_digest_is_taken_out_and_the_others_stay(loop: Loop, sandbox: Sandbox) -> None:
    alert(loop, *OTHERS)
    (before,) = sandbox.messages()
    assert before["text"] == "4 hot leads"
    number = erase(loop)
    (after,) = sandbox.messages()
    assert (after["ts"], after["text"]) == (before["ts"], "3 hot leads")
    assert titles(after) == ["*Hot lead: Bo*", "*Hot lead: Cy*", "*Hot lead: Di*"]
    assert not NAMED.search(str(after))
    assert run.reported(loop, number).slack == {"done": 1}


def test_an_alert_of_which_nobody_heard_that_it_was_posted_is_looked_for(loop: Loop, sandbox: Sandbox) -> None:
    sandbox.set_habits(Habits(drop_after=1.0))
    alert(loop)
    sandbox.set_habits(Habits())
    assert len(sandbox.messages()) == 1
    erase(loop)
    assert sandbox.messages() == []


def test_an_alert_that_never_went_out_asks_for_nothing_in_slack(loop: Loop, sandbox: Sandbox) -> None:
    hot(loop, "ada", email=ADA)
    assert run.reported(loop, erase(loop)).slack == {}
    worker.sweep_outbox(loop, SLACK)
    assert sandbox.messages() == []


def test_while_slack_is_away_it_is_tried_again(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    alert(loop)
    sandbox.set_habits(Habits(server_error=1.0))
    number = erase(loop)
    assert run.reported(loop, number).slack == {"pending": 1}
    sandbox.set_habits(Habits())
    clock.move(minutes=10)
    privacy.sweep(loop)
    assert (sandbox.messages(), run.reported(loop, number).slack) == ([], {"done": 1})


def test_what_slack_refuses_for_good_is_told_in_the_report(loop: Loop, sandbox: Sandbox) -> None:
    alert(loop)
    sandbox.channels.clear()
    assert run.reported(loop, erase(loop)).slack == {"given_up": 1}


@pytest.mark.parametrize("who", ["ada", "cy"])
def test_whoever_is_writing_into_the_message_meanwhile_does_not_bring_them_back(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, who: str
) -> None:
    """How somebody in the digest ended is on its way, made of all that was in it: it arrives after the erasure."""
    alert(loop, *OTHERS)
    ended(loop, "won", who)
    endings.sweep(loop)
    with loop.database.write() as session:
        _, rows = leases.lease_for_worker(session, SLACK.name, loop.clock.now(), loop.settings.lease_seconds)
        assert SLACK.prepare(session, rows) == {}
    number = erase(loop)
    SLACK.send(loop.clients, rows)
    assert NAMED.search(str(sandbox.messages()))
    clock.move(minutes=5)
    privacy.sweep(loop)
    assert not NAMED.search(str(sandbox.messages()))
    assert run.reported(loop, number).slack == {"done": 1}
    sweep(loop)
    (message,) = sandbox.messages()
    assert not NAMED.search(str(message))
    assert len(titles(message)) == len(OTHERS)
