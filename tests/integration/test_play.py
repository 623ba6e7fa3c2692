"""`leadloop sandbox --play`: the stand-in HubSpot sends signed events to a collector without n8n in between."""

import io

import httpx
import pytest
from rich.console import Console

from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.settings import Scope
from data.warehouse import events
from scripts.sandbox import HUBSPOT, Playing, play
from tests.conftest import LoopFactory
from tests.support import HUBSPOT_SECRET, FakeClock, bearer


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(hubspot_token=HUBSPOT, pipedrive_token="p", slack_token="s", channels=("sales",))


@pytest.fixture
def loop(make_loop: LoopFactory, api_url: str, clock: FakeClock) -> Loop:
    clock.follow_the_machine()
    return make_loop(hubspot_webhook_url=f"{api_url}/collect/hubspot")


def test_played_events_are_taken_repeats_dropped_and_malformed_ones_set_aside(
    api: httpx.Client, api_url: str, loop: Loop, sandbox: Sandbox, addresses: Addresses
) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    play(sandbox, addresses, Playing(40, f"{api_url}/collect/hubspot", HUBSPOT_SECRET, seed=1), console)
    assert "202" in console.export_text()
    letters = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    assert all(letter["stage"] == "validate" for letter in letters)
    with loop.database.read() as session:
        assert sum(events.counts(session).values()) == 40
