"""One destination that hangs holds up none of the others."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import select

from automation.clients.pace import SharedPace
from automation.clients.registry import build_clients
from automation.jobs.schedule import jobs
from automation.jobs.scheduler import build_scheduler
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.record_fields import HUBSPOT_PROPERTIES
from automation.sandbox.player import hubspot_properties
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.delivery import DeliveryState
from data.domain.entity import EntityKind
from data.domain.event import Driver
from data.warehouse.deliveries import DeliveryRow
from tests.conftest import LoopFactory
from tests.support import HOT, FakeClock, until

WAVE = 5  # contacts
LONG_SECONDS = 100  # longer than this test: a call that hangs does not end before it is let go


class Silent:
    """Takes connections and requests, and never answers."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._gone = False
        self.asked = 0
        self.given_up = 0
        threading.Thread(target=self._take, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/api/"

    def let_go(self) -> None:
        self._gone = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # to close it would not end the wait for the next one
        self._listening.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._open.append(connection)
                if self._gone:
                    connection.shutdown(socket.SHUT_RDWR)
                threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        asked = False
        with suppress(OSError):
            while connection.recv(65_536):
                self.asked += not asked
                asked = True
        self.given_up += 1


@pytest.fixture
def slack() -> Iterator[Silent]:
    made = Silent()
    yield made
    made.let_go()


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, slack: Silent, clock: FakeClock) -> Loop:
    """The worker carries everything, within the limits that all share."""
    clock.follow_the_machine()
    carried = {"deliver_hubspot": "worker", "deliver_slack": "worker", "sweep_seconds": 0.2}
    made = make_loop(addresses, slack_base_url=slack.url, hubspot_calls_per_10_seconds=10_000, **carried)
    made = replace(made, clients=build_clients(made.settings, SharedPace(made.database, made.clock)))
    made.clients.slack._sdk.timeout = LONG_SECONDS  # type: ignore[union-attr]
    made.clients.crms["hubspot"].ensure_properties(EntityKind.CONTACT, HUBSPOT_PROPERTIES)  # type: ignore[attr-defined]
    for name in ("engaged_sessions", "is_first_visit"):
        sandbox.define_hubspot_property("contacts", name)
    return made


def come(loop: Loop, sandbox: Sandbox, first: int) -> None:
    """A wave of hot leads."""
    events: list[dict[str, Any]] = []
    for number in range(first, first + WAVE):
        sandbox.put("hubspot", "contacts", str(number), {"email": f"p{number}@example.com", **hubspot_properties(HOT)})
        at = int(loop.clock.now().timestamp() * 1000)
        events.append(
            {"subscriptionType": "contact.creation", "objectId": number, "portalId": 1, "eventId": number, "occurredAt": at}
        )
    collect(loop, "hubspot", json.dumps(events).encode(), Driver.WORKER)


def written(sandbox: Sandbox) -> int:
    return sum("predicted_score" in record.properties for record in sandbox.records("hubspot", "contacts"))


def test_a_slack_that_hangs_leaves_write_backs_their_pace(loop: Loop, sandbox: Sandbox, slack: Silent) -> None:
    carrying = [job.name for job in jobs(loop.settings) if job.name.startswith(("payloads.", "inbox.", "outbox."))]
    scheduler = build_scheduler(loop, only=carrying)
    scheduler.start()
    try:
        come(loop, sandbox, 1)
        until("Slack was asked", lambda: slack.asked > 0)
        for wave in range(1, 4):
            come(loop, sandbox, 1 + wave * WAVE)
            until(f"write-backs of wave {wave}", lambda wave=wave: written(sandbox) == (wave + 1) * WAVE)  # type: ignore[misc]
        assert (slack.asked, slack.given_up) == (1, 0), "all of it while Slack's first call went on"
        with loop.database.read() as session:
            rows = session.exec(select(DeliveryRow)).all()
        confirmed = {row.destination for row in rows if row.state == DeliveryState.CONFIRMED}
        waiting = [row for row in rows if row.destination == "slack"]
        assert confirmed == {"hubspot"}
        assert len(waiting) == 4 * WAVE, "every alert waits, and none is lost"
    finally:
        slack.let_go()
        scheduler.shutdown()
