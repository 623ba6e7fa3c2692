"""The models over HTTP: what is shown, who may change it, and what is said where it cannot be changed."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from automation.jobs import champions, worker
from automation.pipeline.context import Loop
from data.settings import Scope
from ml import copies
from ml.training.gate import Decision
from ml.version import CHALLENGER, CHAMPION
from tests.conftest import LoopFactory
from tests.integration.test_pipeline import post
from tests.support import COLD, HOT, bearer, generic, put_variation

MODEL = "lead_score"
READ, ADMIN, SCORE = (bearer(scope) for scope in (Scope.READ, Scope.ADMIN, Scope.SCORE))
NOWHERE = "http://127.0.0.1:9"  # the discard port, where nobody listens


@pytest.fixture
def loop(make_loop: LoopFactory, trained_models: Path) -> Loop:
    """A loop with a champion, and a challenger that the gate refused."""
    made = make_loop(mlflow_tracking_uri=NOWHERE)
    folder = made.settings.models_dir
    put_variation(trained_models / MODEL / "1", folder / MODEL / "2", trees=50)
    copies.write_decision(folder / MODEL / "2", Decision(promote=False, reasons=("log-loss: worse",), champion="1"))
    copies.point(folder, MODEL, CHALLENGER, "2")
    return made


def test_a_model_is_shown_with_its_versions_and_the_gate_s_decision(api: httpx.Client) -> None:
    (model,) = api.get("/models", headers=READ).json()
    assert (model["model"], model["version"], model["champion"], model["challenger"]) == (MODEL, "1", "1", "2")
    assert (model["traffic"], model["load_error"]) == (None, None)
    detail = api.get(f"/models/{MODEL}", headers=READ).json()
    assert [(row["version"], row["aliases"]) for row in detail["versions"]] == [("2", ["challenger"]), ("1", ["champion"])]
    assert detail["versions"][0]["decision"]["reasons"] == ["log-loss: worse"]
    assert detail["verdict"] is None
    assert api.get("/models/nobody", headers=READ).status_code == 404


CHANGES: list[tuple[str, str, Any]] = [
    ("POST", "promote", {"version": "2"}),
    ("POST", "rollback", None),
    ("POST", "reload", None),
    ("PUT", "traffic", {"challenger": 0.5, "mode": "live"}),
]


@pytest.mark.parametrize(("method", "what", "body"), CHANGES)
def test_reading_is_not_changing(api: httpx.Client, method: str, what: str, body: Any) -> None:
    assert api.request(method, f"/models/{MODEL}/{what}", json=body, headers=READ).status_code == 403
    assert api.request(method, f"/models/{MODEL}/{what}", json=body).status_code == 401


def test_traffic_is_set_and_seen_at_once(api: httpx.Client) -> None:
    ask = {"entity": {"source": "generic", "kind": "contact", "id": "ada"}, "features": HOT}
    assert api.post(f"/predict/{MODEL}", json=ask, headers=SCORE).json()["variant"] == "champion"
    put = api.put(f"/models/{MODEL}/traffic", json={"challenger": 1, "mode": "live"}, headers=ADMIN)
    assert put.status_code == 200
    assert put.json()["traffic"]["share"] == 1
    assert "too few outcomes" in put.json()["verdict"]["said"]
    answer = api.post(f"/predict/{MODEL}", json=ask, headers=SCORE).json()
    assert (answer["variant"], answer["model_version"]) == ("challenger", "2")
    assert api.post(f"/predict/{MODEL}", json={"features": HOT}, headers=SCORE).json()["variant"] == "champion"
    api.put(f"/models/{MODEL}/traffic", json={"challenger": 1, "mode": "off"}, headers=ADMIN)
    assert api.post(f"/predict/{MODEL}", json=ask, headers=SCORE).json()["model_version"] == "1"


@pytest.mark.parametrize(
    "body", [{"challenger": 2, "mode": "live"}, {"challenger": 0.5, "mode": "sometimes"}, {"mode": "live"}, {}]
)
def test_traffic_that_makes_no_sense_is_refused(api: httpx.Client, body: Any) -> None:
    assert api.put(f"/models/{MODEL}/traffic", json=body, headers=ADMIN).status_code == 422


def test_another_process_sees_the_traffic_at_its_next_look(api: httpx.Client, loop: Loop, make_loop: LoopFactory) -> None:
    other = make_loop(mlflow_tracking_uri=NOWHERE)
    api.put(f"/models/{MODEL}/traffic", json={"challenger": 1, "mode": "live"}, headers=ADMIN)
    assert other.predictor.choose(MODEL, "ada").served.card.version == "1"
    champions.refresh(other)
    assert other.predictor.choose(MODEL, "ada").served.card.version == "2"


def test_a_champion_that_cannot_be_loaded_is_told_and_the_last_good_one_answers(api: httpx.Client, loop: Loop) -> None:
    folder = loop.settings.models_dir
    (folder / MODEL / "2" / "model.json").write_text("{")
    copies.point(folder, MODEL, CHAMPION, "2")
    champions.refresh(loop)
    shown = api.get(f"/models/{MODEL}", headers=READ).json()
    assert (shown["version"], shown["champion"]) == ("1", "2")
    assert "champion 2 cannot be loaded" in shown["load_error"]
    assert api.post("/score", json=HOT, headers=SCORE).json()["model_version"] == "1"
    copies.point(folder, MODEL, CHAMPION, "1")
    champions.refresh(loop)
    assert api.get(f"/models/{MODEL}", headers=READ).json()["load_error"] is None


def test_predict_explains_or_not_and_says_who_answered(api: httpx.Client) -> None:
    explained = api.post(f"/predict/{MODEL}", json={"features": HOT}, headers=SCORE).json()
    plain = api.post(f"/predict/{MODEL}", json={"features": HOT, "explain": False}, headers=SCORE).json()
    scored = api.post("/score", json=HOT, headers=SCORE).json()
    assert explained["prediction"] == pytest.approx(plain["prediction"], abs=1e-9) == pytest.approx(scored["score"], abs=1e-9)
    assert {factor["feature"] for factor in explained["factors"]} == set(HOT)
    assert (plain["factors"], plain["base_value"]) == (None, None)
    for name in ("confidence", "label", "grade", "threshold", "model_version", "variant", "learner", "observed"):
        assert explained[name] == (pytest.approx(plain[name]) if name == "confidence" else plain[name]), name
    assert explained["processing_ms"] >= 0


@pytest.mark.parametrize("lead", [HOT, COLD], ids=["hot", "cold"])
def test_an_answer_says_what_made_it_and_how_sure_it_is(api: httpx.Client, loop: Loop, lead: dict[str, Any]) -> None:
    card = loop.predictor.champion(MODEL).card
    scored = api.post("/score", json=lead, headers=SCORE).json()
    (mine,) = [one for one in card.observed if one.grade == scored["grade"]]
    assert scored["learner"] == card.learner
    assert scored["observed"] == mine.model_dump(mode="json")
    assert mine.low <= mine.rate <= mine.high
    assert f"{mine.rows:,} unseen rows of grade {mine.grade} {mine.rate:.0%} were won" in scored["observed_in_words"]


def test_predict_knows_an_entity_of_the_warehouse(api: httpx.Client, loop: Loop) -> None:
    post(loop, "generic", [generic("ada@example.com", **HOT)])
    champions.refresh(loop)
    worker.sweep_inbox(loop)
    ada = {"source": "generic", "kind": "contact", "id": "ada@example.com"}
    known = api.post(f"/predict/{MODEL}", json={"entity": ada}, headers=SCORE).json()
    assert known["prediction"] == pytest.approx(api.post("/score", json=HOT, headers=SCORE).json()["score"])


@pytest.mark.parametrize(
    ("model", "body", "status", "said"),
    [
        (MODEL, {}, 422, "features"),
        (MODEL, {"features": {"sessions": "many"}}, 422, "sessions"),
        (MODEL, {"features": {"name": "nul\x00"}}, 422, "features"),
        (MODEL, {"entity": {"source": "generic", "kind": "contact", "id": "nobody"}}, 404, "send its features"),
        ("nobody", {"features": HOT}, 404, "there is no such model; there are"),
    ],
)
def test_what_cannot_be_predicted_says_why(api: httpx.Client, model: str, body: Any, status: int, said: str) -> None:
    answer = api.post(f"/predict/{model}", json=body, headers=SCORE)
    assert answer.status_code == status
    assert said in answer.text


@pytest.mark.slow
@pytest.mark.parametrize(("what", "body"), [("promote", {"version": "2", "force": True}), ("rollback", None)])
def test_with_mlflow_away_nothing_moves_and_that_is_said(api: httpx.Client, loop: Loop, what: str, body: Any) -> None:
    answer = api.post(f"/models/{MODEL}/{what}", json=body, headers=ADMIN)
    assert answer.status_code == 503
    assert "MLflow" in answer.json()["detail"]
    assert api.get(f"/models/{MODEL}", headers=READ).json()["version"] == "1"
    assert copies.pointed(loop.settings.models_dir, MODEL, CHAMPION) == "1"


@pytest.mark.slow
def test_reload_serves_what_lies_here_even_with_mlflow_away(api: httpx.Client, loop: Loop) -> None:
    copies.point(loop.settings.models_dir, MODEL, CHAMPION, "2")
    answer = api.post(f"/models/{MODEL}/reload", headers=ADMIN)
    assert (answer.status_code, answer.json()["version"]) == (200, "2")
