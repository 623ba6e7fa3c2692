"""Each kind of bad input gets the contract's answer; nothing accepted is lost; the process goes on."""

import json
from typing import Any

import httpx
import pytest

from automation.sandbox import signing
from data.settings import Scope
from tests.support import (
    HOT,
    HUBSPOT_SECRET,
    HUBSPOT_URL,
    NOON,
    PIPEDRIVE_PASSWORD,
    PIPEDRIVE_USER,
    TOKENS,
    bearer,
    generic,
)

NOON_MS = int(NOON.timestamp() * 1000)
GOOD = {"eventId": 1, "portalId": 2, "objectId": 3, "occurredAt": NOON_MS, "subscriptionType": "contact.creation"}


def hubspot(
    api: httpx.Client, body: bytes, *, secret: str = HUBSPOT_SECRET, url: str = HUBSPOT_URL, at: int = NOON_MS
) -> httpx.Response:
    headers = {
        "X-HubSpot-Signature-v3": signing.hubspot_v3(secret, "POST", url, body, at),
        "X-HubSpot-Request-Timestamp": str(at),
    }
    return api.post("/collect/hubspot", content=body, headers=headers)


def letters(api: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    return found


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def test_hubspot_signature_is_checked(api: httpx.Client) -> None:
    body = json.dumps([GOOD]).encode()
    assert hubspot(api, body).status_code == 202
    problem(hubspot(api, body, secret="another"), 401)
    problem(hubspot(api, body, url="https://hooks.example.com/another"), 401)
    problem(api.post("/collect/hubspot", content=body), 401)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_replayed_or_future_timestamp_is_refused(api: httpx.Client, minutes: int) -> None:
    problem(hubspot(api, json.dumps([GOOD]).encode(), at=NOON_MS + minutes * 60_000), 401)


def test_pipedrive_basic_auth_is_checked(api: httpx.Client) -> None:
    message = {"meta": {"version": "2.0", "action": "create", "entity": "person", "entity_id": 1, "company_id": 1, "id": "x",
                        "timestamp": NOON.isoformat()}, "data": {"id": 1, "name": "Ada"}, "previous": None}  # fmt: skip
    good = {"Authorization": signing.basic(PIPEDRIVE_USER, PIPEDRIVE_PASSWORD)}
    assert api.post("/collect/pipedrive", json=message, headers=good).json()["accepted"] == 1
    problem(api.post("/collect/pipedrive", json=message, headers={"Authorization": signing.basic(PIPEDRIVE_USER, "wrong")}), 401)
    problem(api.post("/collect/pipedrive", json=message), 401)


def test_tokens_and_scopes_are_checked(api: httpx.Client) -> None:
    problem(api.post("/collect/generic", json=generic()), 401)
    problem(api.post("/collect/generic", json=generic(), headers={"Authorization": "Bearer wrong"}), 401)
    refused = problem(api.post("/collect/generic", json=generic(), headers=bearer(Scope.READ)), 403)
    assert "collect" in refused["detail"]
    assert api.post("/collect/generic", json=generic(), headers=bearer(Scope.ADMIN)).status_code == 202
    for path in ("/score", "/predict/events", "/collect/predictions", "/deliveries/lease"):
        problem(api.post(path, json={}, headers=bearer(Scope.READ)), 403)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[NaN]", "NaN"),
        (b"3", "expected a JSON array"),
        (b"[" * 100_000, ""),
    ],
)
def test_an_unparsable_payload_is_kept_as_a_dead_letter(api: httpx.Client, body: bytes, reason: str) -> None:
    answer = api.post("/collect/generic", content=body, headers=bearer(Scope.COLLECT))
    assert (answer.status_code, answer.json()["rejected"]) == (202, 1)
    (letter,) = letters(api)
    assert letter["stage"] == "parse"
    assert reason in letter["reason"]
    assert letter["content"] == body.decode("utf-8", "backslashreplace")


ODD = {
    "unknown type": generic() | {"type": "contact.teleported"},
    "missing field": {"type": "contact.changed"},
    "wrong type": generic() | {"entity": "ada"},
    "NUL": generic(company="Nul\x00 Ltd"),
    "lone surrogate": generic(company="\ud800"),
    "infinite number": generic() | {"properties": {"sessions": float("inf")}},
    "no object": "seven",
    "far future": generic(at=NOON.replace(year=2027)),
    "before our time": generic(at=NOON.replace(year=1970)),
    "no properties": generic() | {"properties": {}},
    "two kinds": generic() | {"type": "deal.changed"},
    "property of another type": generic(sessions="many"),
    "number beyond all floats": generic(sessions=10**400),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_item_is_set_aside_and_its_neighbours_are_taken(api: httpx.Client, name: str) -> None:
    body = json.dumps([generic(), ODD[name], generic()]).encode()
    answer = api.post("/collect/generic", content=body, headers=bearer(Scope.COLLECT))
    accepted = 0 if name == "infinite number" else 2  # an infinity is no JSON at all, so nothing of the payload is
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (202, accepted, 1)
    assert len(letters(api)) == 1


def test_a_number_too_large_for_a_float_is_stored_where_no_type_is_declared(api: httpx.Client) -> None:
    item = generic(**{**HOT, "visits_by_our_own_count": 10**400})
    event = api.post("/collect/generic?driver=n8n", json=item, headers=bearer(Scope.COLLECT)).json()["events"][0]
    (scored,) = api.post("/predict/events", json={"event_ids": [event["event_id"]]}, headers=bearer(Scope.SCORE)).json()["scored"]
    assert 0 < scored["predictions"][0]["score"] < 1


def test_odd_unicode_survives_the_loop(api: httpx.Client) -> None:
    name = "Zoë 🦆 \u202eevil\u202c \u0301 漢字"
    item = generic(**HOT, company=name, entity="ü@example.com")
    answer = api.post("/collect/generic", json=item, headers=bearer(Scope.COLLECT))
    assert answer.json()["accepted"] == 1


def test_more_than_a_hundred_events_are_all_taken(api: httpx.Client) -> None:
    answer = api.post("/collect/generic", json=[generic() for _ in range(101)], headers=bearer(Scope.COLLECT))
    assert answer.json()["accepted"] == 101


def test_two_mebibytes_are_refused(api: httpx.Client) -> None:
    body = b"[" + b" " * (2 * 1024 * 1024) + b"]"
    problem(api.post("/collect/generic", content=body, headers=bearer(Scope.COLLECT)), 413)
    chunked = (part for part in [b"[", b" " * (2 * 1024 * 1024), b"]"])
    problem(api.post("/collect/generic", content=chunked, headers=bearer(Scope.COLLECT)), 413)


def test_an_unknown_source_is_404(api: httpx.Client) -> None:
    problem(api.post("/collect/salesforce", json=[], headers=bearer(Scope.COLLECT)), 404)


@pytest.mark.parametrize(
    ("field", "value"),
    [("sessions", "many"), ("sessions", 1e300), ("sessions", [1]), ("is_first_visit", "perhaps"), ("sessions", 10**400)],
)
def test_score_names_the_field_of_a_wrong_value(api: httpx.Client, field: str, value: Any) -> None:
    assert problem(api.post("/score", json={**HOT, field: value}, headers=bearer(Scope.SCORE)), 422)["field"] == field


def test_score_ignores_what_it_does_not_know_and_takes_what_is_missing_as_missing(api: httpx.Client) -> None:
    plain = api.post("/score", json=HOT, headers=bearer(Scope.SCORE)).json()
    extra = api.post("/score", json={**HOT, "shoe_size": 43, "nested": {"a": [1]}}, headers=bearer(Scope.SCORE)).json()
    none = api.post("/score", json={}, headers=bearer(Scope.SCORE))
    assert plain["score"] == extra["score"]
    assert none.status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"sessions": NaN}', b'{"channel": "\\ud800"}', b'{"sessions": "\\u0000"}', b"[" * 100_000]
)
def test_score_refuses_what_is_no_object(api: httpx.Client, body: bytes) -> None:
    answer = api.post("/score", content=body, headers={**bearer(Scope.SCORE), "content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    problem(answer, answer.status_code)


def scored_entry(api: httpx.Client, entity: str = "ada@example.com") -> dict[str, Any]:
    event = api.post("/collect/generic?driver=n8n", json=generic(entity, **HOT), headers=bearer(Scope.COLLECT)).json()["events"][0]
    answer = api.post("/predict/events", json={"event_ids": [event["event_id"]]}, headers=bearer(Scope.SCORE)).json()
    entry: dict[str, Any] = answer["scored"][0]
    return entry


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"model": "nobody"}, 404),
        ({"model_version": "999"}, 404),
        ({"model_version": "../../etc"}, 404),
        ({"entity": {"source": "generic", "kind": "contact", "id": "eve@example.com"}}, 422),
        ({"entity": None}, 422),
        ({"score": 2}, 422),
        ({"score": None}, 422),
        ({"label": "lukewarm"}, 422),
        ({"factors": "many"}, 422),
        ({"model": "nul\x00"}, 422),
    ],
)
def test_a_wrong_prediction_is_refused_by_entry(api: httpx.Client, change: dict[str, Any], status: int) -> None:
    good, bad = scored_entry(api, "good@example.com"), scored_entry(api, "bad@example.com")
    bad["predictions"][0] |= change
    answer = api.post("/collect/predictions", json=[bad, good], headers=bearer(Scope.PREDICTIONS))
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    (refused,) = answer.json()["rejected"]
    assert (refused["index"], refused["status"]) == (0, status)


def test_a_prediction_for_an_unknown_event_is_404(api: httpx.Client) -> None:
    entry = scored_entry(api)
    entry["event"]["event_id"] = 99_999
    answer = api.post("/collect/predictions", json=[entry], headers=bearer(Scope.PREDICTIONS)).json()
    assert answer["rejected"][0]["status"] == 404


@pytest.mark.parametrize("body", [b"{}", b"3", b"{", b"[3, null, []]", b'[{"event": {"event_id": "7"}, "predictions": []}]'])
def test_predictions_of_another_shape_are_refused(api: httpx.Client, body: bytes) -> None:
    answer = api.post(
        "/collect/predictions", content=body, headers={**bearer(Scope.PREDICTIONS), "content-type": "application/json"}
    )
    assert answer.status_code in (202, 422)
    assert answer.status_code == 422 or len(answer.json()["rejected"]) >= 1


@pytest.mark.parametrize("ids", [["seven"], [-1], [2**70], list(range(1001)), None])
def test_predict_events_refuses_odd_ids(api: httpx.Client, ids: Any) -> None:
    problem(api.post("/predict/events", json={"event_ids": ids}, headers=bearer(Scope.SCORE)), 422)


def test_predict_events_says_which_event_is_unknown(api: httpx.Client) -> None:
    answer = api.post("/predict/events", json={"event_ids": [424242]}, headers=bearer(Scope.SCORE)).json()
    assert "424242" in answer["unscored"][0]["error"]


def test_odd_paths_and_queries_are_refused(api: httpx.Client) -> None:
    read, acts = bearer(Scope.READ), bearer(Scope.ACTIVATE)
    problem(api.get("/deliveries?destination=%00", headers=read), 400)
    problem(api.get("/deliveries?limit=0", headers=read), 422)
    problem(api.post("/deliveries/%00/confirm", json={"lease_id": "x"}, headers=acts), 404)
    problem(api.post("/deliveries/00000000-0000-4000-8000-000000000000/confirm", json={"lease_id": "x"}, headers=acts), 404)
    problem(api.post("/deliveries/lease", json={"destination": "slack\x00"}, headers=acts), 422)
    problem(api.post(f"/dead-letters/{2**70}/replay", headers=bearer(Scope.ADMIN)), 422)
    problem(api.get("/models/%00", headers=read), 404)
    problem(api.get("/nowhere", headers=read), 404)
    problem(api.put("/score", headers=read), 405)


def test_secrets_are_in_no_answer(api: httpx.Client) -> None:
    answers = [
        api.post("/score", json={"sessions": "x"}, headers=bearer(Scope.SCORE)),
        api.post("/score", json={}, headers={"Authorization": f"Bearer {TOKENS[Scope.READ]}"}),
        api.post("/collect/hubspot", content=b"[]"),
    ]
    for answer in answers:
        assert HUBSPOT_SECRET not in answer.text
        assert not any(token in answer.text for token in TOKENS.values())


def test_the_service_still_answers_after_all_that(api: httpx.Client) -> None:
    for item in ODD.values():
        api.post("/collect/generic", content=json.dumps(item).encode(), headers=bearer(Scope.COLLECT))
    assert api.get("/health/ready").json()["status"] == "ok"
