"""`POST /explain/compare`: two feature sets or two stored predictions, and every way to ask wrongly."""

import math
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from data.settings import Scope
from tests.conftest import LoopFactory
from tests.support import COLD, HOT, bearer, generic


def ask(api: httpx.Client, body: Any) -> httpx.Response:
    return api.post("/explain/compare", json=body, headers=bearer(Scope.SCORE))


def test_two_feature_sets_are_compared_in_numbers_and_words(api: httpx.Client) -> None:
    answer = ask(api, {"model": "lead_score", "before": COLD, "after": HOT})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    scores = [api.post("/score", json=lead, headers=bearer(Scope.SCORE)).json()["score"] for lead in (COLD, HOT)]
    assert [found["before"]["score"], found["after"]["score"]] == pytest.approx(scores)
    assert {change["feature"] for change in found["changes"]} == COLD.keys()
    by = math.fsum(change["contribution_change"] for change in found["changes"])
    assert by + found["base_change"] == pytest.approx(found["log_odds_change"], abs=1e-9)
    assert found["base_change"] == pytest.approx(0, abs=1e-5)
    points = math.fsum(change["points_change"] for change in found["changes"])
    assert points + found["base_points_change"] == pytest.approx(100 * (scores[1] - scores[0]), abs=1e-6)
    assert found["summary"].startswith("The score rises from ")
    assert "page views 1 -> 16" in found["summary"]


def test_stored_predictions_are_compared_by_their_events(api: httpx.Client) -> None:
    ids = []
    for lead in (COLD, HOT):
        item = generic(f"{lead['channel']}@example.com", **lead)
        event = api.post("/collect/generic?driver=n8n", json=item, headers=bearer(Scope.COLLECT)).json()["events"][0]
        scored = api.post("/predict/events", json={"event_ids": [event["event_id"]]}, headers=bearer(Scope.SCORE)).json()["scored"]
        assert api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS)).json()["accepted"] == 1
        ids.append(event["event_id"])
    stored = ask(api, {"model": "lead_score", "before_event_id": ids[0], "after_event_id": ids[1]}).json()
    mixed = ask(api, {"model": "lead_score", "before_event_id": ids[0], "after": HOT}).json()
    fresh = ask(api, {"model": "lead_score", "before": COLD, "after": HOT}).json()
    assert stored["summary"] == mixed["summary"] == fresh["summary"]
    assert stored["points_change"] == pytest.approx(fresh["points_change"])


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"model": "lead_score", "before": {"sessions": "many"}, "after": HOT}, 422, "before.sessions"),
        ({"model": "lead_score", "before": HOT, "after": {"page_views": [1]}}, 422, "after.page_views"),
        ({"model": "lead_score", "before": HOT, "after": {"is_first_visit": "perhaps"}}, 422, "after.is_first_visit"),
        ({"model": "lead_score", "before": "hot", "after": HOT}, 422, "before"),
        ({"model": "lead_score", "before": HOT}, 422, "body"),
        ({"model": "lead_score", "before": HOT, "before_event_id": 1, "after": HOT}, 422, "body"),
        ({"model": "lead_score", "before": HOT, "after": HOT, "beside": {}}, 422, "beside"),
        ({"before": HOT, "after": HOT}, 422, "model"),
        ({"model": "no_such", "before": HOT, "after": HOT}, 404, "model"),
        ({"model": "../lead_score", "before": HOT, "after": HOT}, 404, "model"),
        ({"model": "lead_score", "before_event_id": 999, "after": HOT}, 404, "before_event_id"),
        ({"model": "lead_score", "before_event_id": 2**64, "after": HOT}, 422, "before_event_id"),
        ({"model": "lead_score", "before_event_id": "x", "after": HOT}, 422, "before_event_id"),
        ({"model": "lead_score", "before": {"channel": "a\x00b"}, "after": HOT}, 422, "before"),
    ],
)
def test_what_does_not_fit_is_told_by_its_name(api: httpx.Client, body: Any, status: int, field: str) -> None:
    answer = ask(api, body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field


def test_missing_and_unknown_features_are_taken_as_by_score(api: httpx.Client) -> None:
    found = ask(api, {"model": "lead_score", "before": {}, "after": {"shoe_size": 45}}).json()
    assert found["points_change"] == 0
    assert "stays" in found["summary"]


def test_it_takes_the_scope_of_scoring(api: httpx.Client) -> None:
    body = {"model": "lead_score", "before": HOT, "after": HOT}
    assert api.post("/explain/compare", json=body).status_code == 401
    assert api.post("/explain/compare", json=body, headers=bearer(Scope.READ)).status_code == 403


def test_a_model_that_is_not_trained_yet_is_not_ready(
    api: httpx.Client, make_loop: LoopFactory, running_app: tuple[FastAPI, str], tmp_path: Path
) -> None:
    running_app[0].state.loop = make_loop(model=False, var_dir=tmp_path / "another")
    assert ask(api, {"model": "lead_score", "before": HOT, "after": HOT}).status_code == 503


def test_the_docs_show_how_to_ask(api: httpx.Client) -> None:
    schema = api.get("/openapi.json").json()
    examples = schema["components"]["schemas"]["CompareIn"]["examples"]
    assert ask(api, examples[0]).status_code == 200
