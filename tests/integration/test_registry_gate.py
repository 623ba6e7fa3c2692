"""The registry with its gate, on a real MLflow: who becomes champion, who comes back, and what no failure may harm."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

from api.app import create_app
from data.errors import NotFound, NotReady, Refused
from data.settings import Scope, Settings
from ml import copies, model_registry, tracking
from ml.champions import How
from ml.features.inputs import Input, InputKind
from ml.learners.base import probability
from ml.model_registry import Registered
from ml.models.base import of_user_table
from ml.serving.predictor import Predictor
from ml.training.compare import compare
from ml.training.ladder import TypedTable
from ml.training.rows import HOLDOUT, LEARNED, read_rows
from ml.training.train import Trained, save_trained, train
from ml.version import CHALLENGER, CHAMPION
from tests.support import NOON, bearer, serving, settings_for, until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("same_plots_are_drawn_once")]
INPUTS = (Input(name="visits", kind=InputKind.NUMBER), Input(name="region", kind=InputKind.CATEGORY, categories=("north", "south")))


def table(rows: int = 3_000, *, nonsense: bool = False) -> TypedTable:
    """`nonsense`: the rows that teach have somebody else's outcome."""
    generator = np.random.default_rng(0)
    visits = generator.integers(0, 9, rows)
    region = generator.choice(["north", "south"], rows)
    labels = (generator.random(rows) < probability(0.6 * visits - 2.5 + (region == "north"))).astype(np.int64)
    if nonsense:
        early = int(rows * 0.8)
        labels[:early] = 1 - labels[:early]
    return TypedTable(INPUTS, pl.DataFrame({"visits": visits.astype(float), "region": region}), labels)


@cache
def taught(*, nonsense: bool) -> Trained:
    """The same version under every name."""
    model = replace(of_user_table("anybody", "won"), learners={"logistic": ({"C": 1.0},)})
    return train(model, table(nonsense=nonsense), data_hash="", now=NOON, seed=0)


@dataclass(frozen=True)
class Bench:
    """One machine's view of the registry."""

    mlflow: Any
    settings: Settings

    @property
    def folder(self) -> Path:
        return self.settings.models_dir

    def register(self, name: str, *, nonsense: bool = False, **options: Any) -> Registered:
        trained = taught(nonsense=nonsense)
        card = trained.card.model_copy(update={"model": name})
        trained = replace(trained, version=replace(trained.version, card=card))
        logged = tracking.log_run(
            self.mlflow, trained, experiment="gate", artifacts_dir=self.settings.mlflow_artifacts_dir, extra_metrics={}
        )
        return model_registry.register(self.mlflow, trained, logged, self.folder, now=NOON, **options)

    def aliases(self, name: str) -> dict[str, str]:
        found = model_registry.standing(self.mlflow, name).aliases
        here = {alias: copies.pointed(self.folder, name, alias) for alias in (CHAMPION, CHALLENGER)}
        assert {alias: version for alias, version in here.items() if version} == found, "the pointers are the aliases"
        return found

    def serving(self, name: str) -> str:
        predictor = Predictor(self.folder, hot_threshold=0.5, hot_share=0.05)
        predictor.refresh()
        return predictor.champion(name).card.version


@pytest.fixture(scope="module", autouse=True)
def _our_code_is_not_copied_beside_each_version() -> Iterator[None]:
    """Hundreds of files, which nobody reads here (test_registry does)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "_code", lambda scratch: [])
        yield


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    settings = settings_for(tmp_path_factory.mktemp("gate"))
    return Bench(tracking.connect(settings.mlflow_tracking_uri, settings.mlflow_artifacts_dir), settings)


def test_a_version_goes_through_the_gate_and_comes_back(bench: Bench) -> None:
    first = bench.register("whole")
    assert first.decision.promote
    assert bench.aliases("whole") == {"champion": "1"}

    worse = bench.register("whole", nonsense=True)
    assert not worse.decision.promote
    assert worse.decision.champion == "1"
    assert any("log-loss" in reason for reason in worse.decision.reasons)
    assert bench.aliases("whole") == {"champion": "1", "challenger": "2"}
    tags = bench.mlflow.MlflowClient().get_model_version("whole", "2").tags
    assert tags["leadloop.gate"] == "refused"
    assert "log-loss" in tags["leadloop.gate.reasons"]
    assert "[" in tags["leadloop.gate.log_loss"]

    with pytest.raises(Refused, match=r"never champion.*log-loss.*forced"):
        model_registry.promote(bench.mlflow, "whole", "2", bench.folder, now=NOON)
    assert bench.serving("whole") == "1"
    model_registry.promote(bench.mlflow, "whole", "2", bench.folder, now=NOON, force=True)
    assert bench.aliases("whole") == {"champion": "2"}
    assert bench.serving("whole") == "2"

    back = model_registry.rollback(bench.mlflow, "whole", bench.folder, now=NOON)
    assert [(move.version, move.how) for move in back.moves] == [("1", How.GATE), ("2", How.FORCED), ("1", How.ROLLBACK)]
    assert bench.aliases("whole") == {"champion": "1"}
    assert bench.serving("whole") == "1"
    with pytest.raises(Refused, match="no other champion before 1"):
        model_registry.rollback(bench.mlflow, "whole", bench.folder, now=NOON)

    again = model_registry.promote(bench.mlflow, "whole", "2", bench.folder, now=NOON)
    assert again.aliases["champion"] == "2", "it was champion once, so it may be without force"
    assert model_registry.promote(bench.mlflow, "whole", "2", bench.folder, now=NOON).moves == again.moves
    found = compare(bench.folder / "whole" / "1", bench.folder / "whole" / "2")
    assert found.common == 600
    assert found.log_loss is not None
    assert found.log_loss.low > 0


@pytest.mark.parametrize(("model", "version"), [("nobody", "1"), ("../whole", "1"), ("missing", "7"), ("missing", "x")])
def test_what_is_not_there_is_not_promoted(bench: Bench, model: str, version: str) -> None:
    if model == "missing" and not (bench.folder / "missing").exists():
        bench.register("missing")
    with pytest.raises(NotFound):
        model_registry.promote(bench.mlflow, model, version, bench.folder, now=NOON, force=True)


def test_an_input_that_serving_does_not_give_keeps_a_version_from_the_place(bench: Bench) -> None:
    found = bench.register("unserved", served={"visits"})
    assert not found.decision.promote
    assert "'region'" in found.decision.summary
    assert bench.aliases("unserved") == {"challenger": "1"}
    with pytest.raises(Refused, match="'region'"):
        model_registry.promote(bench.mlflow, "unserved", "1", bench.folder, now=NOON)
    forced = model_registry.promote(bench.mlflow, "unserved", "1", bench.folder, now=NOON, force=True)
    assert forced.aliases == {"champion": "1"}


def damaged(folder: Path) -> None:
    path = folder / "logistic.json"
    path.write_bytes(path.read_bytes()[:50])


def stored(bench: Bench, name: str, version: str) -> Path:
    """Where MLflow keeps a version's files."""
    run_id = bench.mlflow.MlflowClient().get_model_version(name, version).run_id
    (found,) = bench.settings.mlflow_artifacts_dir.glob(f"**/{run_id}/**/leadloop")
    return found


def test_a_corrupt_copy_of_the_champion_is_fetched_anew(bench: Bench) -> None:
    bench.register("corrupt")
    damaged(bench.folder / "corrupt" / "1")
    assert bench.register("corrupt").decision.promote
    assert bench.aliases("corrupt") == {"champion": "2"}
    damaged(bench.folder / "corrupt" / "1")
    assert model_registry.rollback(bench.mlflow, "corrupt", bench.folder, now=NOON).aliases["champion"] == "1"
    assert bench.serving("corrupt") == "1"


@pytest.mark.parametrize("name", [HOLDOUT, LEARNED])
def test_a_champion_s_rows_that_cannot_be_read_are_fetched_anew(bench: Bench, name: str) -> None:
    model = f"rows_{name.partition('.')[0]}"
    bench.register(model)
    path = bench.folder / model / "1" / name
    path.write_bytes(path.read_bytes()[:-20])
    assert bench.serving(model) == "1", "who serves is not harmed"
    found = bench.register(model)
    assert found.decision.promote
    assert found.decision.notes == ()
    assert read_rows(bench.folder / model / "1") is not None


@pytest.mark.parametrize("name", [HOLDOUT, LEARNED])
def test_rows_that_nobody_can_read_keep_no_version_from_serving(bench: Bench, name: str) -> None:
    model = f"lost_{name.partition('.')[0]}"
    bench.register(model)
    assert bench.register(model).decision.promote
    for folder in (bench.folder / model / "1", stored(bench, model, "1")):
        (folder / name).write_bytes(b"PAR1 no more")
    assert model_registry.rollback(bench.mlflow, model, bench.folder, now=NOON).aliases["champion"] == "1"
    assert bench.serving(model) == "1"
    refused = bench.register(model).decision
    assert not refused.promote
    assert "champion 1 cannot be asked" in refused.summary


def test_a_champion_that_nobody_can_read_is_not_replaced_unasked(bench: Bench) -> None:
    bench.register("ruined")
    damaged(bench.folder / "ruined" / "1")
    damaged(stored(bench, "ruined", "1"))
    found = bench.register("ruined")
    assert not found.decision.promote
    assert "champion 1 cannot be asked" in found.decision.summary
    assert bench.aliases("ruined") == {"champion": "1", "challenger": "2"}
    model_registry.promote(bench.mlflow, "ruined", "2", bench.folder, now=NOON, force=True)
    assert bench.serving("ruined") == "2"
    with pytest.raises(NotReady, match="neither from here nor from MLflow"):
        model_registry.rollback(bench.mlflow, "ruined", bench.folder, now=NOON)
    assert bench.aliases("ruined") == {"champion": "2"}


@pytest.mark.parametrize("step", ["copy", "decision"])
def test_a_full_disk_harms_no_champion(bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    name = f"full_{step}"
    bench.register(name)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(*((model_registry, "save_trained") if step == "copy" else (copies, "write_decision")), full)
        with pytest.raises(NotReady, match="No space left on device"):
            bench.register(name)
    assert bench.aliases(name) == {"champion": "1"}
    assert bench.serving(name) == "1"
    assert [path.name for path in (bench.folder / name).glob(".*")] == []
    assert bench.register(name).card.version == "3"
    assert bench.aliases(name) == {"champion": "3"}


def test_mlflow_away_harms_no_champion(bench: Bench) -> None:
    bench.register("away")
    try:
        tracking.connect("http://127.0.0.1:9", bench.settings.mlflow_artifacts_dir)
        for call in (
            lambda: bench.register("away"),
            lambda: model_registry.rollback(bench.mlflow, "away", bench.folder, now=NOON),
            lambda: model_registry.pull_champions(bench.mlflow, bench.folder),
        ):
            with pytest.raises(NotReady, match="MLflow"):
                call()
        assert bench.serving("away") == "1"
    finally:
        tracking.connect(bench.settings.mlflow_tracking_uri, bench.settings.mlflow_artifacts_dir)
    assert bench.aliases("away") == {"champion": "1"}


@pytest.fixture
def elsewhere(bench: Bench, tmp_path: Path) -> Bench:
    """Another machine with the same MLflow."""
    return replace(bench, settings=bench.settings.model_copy(update={"var_dir": tmp_path}))


def test_another_machine_follows_every_move(bench: Bench, elsewhere: Bench) -> None:
    def pulled() -> list[str]:
        moved = model_registry.pull_champions(elsewhere.mlflow, elsewhere.folder)
        return [name for name in moved if name == "followed"]

    bench.register("followed")
    bench.register("followed", nonsense=True)
    assert pulled() == ["followed"]
    assert elsewhere.aliases("followed") == {"champion": "1", "challenger": "2"}
    assert copies.read_decision(elsewhere.folder / "followed" / "2") == copies.read_decision(bench.folder / "followed" / "2")
    assert pulled() == []
    model_registry.promote(bench.mlflow, "followed", "2", bench.folder, now=NOON, force=True)
    assert pulled() == ["followed"]
    assert elsewhere.aliases("followed") == {"champion": "2"}
    model_registry.rollback(elsewhere.mlflow, "followed", elsewhere.folder, now=NOON)
    assert model_registry.pull_champions(bench.mlflow, bench.folder) == ["followed"]
    assert bench.serving("followed") == elsewhere.serving("followed") == "1"


def test_a_running_service_follows_mlflow_and_mends_a_copy_that_is_broken(bench: Bench, tmp_path: Path) -> None:
    """As on another machine: nothing lies there, and nobody tells it."""
    bench.register("polled")
    settings = settings_for(tmp_path, mlflow_tracking_uri=bench.settings.mlflow_tracking_uri, champion_poll_seconds=0.2)
    with serving(create_app(settings)) as url, httpx.Client(base_url=url, headers=bearer(Scope.READ)) as client:

        def served() -> Any:
            answer = client.get("/models/polled")
            return answer.json()["version"] if answer.status_code == 200 else None

        until("the first champion is fetched and served", lambda: served() == "1")
        bench.register("polled")
        until("the second takes its place", lambda: served() == "2")
        damaged(settings.models_dir / "polled" / "1")
        model_registry.rollback(bench.mlflow, "polled", bench.folder, now=NOON)
        until("the broken copy is fetched anew", lambda: served() == "1")
        assert client.get("/models/polled").json()["load_error"] is None


def test_a_half_written_artefact_is_not_served_and_holds_up_no_other_model(bench: Bench, elsewhere: Bench) -> None:
    bench.register("a_half")
    bench.register("z_whole")
    model_registry.pull_champions(elsewhere.mlflow, elsewhere.folder)
    bench.register("a_half")
    bench.register("z_whole")
    (stored(bench, "a_half", "2") / "card.json").unlink()
    with pytest.raises(NotReady):
        model_registry.pull_champions(elsewhere.mlflow, elsewhere.folder)
    assert (elsewhere.serving("a_half"), elsewhere.serving("z_whole")) == ("1", "2")
    # Here the copy is whole, and so is what is served.
    assert bench.serving("a_half") == "2"
    (stored(bench, "a_half", "2") / "card.json").write_text((bench.folder / "a_half" / "2" / "card.json").read_text())
    assert model_registry.pull_champions(elsewhere.mlflow, elsewhere.folder) == ["a_half"]


def test_a_copy_that_is_told_to_be_broken_is_fetched_anew(bench: Bench, elsewhere: Bench) -> None:
    bench.register("healed")
    model_registry.pull_champions(elsewhere.mlflow, elsewhere.folder)
    damaged(elsewhere.folder / "healed" / "1")
    assert model_registry.pull_champions(elsewhere.mlflow, elsewhere.folder) == []
    model_registry.pull_champions(elsewhere.mlflow, elsewhere.folder, anew=[("healed", "1")])
    assert elsewhere.serving("healed") == "1"


def test_somebody_else_s_model_in_the_same_registry_is_left_alone(bench: Bench, elsewhere: Bench) -> None:
    client = bench.mlflow.MlflowClient()
    client.create_registered_model("theirs")
    client.create_model_version("theirs", source=bench.folder.as_uri())
    client.set_registered_model_alias("theirs", "champion", "1")
    assert "theirs" not in model_registry.pull_champions(elsewhere.mlflow, elsewhere.folder)
    assert copies.pointed(elsewhere.folder, "theirs", CHAMPION) is None


def test_a_rollback_needs_no_training_and_few_calls(bench: Bench) -> None:
    """What was champion lies here whole: MLflow is asked and told, and no file of a version is fetched or written."""
    for _ in range(2):
        bench.register("quick")
    before = {path: path.stat().st_mtime_ns for path in (bench.folder / "quick").glob("*/*")}
    assert model_registry.rollback(bench.mlflow, "quick", bench.folder, now=NOON).aliases["champion"] == "1"
    assert {path: path.stat().st_mtime_ns for path in (bench.folder / "quick").glob("*/*")} == before
    moves = json.loads(bench.mlflow.MlflowClient().get_registered_model("quick").tags[model_registry.MOVES_TAG])
    assert moves[-1]["how"] == "rollback"
    shutil.rmtree(bench.folder / "quick" / "2")
    assert model_registry.promote(bench.mlflow, "quick", "2", bench.folder, now=NOON).aliases["champion"] == "2"


def test_a_version_whose_copy_cannot_be_loaded_is_not_crowned(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.register("unread")

    def save_badly(trained: Trained, folder: Path) -> None:
        save_trained(trained, folder)
        damaged(folder)

    monkeypatch.setattr(model_registry, "save_trained", save_badly)
    found = bench.register("unread")
    assert not found.decision.promote
    assert "its copy cannot be loaded" in found.decision.summary
    assert bench.aliases("unread") == {"champion": "1", "challenger": "2"}
    assert bench.serving("unread") == "1"


def test_a_damaged_decision_is_told_and_moves_nothing(bench: Bench) -> None:
    bench.register("undecided")
    bench.register("undecided", nonsense=True)
    (bench.folder / "undecided" / "2" / copies.DECISION).write_text("{")
    with pytest.raises(NotReady, match="nobody knows what the gate said of version 2"):
        model_registry.promote(bench.mlflow, "undecided", "2", bench.folder, now=NOON)
    assert bench.aliases("undecided") == {"champion": "1", "challenger": "2"}
    model_registry.promote(bench.mlflow, "undecided", "2", bench.folder, now=NOON, force=True)


def test_models_beyond_the_first_page_of_the_registry_are_followed(bench: Bench, elsewhere: Bench) -> None:
    client = bench.mlflow.MlflowClient()
    for number in range(101):
        client.create_registered_model(f"before {number:03d}")
    bench.register("z_last")
    assert "z_last" in model_registry.pull_champions(elsewhere.mlflow, elsewhere.folder)
