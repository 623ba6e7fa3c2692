"""What the tests of rounds share: looks, rounds, and what they have told."""

from typing import Any

from fastapi import FastAPI
from sqlmodel import col, select

from automation.clients.histories import history_of
from automation.clients.history import Patience
from automation.pipeline.context import Loop
from automation.reconcile import reconcile
from automation.rounds import go_on
from automation.sandbox.player import HubSpotPlayer, PipedrivePlayer
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind, EntityRef
from data.domain.fact import newest
from data.warehouse import entities, facts
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from tests.support import FakeClock

PATIENCE = Patience(tries=12, sleep=lambda _seconds: None)
CRMS = ("hubspot", "pipedrive")
PERSONS = {"hubspot": "contacts", "pipedrive": "persons"}


def sandbox_at(clock: FakeClock) -> Sandbox:
    """The vendors share the test's clock."""
    tokens = {"hubspot_token": "hubspot-token", "pipedrive_token": "pipedrive-token", "slack_token": "slack-token"}
    return Sandbox(**tokens, channels=("sales",), now=clock.now)


def look(loop: Loop, source: str, clock: FakeClock) -> int:
    """A look at the changes, once the search shows all; how many events it made."""
    clock.move(minutes=15)
    return sum(gap.missed for gap in reconcile(loop, source, history_of(source, loop.clients, loop.settings, PATIENCE)))


def turn(loop: Loop, source: str) -> int:
    return go_on(loop, source, history_of(source, loop.clients, loop.settings, PATIENCE))


def a_round(loop: Loop, source: str, clock: FakeClock) -> int:
    """A whole round, a day after the last one."""
    clock.move(hours=25)
    return turn(loop, source)


def told(loop: Loop, source: str) -> list[tuple[str, str]]:
    """Type and id of every event of a CRM, in the order in which they came."""
    with loop.database.read() as session:
        query = select(EventRow.type, EntityRow.vendor_id).join(EntityRow, col(EntityRow.id) == EventRow.entity_id)
        return [(one, two) for one, two in session.exec(query.where(EventRow.source == source).order_by(col(EventRow.id)))]


def last_event(loop: Loop) -> EventRow:
    return events_of(loop)[-1]


def known(loop: Loop, source: str, kind: EntityKind, number: str) -> dict[str, str | None]:
    with loop.database.read() as session:
        row = entities.find(session, EntityRef(source=source, kind=kind, id=number))
        assert row is not None
        assert row.id is not None
        return {name: fact.value for name, fact in newest(facts.of_entities(session, {row.id})[row.id]).items()}


def put_people(sandbox: Sandbox, source: str, count: int) -> None:
    for number in range(1, count + 1):
        sandbox.put(source, PERSONS[source], str(number), {"email": f"p{number}@example.com"})


def events_of(loop: Loop) -> list[EventRow]:
    with loop.database.read() as session:
        return list(session.exec(select(EventRow).order_by(col(EventRow.id))))


def player_of(source: str, loop: Loop, sandbox: Sandbox, running_app: tuple[FastAPI, str]) -> Any:
    """Who sends what happens to this loop."""
    app, url = running_app
    app.state.loop = loop
    if source == "pipedrive":
        return PipedrivePlayer(sandbox, f"{url}/collect/pipedrive", "pipedrive", "pipedrive-password")
    player = HubSpotPlayer(sandbox, "https://hooks.example.com/webhook/hubspot-events", "hubspot-client-secret")
    player.address = f"{url}/collect/hubspot"
    return player
