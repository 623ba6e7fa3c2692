"""The stages together: enrichment, triggers, outcomes, replay, faults of our own, the first page."""

import json
import shutil
from typing import Any

import httpx
import polars as pl
import pytest
from sqlalchemy import text

from automation import knowledge
from automation.dead_letters import replay_letter
from automation.destinations.crm import HUBSPOT
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.record_fields import FIELDS
from automation.sandbox.player import HubSpotPlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.event import Driver
from data.settings import Scope
from data.warehouse import payloads
from data.warehouse.payloads import Payload
from ml.features.build import build
from ml.features.facts import EXAMPLES
from tests.conftest import LoopFactory
from tests.support import COLD, HOT, NOON, FakeClock, bearer, generic


def hubspot_change(number: int, name: str, value: Any, *, second: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "eventId": 1, "portalId": 1, "objectId": number, "occurredAt": int(NOON.timestamp() * 1000) + second * 1000,
        "subscriptionType": "contact.propertyChange", "propertyName": name, "propertyValue": value, **more,
    }  # fmt: skip


def post(loop: Loop, source: str, items: list[Any], driver: Driver = Driver.WORKER) -> Any:
    return collect(loop, source, json.dumps(items).encode(), driver)


def known(loop: Loop) -> dict[str, str | None]:
    """What is known of the only entity there is (or of the first)."""
    with loop.database.read() as session:
        frame = knowledge.recall_all(session, loop.inputs())
    (first, *_) = frame["entity"].unique(maintain_order=True)
    names = frame.filter(pl.col("entity") == first)["name"].unique()
    example = pl.DataFrame([(first, loop.clock.now())], schema=EXAMPLES, orient="row")
    return build("own_table", example, frame, wanted=names).row(0, named=True)


def predictions(loop: Loop) -> list[Any]:
    with loop.database.read() as session:
        return list(session.execute(text("SELECT event_id, score, factors FROM predictions ORDER BY event_id")))


def test_crm_lookup_reads_what_the_event_does_not_carry_once(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox
) -> None:
    loop = make_loop(addresses)
    player = HubSpotPlayer(sandbox, "http://unused", "secret")
    player.define({"engaged_sessions", "is_first_visit"})
    for number in range(1, 6):
        player.created(str(number), {"email": f"lead{number}@example.com", **HOT, "sessions": 7})
    post(loop, "hubspot", [hubspot_change(number, "hs_analytics_num_visits", "7") for number in range(1, 6)])
    worker.sweep_inbox(loop)
    reads = [request for request in sandbox.requests if request.path.endswith("batch/read")]
    assert len(reads) == 1, "five contacts, one call"
    assert [known(loop)[name] for name in ("channel", "page_views", "sessions")] == ["referral", "16", "7"]
    post(loop, "hubspot", [hubspot_change(1, "hs_analytics_num_visits", "8", second=1)])
    worker.sweep_inbox(loop)
    assert len([request for request in sandbox.requests if request.path.endswith("batch/read")]) == 1, "it is known now"


def test_a_change_that_is_no_input_asks_nothing_and_is_remembered(loop: Loop) -> None:
    collected = post(loop, "generic", [generic("bo@example.com", shoe_size=43)])
    assert collected.events[0].models == []
    with loop.database.read() as session:
        assert session.execute(text("SELECT state FROM events")).scalar_one() == "done"
    assert known(loop) == {"shoe_size": "43"}


def test_our_own_write_back_asks_nothing(loop: Loop) -> None:
    collected = post(loop, "hubspot", [hubspot_change(1, "predicted_score", "0.9")])
    assert collected.events[0].models == []


def test_a_won_deal_becomes_an_outcome_once(loop: Loop) -> None:
    deal = {**hubspot_change(5, "dealstage", "closedwon"), "subscriptionType": "deal.propertyChange"}
    post(loop, "hubspot", [deal])
    post(loop, "hubspot", [deal])
    with loop.database.read() as session:
        assert session.execute(text("SELECT result FROM outcomes")).scalars().all() == ["won"]


def test_events_of_one_entity_are_scored_by_all_that_is_known_by_then(loop: Loop) -> None:
    later, sooner = NOON.replace(minute=2), NOON.replace(minute=1)
    post(loop, "generic", [generic("cy@example.com", at=later, **HOT), generic("cy@example.com", at=sooner, **COLD)])
    worker.sweep_inbox(loop)
    (first, second) = predictions(loop)
    assert first.score == second.score > 0.5
    assert known(loop)["channel"] == "referral", "the later value stays, whichever came in first"


def test_a_payload_that_was_never_parsed_is_found_again(loop: Loop, clock: FakeClock) -> None:
    body = json.dumps([generic("di@example.com", **HOT)]).encode()
    with loop.database.write() as session:
        payloads.add(session, Payload(source="generic", driver="worker", body=body, received_at=clock.now()))
    worker.sweep_payloads(loop)
    assert predictions_count(loop) == 0, "its process may be parsing it right now"
    clock.move(seconds=31)
    worker.sweep_payloads(loop)
    worker.sweep_inbox(loop)
    assert predictions_count(loop) == 1
    worker.sweep_payloads(loop)
    assert predictions_count(loop) == 1


def predictions_count(loop: Loop) -> int:
    with loop.database.read() as session:
        return int(session.execute(text("SELECT count(*) FROM predictions")).scalar_one())


def test_without_a_model_events_wait_until_there_is_one(
    make_loop: LoopFactory, clock: FakeClock, trained_models: Any, tmp_path: Any
) -> None:
    loop = make_loop(model=False)
    post(loop, "generic", [generic(**HOT)])
    for _ in range(20):
        worker.sweep_inbox(loop)
        clock.move(seconds=6)
    assert predictions_count(loop) == 0
    shutil.copytree(trained_models, tmp_path / "models", dirs_exist_ok=True)
    loop.predictor.refresh()
    worker.sweep_inbox(loop)
    assert predictions_count(loop) == 1


def test_a_dead_letter_is_replayed_from_its_bytes_and_stays_if_it_still_does_not_fit(api: httpx.Client, loop: Loop) -> None:
    post(loop, "generic", [generic(**HOT), {"id": "broken"}])
    (letter,) = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    answer = api.post(f"/dead-letters/{letter['id']}/replay", headers=bearer(Scope.ADMIN)).json()
    assert answer["replayed"] is False
    assert api.get("/dead-letters?state=open", headers=bearer(Scope.READ)).json()[0]["id"] == letter["id"]
    assert api.post(f"/dead-letters/{letter['id']}/replay", headers=bearer(Scope.READ)).status_code == 403
    assert api.post("/dead-letters/999/replay", headers=bearer(Scope.ADMIN)).status_code == 404


def test_an_event_given_up_goes_on_after_a_replay(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    post(loop, "hubspot", [hubspot_change(77, "hs_analytics_num_visits", "3")])
    for _ in range(3):
        worker.sweep_inbox(loop)
        clock.move(seconds=5)
    with loop.database.read() as session:
        number = session.execute(text("SELECT id FROM dead_letters")).scalar_one()
    sandbox.put("hubspot", "contacts", "77", {"email": "back@example.com", "hs_analytics_num_visits": "3"})
    assert replay_letter(loop, number, dry_run=True).done
    assert predictions_count(loop) == 0
    assert replay_letter(loop, number).done
    worker.sweep_inbox(loop)
    assert predictions_count(loop) == 1


def test_one_event_that_breaks_our_code_does_not_hold_up_the_others(loop: Loop, clock: FakeClock) -> None:
    good, bad = generic("good@example.com", **HOT), generic("bad@example.com", **HOT)
    post(loop, "generic", [good, bad])
    broken = loop.predictor.champion("lead_score")

    class Stumbling:
        def __getattr__(self, name: str) -> Any:
            return getattr(broken, name)

        def predict(self, rows: Any, **options: Any) -> Any:
            if any(row["channel"] == "trap" for row in rows):
                raise RuntimeError("our own fault")
            return broken.predict(rows, **options)

    with loop.database.write() as session:
        session.execute(text("UPDATE facts SET value = 'trap' WHERE name = 'channel' AND event_id = 2"))
    loop.predictor._served = {"lead_score": Stumbling()}  # type: ignore[dict-item]
    for _ in range(loop.settings.max_attempts):
        worker.sweep_inbox(loop)
        clock.move(seconds=700)
    assert predictions_count(loop) == 1
    with loop.database.read() as session:
        assert session.execute(text("SELECT reason FROM dead_letters")).scalar_one() == "an unexpected fault: RuntimeError"


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x>'])
def test_the_first_page_shows_what_happened_and_escapes_it(api: httpx.Client, loop: Loop, name: str) -> None:
    assert api.get("/").status_code == 401
    asked = api.get("/").headers.get_list("www-authenticate")
    assert [header.split()[0] for header in asked] == ["Basic", "Bearer"], "a browser asks only if each has a header of its own"
    post(loop, "generic", [generic("eve@example.com", name=name, **HOT), {"id": name}])
    worker.sweep_inbox(loop)
    page = api.get("/", auth=("anyone", bearer(Scope.READ)["Authorization"].removeprefix("Bearer ")))
    assert page.status_code == 200
    assert name not in page.text
    assert "contact.changed" in page.text
    assert " points" in page.text


def test_the_probes_answer_without_a_token(api: httpx.Client) -> None:
    assert api.get("/health/live").json()["status"] == "ok"
    assert api.get("/health/ready").json()["models"] == {"lead_score": "1"}


def test_models_are_listed_with_what_they_need(api: httpx.Client) -> None:
    (model,) = api.get("/models", headers=bearer(Scope.READ)).json()
    assert model["inputs"] == ["sessions", "engaged_sessions", "page_views", "channel", "is_first_visit"]
    detail = api.get("/models/lead_score", headers=bearer(Scope.READ)).json()
    assert {name: detail[name] for name in model} == model
    assert [(row["version"], row["aliases"]) for row in detail["versions"]] == [("1", ["champion"])]


@pytest.mark.parametrize("name", ["half an emoji \ud83d", "nul\x00"])
def test_a_record_that_no_database_takes_does_not_stop_the_others(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, name: str
) -> None:
    loop = make_loop(addresses)
    for number in ("1", "2"):
        sandbox.put("hubspot", "contacts", number, {"email": f"{number}@example.com", "hs_analytics_num_visits": "3"})
    sandbox.put("hubspot", "contacts", "1", {"firstname": name})
    post(loop, "hubspot", [hubspot_change(number, "hs_analytics_num_visits", "3") for number in (1, 2)])
    worker.sweep_inbox(loop)
    assert predictions_count(loop) == 2


def test_a_new_contact_is_not_scored_by_a_fragment_while_the_crm_cannot_be_read(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "1", {"email": "1@example.com", "hs_analytics_num_visits": "1"})
    sandbox.fault = lambda _vendor, path: 429 if path.endswith("read") else None
    post(loop, "hubspot", [hubspot_change(1, "hs_analytics_num_page_views", "16")])
    worker.sweep_inbox(loop)
    assert predictions_count(loop) == 0
    sandbox.fault = None
    clock.move(seconds=5)
    worker.sweep_inbox(loop)
    assert predictions_count(loop) == 1


def test_an_event_that_comes_late_still_reaches_the_score(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> None:
    loop = make_loop(addresses)
    for name, *_ in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
    sandbox.put("hubspot", "contacts", "1", {"email": "1@example.com", "hs_analytics_num_visits": "1"})
    post(loop, "hubspot", [hubspot_change(1, "hs_analytics_num_visits", "1")])
    worker.sweep_inbox(loop)
    post(loop, "hubspot", [hubspot_change(1, "hs_analytics_num_visits", "6", second=20)])
    worker.sweep_inbox(loop)
    worker.sweep_outbox(loop, HUBSPOT)
    late = [
        hubspot_change(1, name, value, second=10)
        for name, value in (("engaged_sessions", "6"), ("hs_analytics_source", "REFERRALS"))
    ]
    post(loop, "hubspot", late)
    worker.sweep_inbox(loop)
    worker.sweep_outbox(loop, HUBSPOT)
    record = sandbox.get("hubspot", "contacts", "1")
    assert record is not None
    wanted = loop.predictor.champion("lead_score").predict([known(loop)])[0].score
    assert float(record.properties["predicted_score"]) == pytest.approx(wanted, abs=1e-6)
    assert wanted > 0.5


def test_a_late_event_that_changes_the_reasons_and_not_the_score_is_written(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox
) -> None:
    loop = make_loop(addresses)
    for name, *_ in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
    sandbox.put("hubspot", "contacts", "1", {"email": "1@example.com", "hs_analytics_source": "REFERRALS"})
    post(loop, "hubspot", [hubspot_change(1, "hs_analytics_num_visits", "59")])
    worker.sweep_inbox(loop)
    post(loop, "hubspot", [hubspot_change(1, "engaged_sessions", "50", second=5)])
    post(loop, "hubspot", [hubspot_change(1, "hs_analytics_num_visits", "60", second=20)])
    worker.sweep_inbox(loop)
    worker.sweep_outbox(loop, HUBSPOT)
    before = sandbox.get("hubspot", "contacts", "1")
    assert before is not None
    before_properties = dict(before.properties)
    post(loop, "hubspot", [hubspot_change(1, "engaged_sessions", "51", second=10)])
    worker.sweep_inbox(loop)
    worker.sweep_outbox(loop, HUBSPOT)
    after = sandbox.get("hubspot", "contacts", "1")
    assert after is not None
    assert after.properties["predicted_score"] == before_properties["predicted_score"]
    assert "50 visits that lasted" in before_properties["predicted_factors"]
    assert "51 visits that lasted" in after.properties["predicted_factors"]


def test_a_contribution_beyond_all_bounds_is_refused_by_entry(api: httpx.Client, loop: Loop) -> None:
    event = api.post("/collect/generic?driver=n8n", json=generic(**HOT), headers=bearer(Scope.COLLECT)).json()["events"][0]
    scored = api.post("/predict/events", json={"event_ids": [event["event_id"]]}, headers=bearer(Scope.SCORE)).json()["scored"]
    scored[0]["predictions"][0]["factors"][0]["contribution"] = 1e6
    answer = api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS))
    assert answer.status_code == 202
    assert answer.json()["rejected"][0]["status"] == 422
    assert loop.predictor.served()


def test_a_far_future_event_goes_through_when_its_day_has_come(loop: Loop, clock: FakeClock) -> None:
    post(loop, "generic", [generic(at=NOON.replace(day=9), **HOT)])
    with loop.database.read() as session:
        number = session.execute(text("SELECT id FROM dead_letters")).scalar_one()
    assert not replay_letter(loop, number).done
    clock.move(days=7)
    assert replay_letter(loop, number).done
