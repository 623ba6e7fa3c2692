"""Our own writes come back as webhooks, as CRMs send them, and ask nothing: the loop comes to rest.

Each round writes back what is due, and lets the CRM tell of it. Without the guard there is always a next round: shown too.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from automation.destinations.registry import DESTINATIONS
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.record_fields import HUBSPOT_PROPERTIES, PIPEDRIVE_FIELDS
from automation.sandbox.habits import Habits
from automation.sandbox.player import HubSpotPlayer, PipedrivePlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from automation.sources.base import Parsed
from automation.sources.registry import SOURCES
from data.domain.entity import EntityKind
from data.domain.event import Driver, Event
from data.domain.event_type import Verb
from tests.conftest import LoopFactory
from tests.support import HOT, HUBSPOT_SECRET, HUBSPOT_URL, PIPEDRIVE_PASSWORD, PIPEDRIVE_USER, FakeClock

pytestmark = pytest.mark.slow

ROUNDS = 6
SECONDS_APART = 5
CRMS = ("hubspot", "pipedrive")


@pytest.fixture
def sandbox(clock: FakeClock) -> Sandbox:
    tokens = {"hubspot_token": "hubspot-token", "pipedrive_token": "pipedrive-token", "slack_token": "slack-token"}
    return Sandbox(**tokens, channels=("sales",), now=clock.now, habits=Habits(echo=True))


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, running_app: tuple[FastAPI, str], sandbox: Sandbox) -> Loop:
    for name in HOT:
        sandbox.define_hubspot_property("contacts", name)
        sandbox.define_pipedrive_field("persons", name)
    carried = dict.fromkeys(("deliver_hubspot", "deliver_pipedrive", "deliver_slack"), "worker")
    made = make_loop(addresses, hubspot_calls_per_10_seconds=10_000, pipedrive_calls_per_2_seconds=10_000, **carried)
    crms: dict[str, Any] = made.clients.crms
    crms["hubspot"].ensure_properties(EntityKind.CONTACT, HUBSPOT_PROPERTIES)
    crms["pipedrive"].ensure_properties(EntityKind.CONTACT, PIPEDRIVE_FIELDS)
    running_app[0].state.loop = made
    return made


def rounds(loop: Loop, sandbox: Sandbox, clock: FakeClock, url: str, source: str) -> list[int]:
    """How many echoes came in each round."""
    if source == "hubspot":
        player: Any = HubSpotPlayer(sandbox, HUBSPOT_URL, HUBSPOT_SECRET)
        player.address = f"{url}/collect/hubspot"
    else:
        player = PipedrivePlayer(sandbox, f"{url}/collect/pipedrive", PIPEDRIVE_USER, PIPEDRIVE_PASSWORD)
    player.deliver(player.created("7", {"email": "ada@example.com", "name": "Ada", **HOT}))
    found = []
    for _ in range(ROUNDS):
        worker.sweep_inbox(loop)
        worker.sweep_outbox(loop, DESTINATIONS[source])
        clock.move(seconds=SECONDS_APART)
        found.append(player.send_echoes())
    return found


@contextmanager
def unguarded(source: str) -> Iterator[None]:
    """As if nobody knew that it was us: what changes is taken for news of the person, whoever changed it."""
    guarded = SOURCES[source]

    def parse(body: bytes, **options: Any) -> Parsed:
        parsed = guarded(body, **options)
        parsed.events = [(place, _as_news(event)) for place, event in parsed.events]
        return parsed

    SOURCES[source] = parse
    try:
        yield
    finally:
        SOURCES[source] = guarded


def _as_news(event: Event) -> Event:
    if event.verb is not Verb.CHANGED:
        return event
    news = {"hubspot": "hs_analytics_num_visits", "pipedrive": "sessions"}[event.entity.source]
    return event.model_copy(update={"by_us": False, "properties": {**event.properties, news: str(event.occurred_at.second)}})


@pytest.mark.parametrize("source", CRMS)
def test_what_we_write_asks_nothing_when_it_comes_back(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str], source: str
) -> None:
    echoes = rounds(loop, sandbox, clock, running_app[1], source)
    assert echoes[0] > 0, "the CRM tells of what we wrote"
    assert echoes[1:] == [0] * (ROUNDS - 1), "and that is all"
    with loop.database.read() as session:
        states = set(session.execute(text("SELECT state FROM events")).scalars())
        scores = session.execute(text("SELECT count(DISTINCT score) FROM predictions")).scalar_one()
        asking = session.execute(text("SELECT count(DISTINCT event_id) FROM predictions")).scalar_one()
        told = session.execute(text("SELECT count(*) FROM events")).scalar_one()
    assert (states, scores) == ({"done"}, 1)
    assert told - asking >= echoes[0], "the echoes are stored, and asked nothing"


@pytest.mark.parametrize("source", CRMS)
def test_nor_does_it_ask_about_another_record_of_the_same_person(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str], source: str
) -> None:
    twin = {"email": "ada@example.com", "firstname": "Ada"} if source == "hubspot" else {"name": "Ada", "email": "ada@example.com"}
    sandbox.put(source, "contacts" if source == "hubspot" else "persons", "8", twin)
    body = [{"id": "twin", "type": "contact.created", "occurred_at": clock.now().isoformat(), "source": source,
             "entity": {"kind": "contact", "id": "8"}, "properties": twin}]  # fmt: skip
    collect(loop, "leadloop", json.dumps(body).encode(), Driver.WORKER)
    rounds(loop, sandbox, clock, running_app[1], source)
    with loop.database.read() as session:
        echoes = session.execute(text("SELECT count(*) FROM events WHERE by_us")).scalar_one()
        reviews = session.execute(text("SELECT count(*) FROM events WHERE type = 'contact.reviewed'")).scalar_one()
    assert echoes > 0, "they are known as ours"
    assert reviews == 0, "and are no news of the other"


@pytest.mark.parametrize("source", CRMS)
def test_without_the_guard_it_would_never_end(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, running_app: tuple[FastAPI, str], source: str
) -> None:
    with unguarded(source):
        assert all(rounds(loop, sandbox, clock, running_app[1], source))
