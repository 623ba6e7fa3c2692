"""Reviews: the models are asked anew about a record to which nothing happened."""

import json
from typing import Any

import pytest

from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.rescoring import ask_again, ask_all_open, waiting, work
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Driver
from data.errors import NotFound
from data.warehouse import deliveries, facts, predictions
from tests.conftest import LoopFactory
from tests.support import HOT, FakeClock, generic, put_variation

ADA = EntityRef(source="hubspot", kind=EntityKind.CONTACT, id="1")
CREATED = b'[{"subscriptionType": "contact.creation", "objectId": 1, "occurredAt": 1772452800000, "portalId": 1, "eventId": 1}]'


def scored(loop: Loop) -> list[Any]:
    with loop.database.read() as session:
        return sorted(predictions.newest(session, 100), key=lambda row: row.id or 0)


def sent(loop: Loop) -> int:
    with loop.database.read() as session:
        return sum(deliveries.counts(session).values())


def with_a_score(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    loop = make_loop(addresses)
    theirs = {"hs_analytics_num_visits": HOT["sessions"], "hs_analytics_num_page_views": HOT["page_views"]}
    sandbox.put("hubspot", "contacts", "1", {"email": "ada@example.com", **theirs})
    collect(loop, "hubspot", CREATED, Driver.WORKER)
    worker.sweep_inbox(loop)
    return loop


def test_a_review_by_the_same_version_is_a_prediction_and_no_delivery(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = with_a_score(make_loop, addresses, sandbox)
    before = sent(loop)
    clock.move(hours=1)
    assert (ask_again(loop, [ADA], "monday"), ask_again(loop, [ADA], "monday")) == (1, 0)
    worker.sweep_inbox(loop)
    first, second = scored(loop)
    assert (second.score, second.occurred_at) == (first.score, clock.now())
    assert sent(loop) == before > 0


def test_a_review_by_another_version_is_delivered(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = with_a_score(make_loop, addresses, sandbox)
    models = loop.settings.models_dir / "lead_score"
    put_variation(models / "1", models / "2", trees=3)
    (models / "champion").write_text("2")
    loop.predictor.refresh()
    clock.move(hours=1)
    ask_again(loop, [ADA], "new version")
    worker.sweep_inbox(loop)
    first, second = scored(loop)
    assert (first.model_version, second.model_version) == ("1", "2")
    with loop.database.read() as session:
        newest = deliveries.listed(session, destination="hubspot")
        assert newest[0].content["properties"]["predicted_model_version"] == "lead_score 2"


def test_a_review_leaves_no_fact_and_asks_only_about_what_is_scored(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox
) -> None:
    loop = with_a_score(make_loop, addresses, sandbox)
    with loop.database.read() as session:
        before = facts.of_entities(session, range(10))
    note = EntityRef(source="hubspot", kind=EntityKind.NOTE, id="7")
    assert ask_again(loop, [ADA, note], "tuesday") == 1
    assert ask_again(loop, [note], "wednesday") == 0
    with loop.database.read() as session:
        assert facts.of_entities(session, range(10)) == before


def test_everything_open_is_scored_anew_once(loop: Loop, clock: FakeClock) -> None:
    people = [generic(f"lead{number}@example.com") for number in range(7)]
    ended = generic("won@example.com", lifecyclestage="customer", **HOT)
    collect(loop, "generic", json.dumps([*people, ended]).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)
    clock.move(hours=1)
    assert ask_all_open(loop, "lead_score", "monday") == 7
    assert waiting(loop, "monday") == 7
    while work(loop):
        continue
    assert (waiting(loop, "monday"), ask_all_open(loop, "lead_score", "monday")) == (0, 0)
    assert len(scored(loop)) == 8 + 7


def test_a_model_that_nothing_asks_is_named_with_those_that_are(loop: Loop) -> None:
    with pytest.raises(NotFound, match="lead_score"):
        ask_all_open(loop, "churn", "monday")
