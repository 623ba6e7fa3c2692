"""Which deliveries a score makes, and who carries them."""

import json

import httpx

from automation.destinations.crm import HUBSPOT
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.state import Sandbox
from data.domain.event import Driver
from data.settings import Scope
from tests.outbox import by_destination, contact, score, states
from tests.support import COLD, HOT, FakeClock, bearer


def test_a_hot_lead_gets_a_write_back_and_an_alert(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **HOT)
    rows = by_destination(score(api, loop))
    assert set(rows) == {"hubspot", "slack"}
    assert rows["hubspot"]["content"]["email"] == "lead1@example.com"
    assert rows["hubspot"]["content"]["properties"]["predicted_label"] == "high"
    assert rows["slack"]["content"]["block_id"].endswith(rows["slack"]["delivery_id"])


def test_a_cold_lead_gets_a_write_back_only(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **COLD)
    assert set(by_destination(score(api, loop))) == {"hubspot"}


def test_a_record_without_an_address_goes_out_by_the_worker(api: httpx.Client, loop: Loop, sandbox: Sandbox) -> None:
    contact(sandbox, **COLD)
    sandbox.put("hubspot", "contacts", "1", {"email": None})
    assert by_destination(score(api, loop)) == {}
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["confirmed"]


def test_an_event_about_nobody_becomes_a_dead_letter_after_a_few_tries(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    score(api, loop, "404", driver="worker")
    assert api.get("/dead-letters", headers=bearer(Scope.READ)).json() == []
    for _ in range(2):
        clock.move(seconds=5)
        worker.sweep_inbox(loop)
    (letter,) = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    assert letter["stage"] == "enrich"
    assert "does not exist" in letter["reason"]


def test_while_hubspot_is_away_the_event_waits(api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    contact(sandbox, **COLD)
    sandbox.fault = lambda vendor, _path: 502 if vendor == "hubspot" else None
    score(api, loop, driver="worker")
    assert states(api, "hubspot") == []
    sandbox.fault = None
    clock.move(seconds=5)
    worker.sweep_inbox(loop)
    assert states(api, "hubspot") == ["pending"]


def test_n8n_is_not_given_an_address_that_may_have_changed(
    api: httpx.Client, loop: Loop, sandbox: Sandbox, clock: FakeClock
) -> None:
    contact(sandbox, **COLD)
    score(api, loop, at_seconds=1, driver="worker")
    worker.sweep_outbox(loop, HUBSPOT)
    clock.move(hours=2)
    moment = int(clock.now().timestamp() * 1000)
    change = {"eventId": 7, "portalId": 1, "objectId": 1, "occurredAt": moment, "subscriptionType": "contact.propertyChange",
              "propertyName": "hs_analytics_num_visits", "propertyValue": "4"}  # fmt: skip
    (taken,) = collect(loop, "hubspot", json.dumps([change]).encode(), Driver.N8N).events
    scored = api.post("/predict/events", json={"event_ids": [taken.event_id]}, headers=bearer(Scope.SCORE)).json()["scored"]
    answer = api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS)).json()
    assert answer["deliveries"] == []
    worker.sweep_outbox(loop, HUBSPOT)
    assert states(api, "hubspot") == ["confirmed", "confirmed"]
