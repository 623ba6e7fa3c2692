"""A champion whose alias was moved in MLflow itself, by nobody that we know: followed, remembered, and in the audit trail once."""

from typing import Any

import pytest

from automation import audit
from automation.jobs import champions
from automation.training import REGISTRY_LOCK
from data.domain.audit import Action
from ml import model_registry, tracking
from ml.champions import How
from ml.version import CHALLENGER, CHAMPION
from tests.conftest import LoopFactory
from tests.integration.test_registry_gate import Bench
from tests.support import NOON, settings_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    settings = settings_for(tmp_path_factory.mktemp("moves"))
    return Bench(tracking.connect(settings.mlflow_tracking_uri, settings.mlflow_artifacts_dir), settings)


def test_a_champion_that_is_named_in_mlflow_itself_is_in_the_audit_trail_once(bench: Bench, make_loop: LoopFactory) -> None:
    bench.register("moved")
    bench.register("moved", nonsense=True)
    loop = make_loop(model=False, mlflow_tracking_uri=bench.settings.mlflow_tracking_uri)

    def pull() -> list[tuple[str, str, dict[str, Any]]]:
        champions.pull(loop)
        rows = audit.listed(loop.database, action=Action.PROMOTE)
        return [(row.actor, row.target, row.details) for row in rows if row.target == "moved"]

    assert pull() == [], "what passed the gate was told where it did"
    model_registry.promote(bench.mlflow, "moved", "2", bench.folder, now=NOON, force=True)
    assert pull() == [], "what was promoted was told by whoever did"
    client = bench.mlflow.MlflowClient()
    client.set_registered_model_alias("moved", CHAMPION, "1")
    told = ("mlflow", "moved", {"version": "1", "before": "2", "by": "its alias in MLflow"})
    assert pull() == [told]
    assert pull() == [told]
    model_registry.pull_champions(bench.mlflow, bench.folder)
    assert model_registry.note_moves(bench.mlflow, bench.folder, now=NOON) == [], "another machine finds it told"
    assert model_registry.standing(bench.mlflow, "moved").moves[-1].how is How.ELSEWHERE
    client.set_registered_model_alias("moved", CHALLENGER, "2")
    client.delete_registered_model_alias("moved", CHAMPION)
    assert pull() == [told]
    assert bench.serving("moved") == "1"


def test_a_promotion_that_is_half_done_is_not_taken_for_a_move_in_mlflow(bench: Bench, make_loop: LoopFactory) -> None:
    bench.register("half")
    bench.register("half", nonsense=True)
    loop = make_loop(model=False, mlflow_tracking_uri=bench.settings.mlflow_tracking_uri)
    champions.pull(loop)
    with loop.database.exclusive(REGISTRY_LOCK):  # as a promotion holds it between the alias and what is remembered of it
        bench.mlflow.MlflowClient().set_registered_model_alias("half", CHAMPION, "2")
        champions.pull(loop)
        assert not [row for row in audit.listed(loop.database) if row.target == "half"]
        assert loop.predictor.champion("half").card.version == "2", "it is followed all the same"
