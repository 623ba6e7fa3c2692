"""A champion and its challenger in the loop: who answers, what is stored, what nobody sees, and what the outcomes say."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from sqlalchemy import text
from sqlmodel import select

from automation import models, monitoring
from automation.jobs import champions, worker
from automation.pipeline.context import Loop
from data.domain.traffic import Mode, Traffic, Variant
from data.errors import Refused
from data.settings import Scope
from data.warehouse.predictions import PredictionRow
from ml import copies, tracking
from ml.features.inputs import Input, InputKind
from ml.models import lead_score
from ml.serving.assignment import variant_of
from ml.training.labels import HORIZON
from ml.training.ladder import TypedTable
from ml.training.train import train
from ml.version import CHALLENGER, Version, save
from tests.conftest import LoopFactory
from tests.integration.test_pipeline import hubspot_change, post
from tests.support import COLD, HOT, NOON, FakeClock, bearer, generic, put_variation

MODEL = "lead_score"


@pytest.fixture
def with_challenger(make_loop: LoopFactory, trained_models: Path) -> Callable[..., Loop]:
    """A loop whose model has a challenger: the champion with half of its trees."""

    def make(**overrides: Any) -> Loop:
        loop = make_loop(**overrides)
        folder = loop.settings.models_dir
        put_variation(trained_models / MODEL / "1", folder / MODEL / "2", trees=50)
        copies.point(folder, MODEL, CHALLENGER, "2")
        return loop

    return make


def stored(loop: Loop) -> list[tuple[str, str, bool]]:
    """(version, variant, shadow) of each prediction, in order."""
    with loop.database.read() as session:
        rows = session.execute(text("SELECT model_version, variant, shadow FROM predictions ORDER BY event_id, shadow")).all()
    return [(version, variant, bool(shadow)) for version, variant, shadow in rows]


def test_in_the_shadow_the_challenger_is_stored_and_neither_answers_nor_delivers(
    with_challenger: Callable[..., Loop], addresses: Any
) -> None:
    loop = with_challenger(addresses=addresses)
    models.set_traffic(loop, MODEL, Mode.SHADOW, 1.0)
    post(loop, "generic", [generic("ada@example.com", **HOT)])
    worker.sweep_inbox(loop)
    assert stored(loop) == [("1", "champion", False), ("2", "challenger", True)]
    with loop.database.read() as session:
        alerts = session.execute(
            text("SELECT p.model_version FROM deliveries d JOIN predictions p ON p.id = d.prediction_id")
        ).all()
    assert {version for (version,) in alerts} == {"1"}


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.LIVE])
def test_a_challenger_is_given_what_it_learned_from_though_the_champion_needs_less(
    make_loop: LoopFactory, clock: FakeClock, mode: Mode
) -> None:
    """Its company's size, a property that HubSpot calls otherwise, how a counter has grown."""
    loop = make_loop()
    wanted = {"company_employees": 250.0, "Hat Size": 7.0, "sessions_growth_7d": 2.0}
    inputs = tuple(Input(name=name, kind=InputKind.NUMBER) for name in wanted)
    teaching = np.arange(40.0)
    table = TypedTable(inputs, pl.DataFrame(dict.fromkeys(wanted, teaching)), (teaching > 20).astype(np.int64))
    line = replace(lead_score.MODEL, learners={"logistic": ({"C": 1.0},)})
    trained = train(line, table, data_hash="", now=NOON)
    folder = loop.settings.models_dir / MODEL / "2"
    folder.mkdir()
    save(Version(trained.card.model_copy(update={"version": "2"}), trained.version.scorer), folder)
    copies.point(loop.settings.models_dir, MODEL, CHALLENGER, "2")
    models.set_traffic(loop, MODEL, mode, 1.0)
    post(loop, "hubspot", [hubspot_change(1, "hs_analytics_num_visits", "1")])
    worker.sweep_inbox(loop)
    clock.move(days=9)
    told = {"associatedcompanyid": "70", "hat_size": "7", "hs_analytics_num_visits": "3"}
    later = 9 * 86_400
    post(
        loop, "hubspot",
        [hubspot_change(70, "employees", "250", second=later, subscriptionType="company.propertyChange")]
        + [hubspot_change(1, name, value, second=later) for name, value in told.items()],
    )  # fmt: skip
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        rows = session.exec(select(PredictionRow).where(PredictionRow.model_version == "2")).all()
    assert rows
    assert rows[-1].features == wanted


def test_the_shadow_is_in_no_answer(with_challenger: Callable[..., Loop], running_app: Any) -> None:
    loop = with_challenger()
    models.set_traffic(loop, MODEL, Mode.SHADOW, 1.0)
    app, url = running_app
    app.state.loop = loop
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as api:
        event = api.post("/collect/generic?driver=n8n", json=generic(**HOT), headers=bearer(Scope.COLLECT)).json()["events"][0]
        ask = {"event_ids": [event["event_id"]]}
        scored = api.post("/predict/events", json=ask, headers=bearer(Scope.SCORE)).json()["scored"]
        assert [(one["model_version"], one["variant"]) for one in scored[0]["predictions"]] == [("1", "champion")]
        api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS))
        again = api.post("/predict/events", json=ask, headers=bearer(Scope.SCORE)).json()["scored"]
        assert [one["model_version"] for one in again[0]["predictions"]] == ["1"]
        page = api.get("/", headers=bearer(Scope.READ))
    assert stored(loop) == [("1", "champion", False), ("2", "challenger", True)]
    assert page.text.count("contact.changed") == 1


def test_live_each_entity_is_answered_by_its_own_version_alone(with_challenger: Callable[..., Loop]) -> None:
    loop = with_challenger()
    models.set_traffic(loop, MODEL, Mode.LIVE, 0.5)
    leads = [f"lead{number}@example.com" for number in range(12)]
    for _ in range(2):
        post(loop, "generic", [generic(lead, **HOT) for lead in leads])
        worker.sweep_inbox(loop)
    wanted = [variant_of(MODEL, f"generic contact {lead}", 0.5) for lead in leads] * 2
    assert set(wanted) == set(Variant), "the share must be one that both have"
    assert stored(loop) == [("2" if one is Variant.CHALLENGER else "1", one.value, False) for one in wanted]


def test_an_event_is_answered_once_even_if_the_traffic_changes_between_two_drivers(
    with_challenger: Callable[..., Loop], running_app: Any
) -> None:
    loop = with_challenger()
    app, url = running_app
    app.state.loop = loop
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as api:
        event = api.post("/collect/generic?driver=n8n", json=generic(**HOT), headers=bearer(Scope.COLLECT)).json()["events"][0]
        scored = api.post("/predict/events", json={"event_ids": [event["event_id"]]}, headers=bearer(Scope.SCORE)).json()["scored"]
        late = [{**scored[0], "predictions": [{**scored[0]["predictions"][0], "model_version": "2", "variant": "challenger"}]}]
        for body in (scored, late):
            assert api.post("/collect/predictions", json=body, headers=bearer(Scope.PREDICTIONS)).json()["accepted"] == 1
    assert stored(loop) == [("1", "champion", False)]


def test_a_challenger_that_fails_in_the_shadow_is_nobody_s_loss(with_challenger: Callable[..., Loop]) -> None:
    loop = with_challenger()
    models.set_traffic(loop, MODEL, Mode.SHADOW, 1.0)
    good = loop.predictor.challengers()[MODEL]

    class Stumbling:
        def __getattr__(self, name: str) -> Any:
            return getattr(good, name)

        def predict(self, rows: Any, **options: Any) -> Any:
            raise RuntimeError("the challenger's own fault")

    loop.predictor._challengers = {MODEL: Stumbling()}  # type: ignore[dict-item]
    post(loop, "generic", [generic(**HOT)])
    worker.sweep_inbox(loop)
    assert stored(loop) == [("1", "champion", False)]


def test_a_later_challenger_gets_none_of_an_earlier_one_s_traffic(
    with_challenger: Callable[..., Loop], trained_models: Path
) -> None:
    loop = with_challenger()
    models.set_traffic(loop, MODEL, Mode.LIVE, 1.0)
    folder = loop.settings.models_dir
    put_variation(trained_models / MODEL / "1", folder / MODEL / "3", trees=20)
    copies.point(folder, MODEL, CHALLENGER, "3")
    post(loop, "generic", [generic(**HOT)])
    worker.sweep_inbox(loop)
    assert stored(loop) == [("2", "challenger", False)]


def test_without_a_challenger_there_is_nothing_to_send_traffic_to(loop: Loop) -> None:
    with pytest.raises(Refused, match="has no challenger"):
        models.set_traffic(loop, MODEL, Mode.LIVE, 0.5)
    assert models.state(loop, MODEL).traffic is None


def scored(loop: Loop, *leads: str, **known: Any) -> None:
    post(loop, "generic", [generic(lead, at=loop.clock.now(), **known) for lead in leads])
    worker.sweep_inbox(loop)


def told(loop: Loop, lead: str, **ending: str) -> None:
    """The CRM says of a contact how it ended; of a deal of it, if the ending is a deal's."""
    item = generic(lead, at=loop.clock.now(), **ending)
    deal = {"type": "deal.changed", "entity": {"kind": "deal", "id": f"deal of {lead}"}} if "status" in ending else {}
    post(loop, "generic", [{**item, **deal, "properties": {**ending, **({"contact_id": lead} if deal else {})}}])


def test_outcomes_are_joined_with_the_scores_before_them(with_challenger: Callable[..., Loop], clock: FakeClock) -> None:
    """By the rules of a training: won itself or by its deal within the horizon, else lost; the young ones do not count yet."""
    loop = with_challenger()
    scored(loop, "before the comparison", **HOT)
    clock.move(minutes=1)
    models.set_traffic(loop, MODEL, Mode.SHADOW, 1.0)
    clock.move(minutes=1)
    customers, by_deal, unqualified, silent = (
        [f"{how} {number}" for number in range(6)] for how in ("customer", "deal", "unqualified", "silent")
    )
    scored(loop, *customers, *silent, **HOT)
    scored(loop, *by_deal, *unqualified, **COLD)
    clock.move(days=1)
    for lead in customers:
        told(loop, lead, lifecyclestage="customer")
    for lead in by_deal:
        told(loop, lead, status="won")
    for lead in unqualified:
        told(loop, lead, hs_lead_status="unqualified")
    found = models.compared(loop, MODEL)
    assert found is not None, "nobody has looked yet"
    assert "too few outcomes" in found.said
    clock.move(days=HORIZON.days)
    scored(loop, "young", **HOT)
    told(loop, "young", lifecyclestage="customer")
    found = monitoring.check(loop, MODEL).verdict
    assert found is not None
    assert found == models.compared(loop, MODEL)
    assert [(arm.outcomes, arm.won) for arm in found.arms] == [(24, 12), (24, 12)]
    champion, challenger = loop.predictor.champion(MODEL), loop.predictor.challengers()[MODEL]
    losses = [
        np.mean([-np.log([score, 1 - score]).mean() for score in (one.predict([row])[0].score for row in (HOT, COLD))])
        for one in (champion, challenger)
    ]
    assert found.log_loss is not None
    assert found.log_loss.difference == pytest.approx(losses[1] - losses[0], abs=1e-9)


def test_live_outcomes_go_to_the_version_that_answered(with_challenger: Callable[..., Loop], clock: FakeClock) -> None:
    loop = with_challenger()
    models.set_traffic(loop, MODEL, Mode.LIVE, 0.5)
    clock.move(minutes=1)
    leads = [f"lead{number}" for number in range(12)]
    scored(loop, *leads, **HOT)
    clock.move(days=1)
    theirs = [lead for lead in leads if variant_of(MODEL, f"generic contact {lead}", 0.5) is Variant.CHALLENGER]
    for lead in theirs:
        told(loop, lead, status="won")
    clock.move(days=HORIZON.days)
    found = monitoring.check(loop, MODEL).verdict
    assert found is not None
    assert [(arm.outcomes, arm.won) for arm in found.arms] == [(12 - len(theirs), 0), (len(theirs), len(theirs))]
    models.set_traffic(loop, MODEL, Mode.LIVE, 0.3)
    assert models.compared(loop, MODEL) == found, "another share goes on with the comparison"
    models.set_traffic(loop, MODEL, Mode.SHADOW, 1.0)
    begun = models.compared(loop, MODEL)
    assert begun is not None
    assert [arm.outcomes for arm in begun.arms] == [0, 0]


def test_a_setting_is_kept_for_all_processes(with_challenger: Callable[..., Loop]) -> None:
    loop = with_challenger()
    wanted = Traffic(model=MODEL, champion="1", challenger="2", mode=Mode.LIVE, share=0.25, since=NOON)
    assert models.set_traffic(loop, MODEL, Mode.LIVE, 0.25) == wanted
    assert models.state(loop, MODEL).traffic == wanted
    off = models.set_traffic(loop, MODEL, Mode.OFF, 0.0)
    assert (off.mode, off.challenger) == (Mode.OFF, "2")
    assert loop.predictor.challengers() == {}
    assert models.compared(loop, MODEL) is None


@pytest.mark.slow
def test_who_is_rolled_back_gets_no_traffic_by_the_setting_of_before(with_challenger: Callable[..., Loop]) -> None:
    loop = with_challenger()
    mlflow = tracking.connect(loop.settings.mlflow_tracking_uri, loop.settings.mlflow_artifacts_dir)
    client = mlflow.MlflowClient()
    client.create_registered_model(MODEL)
    for _ in range(2):
        client.create_model_version(MODEL, source=loop.settings.models_dir.as_uri())
    models.promote(loop, MODEL, "1", force=True)
    models.set_traffic(loop, MODEL, Mode.LIVE, 1.0)
    models.promote(loop, MODEL, "2", force=True)
    assert loop.predictor.choose(MODEL, "ada").variant is Variant.CHAMPION
    models.rollback(loop, MODEL)
    champions.refresh(loop)
    choice = loop.predictor.choose(MODEL, "ada")
    assert (choice.served.card.version, choice.variant, choice.shadow) == ("1", Variant.CHAMPION, None)
    setting = models.state(loop, MODEL).traffic
    assert setting is not None
    assert setting.mode is Mode.OFF
