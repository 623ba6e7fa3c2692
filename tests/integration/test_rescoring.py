"""Reviews: the models are asked anew about a record to which nothing happened."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlmodel import select

from automation.clients.registry import Clients
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.record_fields import FIELDS
from automation.rescoring import ask_again, ask_all_open, waiting, work
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Driver
from data.errors import NotFound
from data.warehouse import deliveries, facts, predictions
from data.warehouse.predictions import PredictionRow
from ml.features.inputs import Input, InputKind, typed_rows
from ml.models.lead_score import MODEL
from ml.training.ladder import TypedTable
from ml.training.train import train
from tests.conftest import LoopFactory
from tests.support import HOT, NOON, FakeClock, generic, put_champion, put_variation

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


@pytest.mark.slow
def test_everything_open_is_written_back_in_batches(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses, hubspot_calls_per_10_seconds=10_000)
    loop = replace(loop, clients=Clients(crms={"hubspot": loop.clients.crms["hubspot"]}))
    for name, *_ in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
    created = json.loads(CREATED)[0]
    for number in range(1, 121):
        theirs = {"hs_analytics_num_visits": str(number % 7), "hs_analytics_num_page_views": str(number % 20)}
        sandbox.put("hubspot", "contacts", str(number), {"email": f"{number}@example.com", **theirs})
    items = [{**created, "objectId": number, "eventId": number} for number in range(1, 121)]
    collect(loop, "hubspot", json.dumps(items).encode(), Driver.WORKER)
    while work(loop):
        continue
    models = loop.settings.models_dir / "lead_score"
    put_variation(models / "1", models / "2", trees=3)
    (models / "champion").write_text("2")
    loop.predictor.refresh()
    clock.move(hours=1)
    before = len(sandbox.requests)
    assert ask_all_open(loop, "lead_score", "new version") == 120
    while work(loop):
        continue
    records = sandbox.records("hubspot", "contacts")
    assert {record.properties["predicted_model_version"] for record in records} == {"lead_score 2"}
    with loop.database.read() as session:
        said = session.exec(select(PredictionRow.score).where(PredictionRow.model_version == "2"))
        assert sorted(float(each.properties["predicted_score"]) for each in records) == pytest.approx(sorted(said), abs=1e-6)
    calls = [request for request in list(sandbox.requests)[before:] if request.path.endswith("/batch/update")]
    assert [request.status for request in calls] == [200, 200], "a hundred records a call"


def test_what_a_related_record_tells_late_has_those_scored_anew_who_were_scored_without_it(
    make_loop: LoopFactory, clock: FakeClock, tmp_path: Path
) -> None:
    put_champion_that_reads_companies(tmp_path / "models")
    loop = make_loop(model=False)

    def tell(kind: str, number: str, at: datetime, **said: Any) -> None:
        item = {**generic(number, at=at, **said), "type": f"{kind}.changed", "entity": {"kind": kind, "id": number}}
        collect(loop, "generic", json.dumps([item]).encode(), Driver.WORKER)
        worker.sweep_inbox(loop)

    def seen() -> list[Any]:
        return [row.features["company_industry"] for row in scored(loop)]

    tell("company", "70", NOON, industry="retail")
    tell("contact", "ada", NOON, sessions=1, company_id="70")
    tell("contact", "bo", NOON, sessions=1)
    clock.move(hours=1)
    scored_at = clock.now()
    tell("contact", "ada", scored_at, sessions=2)
    assert seen() == ["retail", None, "retail"]
    clock.move(hours=1)
    tell("company", "70", clock.now(), industry="steel")
    tell("company", "70", scored_at + timedelta(minutes=10), phone="1")
    assert len(seen()) == 3, "of what happened since then nobody was scored without it"
    tell("company", "70", scored_at - timedelta(minutes=10), industry="finance")
    assert seen() == ["retail", None, "retail", "steel"], "ada alone, by all that is known now"
    assert scored(loop)[-1].entity_id == scored(loop)[0].entity_id


def put_champion_that_reads_companies(models_dir: Path) -> None:
    inputs = (Input(name="sessions", kind=InputKind.NUMBER), Input(name="company_industry", kind=InputKind.CATEGORY))
    generator = np.random.default_rng(0)
    industries = [str(generator.choice(["retail", "steel"])) for _ in range(200)]
    rows = [{"sessions": int(generator.integers(9)), "company_industry": industry} for industry in industries]
    table = TypedTable(inputs, typed_rows(inputs, rows), generator.integers(0, 2, len(rows)))
    put_champion(train(replace(MODEL, learners={}), table, data_hash="", now=NOON), models_dir)
