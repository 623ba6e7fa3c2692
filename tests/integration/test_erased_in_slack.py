"""Whoever is erased is taken out of Slack too: a message of their own, their part of a digest, and what is said there later."""

import re
from typing import Any

import pytest

from automation.destinations.slack import SLACK
from automation.erasure import run
from automation.jobs import privacy, worker
from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.warehouse.erasures import Origin
from tests.ada import ADA, still_told
from tests.conftest import LoopFactory
from tests.integration.test_endings import ended, hot, sweep
from tests.support import FakeClock

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
