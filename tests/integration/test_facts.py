"""Facts in the warehouse: what events, look-ups and deletions leave there, how they are read, and how old ones got there."""

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from automation import knowledge
from automation.ask import ask
from automation.clients.pipedrive import FIELD_PATHS
from automation.history import history
from automation.jobs import names, worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.player import PipedrivePlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from automation.sources.properties import KEYED
from automation.training import served_inputs
from data.db import Database
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Driver
from data.domain.fact import Fact, Origin
from data.errors import BadInput
from data.migrations import upgrade
from data.settings import Scope
from data.warehouse import entities, fact_frames, facts
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow
from data.warehouse.predictions import PredictionRow
from ml.features.build import build
from ml.features.facts import EXAMPLES
from ml.features.inputs import Input, InputKind
from ml.features.momentum import Norms
from ml.models.base import of_user_table
from ml.models.lead_score import MODEL
from ml.preparation.base import AS_OF
from ml.training.labels import HORIZON
from ml.training.ladder import TypedTable
from ml.training.train import train
from tests.conftest import LoopFactory
from tests.support import COLD, HOT, NOON, FakeClock, bearer, generic, put_champion

SECOND = timedelta(seconds=1)


def post(loop: Loop, source: str, *items: Any) -> None:
    collect(loop, source, json.dumps(items if source != "pipedrive" else items[0]).encode(), Driver.WORKER)


def hubspot(kind: str, number: int, *, at: int = 0, **change: Any) -> dict[str, Any]:
    """A webhook's item: a creation, or one changed property, so many seconds after NOON."""
    moment = int(NOON.timestamp() * 1000) + at * 1000
    item = {"eventId": 1, "portalId": 1, "objectId": number, "occurredAt": moment, "subscriptionType": f"{kind}.creation"}
    for name, value in change.items():
        item |= {"subscriptionType": f"{kind}.propertyChange", "propertyName": name, "propertyValue": value}
    return item


def rows(loop: Loop) -> list[FactRow]:
    with loop.database.read() as session:
        return list(session.exec(select(FactRow).order_by(FactRow.id)))  # type: ignore[arg-type]


def frame(loop: Loop) -> pl.DataFrame:
    with loop.database.read() as session:
        return knowledge.recall_all(session, loop.inputs())


def features(loop: Loop, *wanted: str, entity: int = 1, model: str = "lead_score") -> tuple[Any, ...]:
    example = pl.DataFrame([(entity, loop.clock.now())], schema=EXAMPLES, orient="row")
    return build(model, example, frame(loop), wanted=wanted).row(0)


def test_an_event_leaves_one_fact_for_each_property(loop: Loop) -> None:
    post(loop, "generic", generic("ada", sessions=4, vip=True, note=" ", tags=["a", 1]))
    found = {row.name: (row.value, row.origin, row.by_us) for row in rows(loop)}
    expected = {"sessions": "4", "vip": "true", "note": None, "tags": '["a", 1]'}
    assert found == {name: (value, "event", False) for name, value in expected.items()}
    assert {(row.occurred_at, row.known_at, row.event_id) for row in rows(loop)} == {(NOON, NOON, 1)}


def test_an_event_without_properties_happened_all_the_same(loop: Loop) -> None:
    post(loop, "hubspot", hubspot("contact", 1))
    assert [(row.name, row.value) for row in rows(loop)] == [("", None)]
    assert features(loop, "events_1d") == (1.0,)


def test_a_repeat_leaves_nothing_more(loop: Loop) -> None:
    item = generic("ada", key="the same", sessions=4)
    post(loop, "generic", item, item)
    post(loop, "generic", item)
    assert len(rows(loop)) == 1


def test_facts_that_are_there_are_not_added_again(database: Database) -> None:
    with database.write() as session:
        (number,) = entities.ensure(session, [EntityRef(source="generic", kind=EntityKind.CONTACT, id="ada")], NOON).values()
        told = [Fact(number, name, "1", NOON, NOON, Origin.BACKFILL) for name in ("a", "b")]
        facts.add(session, told)
        facts.add(session, [*told, Fact(number, "a", "2", NOON + SECOND, NOON + SECOND, Origin.BACKFILL)])
    with database.read() as session:
        assert [(fact.name, fact.value) for fact in facts.of_entities(session, [number])[number]] == [
            ("a", "1"),
            ("b", "1"),
            ("a", "2"),
        ]


def test_a_senders_clock_that_is_ahead_is_set_right_and_the_order_stays(loop: Loop, clock: FakeClock) -> None:
    post(loop, "generic", generic("ada", at=NOON + 9 * SECOND, step="last"), generic("ada", at=NOON + 5 * SECOND, step="first"))
    assert [(row.value, row.occurred_at) for row in rows(loop)] == [("first", NOON - 4 * SECOND), ("last", NOON)]
    assert features(loop, "step") == ("last",)


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(4))), ids=str)
def test_of_a_sender_whose_clock_is_ahead_the_sender_s_order_counts_and_not_that_of_arrival(
    arrival: tuple[int, ...], loop: Loop, clock: FakeClock
) -> None:
    """Each is received before it has happened by its sender's clock, so all of them are dated back to when they came."""
    for number in arrival:
        post(loop, "generic", generic("ada", at=NOON + timedelta(seconds=90 + number), step=str(number)))
        clock.move(seconds=1)
    assert features(loop, "step") == ("3",)
    order = [row.value for row in sorted(rows(loop), key=lambda row: (row.occurred_at, row.known_at, row.id))]
    assert order == ["0", "1", "2", "3"]
    assert all(row.occurred_at <= row.known_at for row in rows(loop))


def test_what_is_deleted_is_known_to_be_empty_from_then_on(loop: Loop, clock: FakeClock) -> None:
    post(loop, "generic", generic("ada", **HOT))
    before = features(loop, "sessions", "channel")
    clock.move(seconds=5)
    post(loop, "generic", {**generic("ada", at=NOON + SECOND), "type": "contact.deleted", "properties": {}})
    assert features(loop, "sessions", "channel") == (None, None)
    example = pl.DataFrame([(1, NOON)], schema=EXAMPLES, orient="row")
    assert build("lead_score", example, frame(loop), wanted=["sessions", "channel"]).row(0) == before


def test_our_own_writes_are_stored_and_never_seen(loop: Loop) -> None:
    post(loop, "hubspot", hubspot("contact", 1, predicted_score="0.9"), hubspot("contact", 1, hs_analytics_num_visits="3"))
    assert [(row.name, row.by_us) for row in rows(loop)] == [("predicted_score", True), ("hs_analytics_num_visits", False)]
    assert set(frame(loop)["name"]) == {"sessions"}
    with loop.database.read() as session:
        assert facts.names_by_us(session) == {"predicted_score"}


def test_a_look_up_stores_what_is_new_and_the_next_one_only_what_changed(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "1", {"email": "ada@example.com", "hs_analytics_num_visits": "3"})
    post(loop, "hubspot", hubspot("contact", 1))
    clock.move(seconds=1)
    worker.sweep_inbox(loop)
    first = {row.name: row.value for row in rows(loop) if row.origin == "lookup"}
    assert first["email"] == "ada@example.com"
    assert first["hs_analytics_num_visits"] == "3"
    assert first["engaged_sessions"] is None, "it was asked for, and the CRM has none"
    assert "lastmodifieddate" not in first
    sandbox.put("hubspot", "contacts", "1", {"hs_analytics_num_visits": "4", "hs_analytics_num_page_views": "9"})
    clock.move(days=2)
    post(loop, "hubspot", hubspot("contact", 1, at=3600, hs_analytics_num_page_views="9"))
    worker.sweep_inbox(loop)
    later = [(row.name, row.value) for row in rows(loop) if row.origin == "lookup" and row.known_at > NOON + 2 * SECOND]
    assert later == [("hs_analytics_num_visits", "4")]


def test_a_look_up_reads_the_accounts_own_fields_too(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    for name in ("shoe_size", "left_empty", "predicted_score"):
        sandbox.define_hubspot_property("contacts", name)
    sandbox.put("hubspot", "contacts", "1", {"hs_analytics_num_visits": "3", "shoe_size": "43", "predicted_score": "0.7"})
    post(loop, "hubspot", hubspot("contact", 1))
    worker.sweep_inbox(loop)
    assert features(loop, "shoe_size") == ("43",)
    assert not {"left_empty", "predicted_score"} & {row.name for row in rows(loop)}


def test_a_token_that_may_not_list_properties_reads_the_others(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.fault = lambda _vendor, path: 403 if "/properties/" in path else None
    sandbox.put("hubspot", "contacts", "1", {"hs_analytics_num_visits": "3", "shoe_size": "43"})
    for number in (1, 1):
        post(loop, "hubspot", hubspot("contact", number, at=number))
        worker.sweep_inbox(loop)
    assert features(loop, "sessions", "shoe_size") == ("3", None)
    assert len([request for request in sandbox.requests if "/properties/" in request.path]) == 1


def test_an_older_event_does_not_win_over_a_look_up_that_changed_nothing(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "1", {"email": "ada@example.com", "hs_analytics_num_visits": "3"})
    for _ in range(2):  # the second look-up finds nothing new
        clock.move(days=2)
        post(loop, "hubspot", hubspot("contact", 1, at=int((clock.now() - NOON).total_seconds())))
        worker.sweep_inbox(loop)
    clock.move(seconds=9)
    post(loop, "hubspot", hubspot("contact", 1, at=3 * 86_400, hs_analytics_num_visits="8"))
    assert features(loop, "sessions") == ("3",), "between the look-ups it was 8; the second one says 3 again"
    post(loop, "hubspot", hubspot("contact", 1, at=4 * 86_400 + 5, hs_analytics_num_visits="9"))
    assert features(loop, "sessions") == ("9",)


def test_pipedrives_fields_have_the_names_that_the_account_gave_them_once_these_are_known(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    keys = {name: sandbox.define_pipedrive_field("persons", name) for name in (*HOT, "predicted_score")}
    player = PipedrivePlayer(sandbox, "http://unused", "user", "password")
    clock.follow_the_machine()
    post(loop, "pipedrive", player.created("7", {"name": "Ada Abel", "email": "ada@abel.example", **HOT, "predicted_score": 0.4}))
    assert keys["sessions"] in {row.name for row in rows(loop)}
    assert not set(HOT) & set(frame(loop)["name"]), "what has no name yet is nothing that a model could see"
    scored_from = clock.now()
    worker.sweep_inbox(loop)
    assert features(loop, "sessions", "channel") == ("5", "referral")
    assert not any(len(name) == 40 for name in frame(loop)["name"])
    assert frame(loop).filter(pl.col("name") == "sessions")["known_at"].min() >= scored_from
    made = build("lead_score", pl.DataFrame([(1, clock.now())], schema=EXAMPLES, orient="row"), frame(loop))
    assert "predicted_score" not in made.columns


PIPEDRIVE_KINDS = {
    "person": ("persons", EntityKind.CONTACT), "organization": ("organizations", EntityKind.COMPANY),
    "deal": ("deals", EntityKind.DEAL), "lead": ("deals", EntityKind.LEAD), "product": ("products", EntityKind.PRODUCT),
    "activity": ("activities", EntityKind.ACTIVITY),
}  # fmt: skip


def test_every_kind_whose_fields_pipedrive_names_is_asked_for_them() -> None:
    assert set(KEYED["pipedrive"]) == set(FIELD_PATHS) == {kind for _, kind in PIPEDRIVE_KINDS.values()}


def test_fields_of_records_that_ask_no_model_have_names_too(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    meta = {"version": "2.0", "action": "create", "company_id": "1", "entity_id": "9", "timestamp": NOON.isoformat()}
    for name, (place, _) in PIPEDRIVE_KINDS.items():
        key = sandbox.define_pipedrive_field(place, f"Our {place}")
        data = {"id": 9, "custom_fields": {key: {"type": "varchar", "value": name}}}
        post(loop, "pipedrive", {"meta": {**meta, "entity": name, "id": name}, "data": data, "previous": None})
    assert not [name for name in frame(loop)["name"] if name.startswith("Our")]
    statuses = iter([None, 500])
    sandbox.fault = lambda _vendor, _path: next(statuses, None)
    names.refresh(loop)
    told = {(row["kind"], row["name"], row["value"]) for row in frame(loop).iter_rows(named=True)}
    expected = {(kind.value, f"Our {place}", name) for name, (place, kind) in PIPEDRIVE_KINDS.items()}
    assert expected - told == {("company", "Our organizations", "organization")}, "the second kind could not be asked"
    clock.move(hours=1)
    names.refresh(loop)
    names.refresh(loop)
    told = {(row["kind"], row["name"], row["value"]) for row in frame(loop).iter_rows(named=True)}
    assert expected <= told
    number = frame(loop).filter(pl.col("kind") == "deal")["entity"][0]
    assert features(loop, "Our deals", entity=number, model="win_probability") == ("deal",)


def test_where_no_crm_is_configured_nobody_is_asked(loop: Loop) -> None:
    names.refresh(loop)


def test_a_prediction_keeps_its_moment_and_its_inputs_whoever_carries_it(api: httpx.Client, loop: Loop) -> None:
    post(loop, "generic", generic("ada", **HOT))
    worker.sweep_inbox(loop)
    event = api.post("/collect/generic?driver=n8n", json=generic("bo", **COLD), headers=bearer(Scope.COLLECT)).json()["events"][0]
    scored = api.post("/predict/events", json={"event_ids": [event["event_id"]]}, headers=bearer(Scope.SCORE)).json()["scored"]
    api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS)).raise_for_status()
    with loop.database.read() as session:
        ada, bo = session.exec(select(PredictionRow).order_by(PredictionRow.id))  # type: ignore[arg-type]
    assert ada.as_of == bo.as_of == NOON
    assert ada.features == {
        "sessions": 5.0,
        "engaged_sessions": 5.0,
        "page_views": 16.0,
        "channel": "referral",
        "is_first_visit": 0.0,
    }
    assert bo.features["is_first_visit"] == 1.0
    again = api.post("/predict/events", json={"event_ids": [event["event_id"]]}, headers=bearer(Scope.SCORE)).json()["scored"]
    assert again[0]["predictions"][0]["features"] == bo.features


def test_features_that_are_no_inputs_are_refused(api: httpx.Client, loop: Loop) -> None:
    event = api.post("/collect/generic?driver=n8n", json=generic(**HOT), headers=bearer(Scope.COLLECT)).json()["events"][0]
    scored = api.post("/predict/events", json={"event_ids": [event["event_id"]]}, headers=bearer(Scope.SCORE)).json()["scored"]
    scored[0]["predictions"][0]["features"]["shoe_size"] = 43
    (refused,) = api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS)).json()["rejected"]
    assert (refused["status"], refused["field"]) == (422, "predictions.0.features")
    assert "shoe_size" in refused["detail"]


def test_a_few_entities_are_read_with_those_they_belong_to(loop: Loop) -> None:
    post(
        loop, "hubspot",
        hubspot("contact", 1, associatedcompanyid="70"), hubspot("company", 70, industry="retail"),
        hubspot("deal", 5, associatedcompanyid="70"), hubspot("deal", 5, dealstage="closedwon"), hubspot("deal", 5, secret="x"),
        hubspot("contact", 2, associatedcompanyid="70"), hubspot("company", 71, industry="finance"),
    )  # fmt: skip
    with loop.database.read() as session:
        (ours,) = entities.ensure(session, [EntityRef(source="hubspot", kind=EntityKind.CONTACT, id="1")], NOON).values()
        alone = fact_frames.of_entities(session, [ours], related=False)
        related = fact_frames.of_entities(session, [ours], related=True)
        every = fact_frames.of_all(session)
    assert alone["name"].to_list() == ["associatedcompanyid"]
    assert sorted(related["name"]) == ["associatedcompanyid", "associatedcompanyid", "dealstage", "industry"]
    assert every.schema == related.schema == fact_frames.SCHEMA
    wanted = ["company_industry", "company_deals_won"]
    example = pl.DataFrame([(ours, NOON)], schema=EXAMPLES, orient="row")
    assert build("lead_score", example, related, wanted=wanted).row(0) == ("retail", 1.0)
    assert build("lead_score", example, every, wanted=wanted).row(0) == ("retail", 1.0)


def test_many_facts_are_read_in_chunks(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    post(loop, "generic", *(generic(f"lead{number}", sessions=number) for number in range(25)))
    with loop.database.read() as session:
        whole = fact_frames.of_all(session)
        monkeypatch.setattr(fact_frames, "CHUNK_ROWS", 10)
        assert fact_frames.of_all(session).equals(whole)
    assert len(whole) == 25


def test_a_property_with_a_name_that_no_crm_has_is_kept_with_its_event_only(loop: Loop) -> None:
    post(loop, "generic", generic("ada", **{"x" * 256: 1, "": 2, "fits": 3}))
    assert [row.name for row in rows(loop)] == ["fits"]


def test_the_warehouse_is_a_table_to_learn_from(loop: Loop, clock: FakeClock) -> None:
    post(loop, "generic", *(generic(f"lead{number}", **(HOT if number % 2 else COLD)) for number in range(10)))
    deal = {"type": "deal.changed", "entity": {"kind": "deal", "id": "1"}}
    clock.move(days=3)
    post(loop, "generic", {**generic(at=clock.now(), contact_id="lead3", status="won"), **deal})
    clock.move(days=HORIZON.days)
    found = history(loop.database, "lead_score", clock.now())
    assert found.labelled.examples["label"].to_list().count(1) == 1
    assert found.features.height == found.labelled.examples.height == 10
    assert found.features.columns[:5] == list(HOT)
    with pytest.raises(BadInput, match="win_probability"):
        history(loop.database, "win_probability", clock.now())


def test_what_was_known_before_there_were_facts_becomes_facts(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database, "0001")
    with database.write() as session:
        put_as_of_0001(session)
    upgrade(database)
    with database.read() as session:
        found = {
            fact.name: (fact.value, fact.occurred_at, fact.known_at, fact.origin) for fact in facts.of_entities(session, [1])[1]
        }
    database.dispose()
    told = NOON + 5 * SECOND
    assert found == {
        "sessions": ("3", told, told, Origin.LOOKUP),
        "email": ("ada@example.com", told, told, Origin.LOOKUP),
        "shoe_size": ("43", NOON, NOON + SECOND, Origin.EVENT),
    }


def put_as_of_0001(session: Session) -> None:
    """One entity of which an event and a look-up told, as it was stored before there were facts."""
    noon, heard = "2026-03-02 12:00:00.000000", "2026-03-02 12:00:01.000000"
    happened, asked = "2026-03-02T12:00:00.000000Z", "2026-03-02T12:00:05.000000Z"
    entity = {"id": 1, "source": "generic", "kind": "contact", "vendor_id": "ada", "created_at": noon,
              "known_values": json.dumps({"sessions": "3", "email": "ada@example.com", "shoe_size": "43"}),
              "known_times": json.dumps({"sessions": asked, "email": asked, "shoe_size": happened})}  # fmt: skip
    payload = {"id": 1, "source": "generic", "driver": "worker", "body": b"", "received_at": heard, "state": "parsed"}
    event = {"id": 1, "source": "generic", "dedupe_key": "k", "type": "contact.changed", "entity_id": 1, "payload_id": 1,
             "occurred_at": noon, "received_at": heard, "properties": '{"shoe_size": 43}', "previous": "{}", "by_us": False,
             "models": "[]", "notes": "{}", "state": "done", "driver": "worker", "attempts": 0,
             "next_attempt_at": heard}  # fmt: skip
    for table, row in (("entities", entity), ("payloads", payload), ("events", event)):
        names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
        session.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), row)


def test_dates_are_durations_up_to_the_moment_of_scoring(make_loop: LoopFactory, clock: FakeClock, tmp_path: Path) -> None:
    put_model_of_a_date(tmp_path / "models")
    loop = make_loop(model=False)
    post(loop, "generic", generic("ada", renewal="2026-02-20"))
    worker.sweep_inbox(loop)
    clock.move(days=60)
    post(loop, "generic", generic("ada", at=clock.now(), renewal="2026-02-20"))
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        fresh, overdue = session.exec(select(PredictionRow).order_by(PredictionRow.id))  # type: ignore[arg-type]
    assert fresh.features == overdue.features
    assert fresh.score < 0.5 < overdue.score


def test_a_deal_is_held_against_the_norms_that_its_version_was_trained_by(
    make_loop: LoopFactory, clock: FakeClock, tmp_path: Path
) -> None:
    put_model_of_norms(tmp_path / "models", {"demo": 4.0})
    loop = make_loop(model=False)
    deal = {"type": "deal.changed", "entity": {"kind": "deal", "id": "1"}}
    post(loop, "generic", {**generic(stage="demo"), **deal})
    clock.move(days=8)
    entity = EntityRef(source="generic", kind=EntityKind.DEAL, id="1")
    answer = ask(loop, "win_probability", entity=entity, features=None, explain=True)
    assert answer.factors is not None
    assert [(factor.feature, factor.value) for factor in answer.factors] == [("days_in_stage_to_norm", pytest.approx(2.0))]


def test_one_asked_by_name_is_known_as_the_loop_knows_it(make_loop: LoopFactory, clock: FakeClock, tmp_path: Path) -> None:
    """A version that learned how a counter grows, and not the counter: HubSpot calls it otherwise."""
    inputs = (Input(name="sessions_growth_7d", kind=InputKind.NUMBER),)
    table = TypedTable(inputs, pl.DataFrame({"sessions_growth_7d": np.arange(40.0)}), (np.arange(40) > 20).astype(np.int64))
    model = replace(MODEL, learners={"logistic": ({"C": 1.0},)})
    put_champion(train(model, table, data_hash="", now=NOON), tmp_path / "models")
    loop = make_loop(model=False)
    post(loop, "hubspot", hubspot("contact", 1, hs_analytics_num_visits="1"))
    clock.move(days=9)
    post(loop, "hubspot", hubspot("contact", 1, at=9 * 86_400, hs_analytics_num_visits="4"))
    entity = EntityRef(source="hubspot", kind=EntityKind.CONTACT, id="1")
    answer = ask(loop, "lead_score", entity=entity, features=None, explain=True)
    assert answer.factors is not None
    assert [(factor.feature, factor.value) for factor in answer.factors] == [("sessions_growth_7d", 3.0)]


def put_model_of_norms(models_dir: Path, stage_days: dict[str, float]) -> None:
    times = np.arange(40.0)
    inputs = (Input(name="days_in_stage_to_norm", kind=InputKind.NUMBER),)
    table = TypedTable(inputs, pl.DataFrame({"days_in_stage_to_norm": times}), (times > 20).astype(np.int64))
    model = replace(MODEL, name="win_probability", learners={"logistic": ({"C": 1.0},)})
    trained = train(model, table, norms=Norms(months={NOON.date().replace(day=1): stage_days}), data_hash="", now=NOON)
    put_champion(trained, models_dir)


def test_a_value_of_another_kind_counts_as_missing_and_that_is_stored_with_its_event(loop: Loop) -> None:
    told = {"hs_analytics_source": "REFERRALS", "hs_analytics_num_visits": "n/a", "hs_analytics_num_page_views": "lots"}
    post(loop, "hubspot", *(hubspot("contact", 1, **{name: value}) for name, value in told.items()))
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        *_, event = session.exec(select(EventRow).order_by(col(EventRow.id))).all()
        *_, prediction = session.exec(select(PredictionRow).order_by(col(PredictionRow.id))).all()
    assert event.properties == {"hs_analytics_num_page_views": "lots"}, "as it came"
    assert event.notes == {
        "schema": "hs_analytics_num_page_views: must be a number of 0 or more, as 4, not 'lots'",
        "features": "not of the kind that lead_score takes, so missing: page_views",
    }
    assert (prediction.features["page_views"], prediction.features["sessions"]) == (None, None)
    assert prediction.features["channel"] == "referral"


def test_a_user_s_own_model_in_the_loop_is_held_against_what_is_known_of_contacts(make_loop: LoopFactory) -> None:
    inputs = (Input(name="Shoe Size", kind=InputKind.NUMBER), Input(name="hat", kind=InputKind.NUMBER))
    frame = pl.DataFrame({"Shoe Size": np.arange(40.0), "hat": np.arange(40.0)})
    table = TypedTable(inputs, frame, (np.arange(40) > 20).astype(np.int64))
    trained = train(of_user_table("own", "won"), table, data_hash="", now=NOON)
    loop = make_loop(lead_model="own", model=False)
    assert served_inputs(loop.settings, loop.database, trained.card) is None  # nothing is known yet
    post(loop, "hubspot", hubspot("contact", 1, shoe_size="43"))
    found = served_inputs(loop.settings, loop.database, trained.card)
    assert found is not None
    assert [column.name in found for column in inputs] == [True, False]
    elsewhere = loop.settings.model_copy(update={"lead_model": "lead_score"})
    assert served_inputs(elsewhere, loop.database, trained.card) is None
    # A table that takes the name of a model of the catalogue is held against the same, and what is made for that model.
    named = served_inputs(elsewhere, loop.database, trained.card.model_copy(update={"model": "lead_score"}))
    assert named is not None
    assert [name in named for name in ("Shoe Size", "hat", "sessions_growth_7d")] == [True, False, True]


def put_model_of_a_date(models_dir: Path) -> None:
    """Whoever's renewal is more than 30 days ago is won."""
    generator = np.random.default_rng(0)
    times = np.sort(generator.uniform(20_000, 20_500, 400))
    ages = generator.uniform(0, 100, len(times))
    inputs, moment = (Input(name="renewal", kind=InputKind.DATE),), Input(name=AS_OF, kind=InputKind.DATE)
    frame = pl.DataFrame({"renewal": times - ages, AS_OF: times})
    table = TypedTable(inputs, frame, (ages > 30).astype(np.int64), times)
    trained = train(replace(MODEL, learners={"logistic": ({"C": 1.0},)}), table, moment=moment, data_hash="", now=NOON)
    put_champion(trained, models_dir)
