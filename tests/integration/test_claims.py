"""Several workers on one database: each row is in the hands of one, nobody waits for another, and who dies is replaced."""

import json
import multiprocessing
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from automation.clients.registry import Clients
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.pipeline.run import drive
from automation.pipeline.store_predictions import hold
from automation.sandbox.player import HubSpotPlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.clock import SystemClock
from data.db import Database
from data.domain.enrichment import Problem
from data.domain.event import Driver
from data.errors import Busy
from data.warehouse import enrichment_tries, entities, events, leases
from ml.serving.predictor import Predictor
from tests.conftest import LoopFactory
from tests.support import HOT, FakeClock, generic

PEOPLE, WORKERS = 150, 3


@pytest.fixture
def with_crms(make_loop: LoopFactory, clock: FakeClock, addresses: Addresses) -> Loop:
    clock.follow_the_machine()  # the stand-ins do
    return make_loop(addresses)


@pytest.fixture
def player(sandbox: Sandbox) -> HubSpotPlayer:
    return HubSpotPlayer(sandbox, "http://unused", "secret")


def tell(loop: Loop, people: int = PEOPLE) -> None:
    items = [generic(f"lead{number}@example.com", **HOT) for number in range(people)]
    collect(loop, "generic", json.dumps(items).encode(), Driver.WORKER)


def rows(loop: Loop, query: str) -> list[tuple[Any, ...]]:
    with loop.database.read() as session:
        return [tuple(row) for row in session.execute(text(query))]


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_two_that_claim_at_once_take_different_events_and_neither_waits(loop: Loop, clock: FakeClock) -> None:
    tell(loop)
    with loop.database.write() as first, loop.database.write(patience_seconds=1) as second:
        one = events.claim(first, "a", clock.now(), 60, limit=100)
        other = events.claim(second, "b", clock.now(), 60, limit=100)  # the first has not committed
    assert (len(one), len(other)) == (100, 50)
    assert not {row.id for row in one} & {row.id for row in other}


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_deliveries_and_tries_too(with_crms: Loop, clock: FakeClock, player: HubSpotPlayer) -> None:
    loop = with_crms
    items = [item for number in range(1, 41) for item in player.created(str(number), {"email": f"lead{number}@example.com", **HOT})]
    collect(loop, "hubspot", json.dumps(items).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)
    with loop.database.write() as session:
        entity_ids = [number for (number,) in rows(loop, "SELECT id FROM entities")]
        enrichment_tries.add(session, {(number, "crm_lookup"): Problem("away") for number in entity_ids}, clock.now())
    clock.move(hours=1)
    with loop.database.write() as first, loop.database.write(patience_seconds=1) as second:
        _, one = leases.lease_for_worker(first, "hubspot", clock.now(), 60, limit=15)
        _, other = leases.lease_for_worker(second, "hubspot", clock.now(), 60, limit=15)
        assert (len(one), len(other)) == (15, 15)
        assert not {row.id for row in one} & {row.id for row in other}
        tried = enrichment_tries.take(first, clock.now(), 60, limit=15)
        also = enrichment_tries.take(second, clock.now(), 60, limit=15)
        assert (len(tried), len(also)) == (15, 15)
        assert not {row.entity_id for row in tried} & {row.entity_id for row in also}


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_who_takes_deliveries_waits_for_none_that_is_being_settled(
    with_crms: Loop, clock: FakeClock, player: HubSpotPlayer
) -> None:
    loop = with_crms

    def scored(number: str, **properties: Any) -> None:
        collect(loop, "hubspot", json.dumps(player.created(number, properties)).encode(), Driver.WORKER)
        worker.sweep_inbox(loop)

    for number in ("1", "2"):
        scored(number, email=f"lead{number}@example.com", **HOT)
    clock.move(hours=1)
    with loop.database.write() as session:
        _, lost = leases.lease_for_worker(session, "hubspot", clock.now(), 60)
        ids = [row.id for row in lost]
    for number in ("1", "2"):
        scored(number, email=f"other{number}@example.com")
    clock.move(hours=1)  # their leases are over, and newer writes wait
    in_hand = text("SELECT id FROM deliveries WHERE id = :id FOR UPDATE")
    with loop.database.write() as settles, loop.database.write(patience_seconds=1) as takes:
        settles.execute(in_hand, {"id": ids[0]})
        leases.lease_for_worker(takes, "hubspot", clock.now(), 60)
    states = dict(rows(loop, "SELECT id, state FROM deliveries"))
    assert (states[ids[0]], states[ids[1]]) == ("leased", "superseded")


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_who_takes_deliveries_over_waits_for_none_that_holds_their_entities(
    with_crms: Loop, clock: FakeClock, player: HubSpotPlayer
) -> None:
    loop = with_crms
    items = [item for number in "123" for item in player.created(number, {"email": f"lead{number}@example.com", **HOT})]
    collect(loop, "hubspot", json.dumps(items).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)
    clock.move(hours=1)
    with loop.database.write() as session:
        leases.lease_for_worker(session, "hubspot", clock.now(), 60)
    clock.move(hours=1)
    with loop.database.write() as holds, loop.database.write(patience_seconds=1) as takes:
        entities.lock(holds, [number for (number,) in rows(loop, "SELECT id FROM entities")])
        _, taken = leases.lease_for_worker(takes, "hubspot", clock.now(), 60)
    assert [row.lost_leases for row in taken] == [1, 1, 1]


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_two_records_of_one_person_are_judged_one_after_the_other(loop: Loop, clock: FakeClock) -> None:
    """Or each would find no alert of the other, and both would alert."""
    people = [("hubspot", "1", "ada"), ("pipedrive", "2", "ada"), ("hubspot", "3", "bob")]
    items = [
        {"id": number, "type": "contact.created", "occurred_at": clock.now().isoformat(), "source": source,
         "entity": {"kind": "contact", "id": number}, "properties": {"email": f"{name}@example.com"}}
        for source, number, name in people
    ]  # fmt: skip
    collect(loop, "leadloop", json.dumps(items).encode(), Driver.WORKER)
    numbers = dict(rows(loop, "SELECT vendor_id, id FROM entities"))
    with loop.database.write() as one, loop.database.write(patience_seconds=1) as stranger:
        hold(one, {numbers["1"]})
        assert hold(stranger, {numbers["3"]}).keys() == {numbers["3"]}
    with loop.database.write() as one, pytest.raises(Busy), loop.database.write(patience_seconds=0.1) as other:
        hold(one, {numbers["1"]})
        hold(other, {numbers["2"]})


def work(url: str, settings: Any, count: Any) -> None:
    """A worker process: drives until nothing is due, and says how many it drove."""
    loop = Loop(
        settings, Database(url), SystemClock(), Predictor(settings.models_dir, hot_threshold=0.5, hot_share=0.05), Clients()
    )
    loop.predictor.refresh()
    while taken := drive(loop, limit=10):
        count.put(taken)
    loop.database.dispose()


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_processes_share_the_inbox_and_each_event_is_scored_once(loop: Loop, clock: FakeClock) -> None:
    clock.follow_the_machine()
    tell(loop)
    context = multiprocessing.get_context("spawn")
    count = context.Queue()
    processes = [context.Process(target=work, args=(loop.database.url, loop.settings, count)) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    processes[0].join(3)
    processes[0].kill()  # in the middle of it, or before it has begun
    for process in processes:
        process.join(60)
    with loop.database.write() as session:
        session.execute(text("UPDATE events SET lease_until = received_at WHERE state = 'new'"))
        session.execute(text("UPDATE entities SET lease_until = created_at WHERE lease_until IS NOT NULL"))
    worker.sweep_inbox(loop)  # what it had in hand is taken over when its lease is over
    assert Counter(state for (state,) in rows(loop, "SELECT state FROM events")) == {"done": PEOPLE}
    assert rows(loop, "SELECT count(*), count(DISTINCT event_id) FROM predictions") == [(PEOPLE, PEOPLE)]


def test_who_died_is_replaced_when_the_lease_is_over(loop: Loop, clock: FakeClock) -> None:
    tell(loop, 3)
    with loop.database.write() as session:
        assert len(events.claim(session, "dies", clock.now(), 60)) == 3
    worker.sweep_inbox(loop)
    assert rows(loop, "SELECT count(*) FROM predictions") == [(0,)], "it may be at work still"
    clock.move(seconds=61)
    worker.sweep_inbox(loop)
    assert rows(loop, "SELECT count(*) FROM predictions") == [(3,)]
