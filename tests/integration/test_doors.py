"""The way of one event through the three doors, on both databases."""

import json

import httpx

from automation.pipeline.context import Loop
from data.settings import ROOT, Scope
from tests.support import COLD, HOT, bearer, generic


def test_an_event_walks_through_the_three_doors(api: httpx.Client) -> None:
    collected = api.post("/collect/generic?driver=n8n", json=[generic(**HOT)], headers=bearer(Scope.COLLECT))
    assert collected.status_code == 202
    (event,) = collected.json()["events"]
    assert event["models"] == ["lead_score"]
    scored = api.post("/predict/events", json={"event_ids": [event["event_id"]]}, headers=bearer(Scope.SCORE)).json()["scored"]
    assert scored[0]["predictions"][0]["label"] == "high"
    taken = api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS))
    assert taken.status_code == 202
    assert taken.json()["accepted"] == 1
    assert taken.json()["rejected"] == []


def test_a_repeat_is_dropped(api: httpx.Client) -> None:
    item = generic(key="same", **COLD)
    first = api.post("/collect/generic", json=[item, item], headers=bearer(Scope.COLLECT)).json()
    again = api.post("/collect/generic", json=item, headers=bearer(Scope.COLLECT)).json()
    assert (first["accepted"], first["duplicates"]) == (1, 1)
    assert (again["accepted"], again["duplicates"], again["events"]) == (0, 1, [])


def test_a_second_ask_returns_the_stored_prediction(api: httpx.Client, loop: Loop) -> None:
    event = api.post("/collect/generic?driver=n8n", json=generic(**HOT), headers=bearer(Scope.COLLECT)).json()["events"][0]
    ask = {"event_ids": [event["event_id"]]}
    scored = api.post("/predict/events", json=ask, headers=bearer(Scope.SCORE)).json()["scored"]
    api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS))
    again = api.post("/predict/events", json=ask, headers=bearer(Scope.SCORE)).json()["scored"]
    assert again[0]["predictions"][0]["score"] == scored[0]["predictions"][0]["score"]


def test_the_schema_of_events_is_open_to_whoever_writes_a_sender(api: httpx.Client) -> None:
    whole = api.get("/events/schema")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "application/schema+json")
    assert whole.json() == json.loads((ROOT / "docs" / "events.schema.json").read_text())
    one = api.get("/events/schema?type=deal.changed").json()
    (example,) = one["examples"]
    assert one["title"] == example["type"] == "deal.changed"
    assert api.post("/collect/generic", json=example, headers=bearer(Scope.COLLECT)).json()["accepted"] == 1
    unknown = api.get("/events/schema?type=deal.change")
    assert (unknown.status_code, unknown.json()["field"]) == (422, "type")
    assert "did you mean 'deal.changed'?" in unknown.json()["detail"]


def test_a_value_of_another_type_is_a_dead_letter_that_goes_through_when_it_is_corrected(api: httpx.Client) -> None:
    item = generic(sessions="many")
    assert api.post("/collect/generic", json=item, headers=bearer(Scope.COLLECT)).json()["rejected"] == 1
    (letter,) = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    assert (letter["stage"], json.loads(letter["content"])) == ("validate", item)
    assert letter["reason"].startswith("properties.sessions: must be a number of 0 or more, as 4, not 'many'; correct it")
    corrected = item | {"properties": {"sessions": "4"}}
    assert api.post("/collect/generic", json=corrected, headers=bearer(Scope.COLLECT)).json()["accepted"] == 1
