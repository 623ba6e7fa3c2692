"""What a prediction was made of in the loop: its moment, its inputs, and what its version was trained by."""

from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
from sqlmodel import col, select

from automation.ask import ask
from automation.jobs import worker
from automation.pipeline.context import Loop
from automation.training import served_inputs
from data.domain.entity import EntityKind, EntityRef
from data.settings import Scope
from data.warehouse.events import EventRow
from data.warehouse.predictions import PredictionRow
from ml.features.inputs import Input, InputKind
from ml.features.momentum import Norms
from ml.models.base import of_user_table
from ml.models.lead_score import MODEL
from ml.preparation.base import AS_OF
from ml.training.ladder import TypedTable
from ml.training.train import train
from tests.conftest import LoopFactory
from tests.support import COLD, HOT, NOON, FakeClock, bearer, generic, put_champion
from tests.telling import hubspot, post


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
