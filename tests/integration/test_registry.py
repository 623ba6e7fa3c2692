"""Training into a real MLflow, and serving from what it registered."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from data.settings import ROOT, Settings
from ml import model_registry, tracking
from ml.serving.predictor import Predictor
from ml.tables.table import Choice
from ml.training.report import numbered
from scripts.training import Result, train_csv, train_sample
from tests.support import COLD, HOT, settings_for

pytestmark = pytest.mark.slow
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_for(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def trained(settings: Settings) -> Result:
    return train_sample(settings, "lead_score", seed=0, console=QUIET)


@pytest.fixture(scope="module")
def mlflow(settings: Settings) -> Any:
    return tracking.connect(settings.mlflow_tracking_uri, settings.mlflow_artifacts_dir)


def serve(models_dir: Path) -> Predictor:
    predictor = Predictor(models_dir, hot_threshold=0.5, hot_share=0.05)
    predictor.refresh()
    return predictor


def test_the_run_has_everything_that_a_data_person_looks_for(trained: Result, mlflow: Any) -> None:
    experiment = mlflow.get_experiment_by_name("Lead Scoring Optimization")
    run = mlflow.get_run(trained.run_id)
    assert run.info.experiment_id == experiment.experiment_id
    assert {"accuracy", "precision", "recall", "f1", "auc", "log_loss", "ceiling_auc"} <= run.data.metrics.keys()
    assert (run.data.params["max_depth"], run.data.params["learning_rate"], run.data.params["n_estimators"]) == ("5", "0.1", "100")
    assert len(run.data.tags["data_hash"]) == 64
    assert run.data.tags["code_version"]
    client = mlflow.MlflowClient()
    assert {row.path for row in client.list_artifacts(trained.run_id, "plots")} >= {
        "plots/roc_curve.png",
        "plots/lift_by_decile.png",
        "plots/reliability_curve.png",
    }
    assert {row.path for row in client.list_artifacts(trained.run_id, "leadloop")} == {
        "leadloop/card.json",
        "leadloop/preparation.json",
        "leadloop/model.json",
        "leadloop/checksums.json",
        "leadloop/decision.json",
        "leadloop/holdout.parquet",
        "leadloop/learned_from.parquet",
        "leadloop/reference.json",
        "leadloop/report.html",
    }


def test_the_version_is_registered_with_a_signature_and_is_champion(trained: Result, mlflow: Any) -> None:
    champion = mlflow.MlflowClient().get_model_version_by_alias("lead_score", "champion")
    assert str(champion.version) == trained.card.version
    info = mlflow.models.get_model_info("models:/lead_score@champion")
    assert [column.name for column in info.signature.inputs] == [column.name for column in trained.card.inputs]


def test_the_report_lies_beside_the_served_version_with_its_number(trained: Result, mlflow: Any, settings: Settings) -> None:
    version = trained.card.version
    report = (settings.models_dir / "lead_score" / version / "report.html").read_text()
    assert f"lead_score, version {version} · how likely is <b>is_won = yes</b>" in report
    assert "This model can be trusted" in report
    logged = Path(mlflow.artifacts.download_artifacts(run_id=trained.run_id, artifact_path="leadloop/report.html"))
    assert numbered(logged.read_text(), version) == report


def test_mlflow_s_own_copy_takes_raw_columns_and_predicts_the_same(trained: Result, mlflow: Any, settings: Settings) -> None:
    import pandas

    rows = [HOT, COLD, {**HOT, "channel": None, "page_views": None}]
    frame = pandas.DataFrame(rows).astype(dict.fromkeys(("sessions", "engaged_sessions", "page_views"), float))
    theirs = mlflow.pyfunc.load_model("models:/lead_score@champion").predict(frame)
    ours = [prediction.score for prediction in serve(settings.models_dir).champion("lead_score").predict(rows)]
    assert theirs.tolist() == pytest.approx(ours, abs=1e-9)


def test_mlflow_s_own_copy_brings_our_code_and_nothing_that_was_written_at_run_time(trained: Result, mlflow: Any) -> None:
    folder = Path(mlflow.artifacts.download_artifacts("models:/lead_score@champion"))
    assert (folder / "code" / "ml" / "scorer.py").is_file()
    assert {path.suffix for path in (folder / "code").rglob("*") if path.is_file()} <= {".py", ".pyc"}
    assert not (folder / "code" / "data" / "var").exists()


def test_another_machine_pulls_the_champion(trained: Result, mlflow: Any, tmp_path: Path, settings: Settings) -> None:
    assert model_registry.pull_champions(mlflow, tmp_path) == ["lead_score"]
    assert model_registry.pull_champions(mlflow, tmp_path) == []
    here, there = (serve(folder).champion("lead_score").predict([HOT, COLD]) for folder in (settings.models_dir, tmp_path))
    assert [prediction.score for prediction in here] == [prediction.score for prediction in there]


def test_serving_starts_without_mlflow_and_never_imports_it(trained: Result, settings: Settings) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import api.app\n"
        "from ml.serving.predictor import Predictor\n"
        f"predictor = Predictor(Path({str(settings.models_dir)!r}), hot_threshold=0.5, hot_share=0.05)\n"
        "predictor.refresh()\n"
        "assert predictor.champion('lead_score').predict([{'sessions': 3}])\n"
        "assert 'mlflow' not in sys.modules, 'serving imported mlflow'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_user_s_own_table_becomes_a_served_model(settings: Settings, tmp_path: Path) -> None:
    rows = ["Region;Visits;Note;won"]
    for number in range(400):
        region, visits = ("north", number % 9) if number % 3 else ("south", number % 5)
        rows.append(f"{region};{visits};note {number};{'Won' if visits > 3 and region == 'north' else 'Lost'}")
    path = tmp_path / "leads.csv"
    path.write_text("\n".join(rows))
    result = train_csv(
        settings, path, Choice("won", keep=("Region", "Visits")), name="own", budget_seconds=0, seed=0, console=QUIET
    )
    assert {column.name for column in result.card.inputs} == {"Region", "Visits"}
    served = serve(settings.models_dir).champion("own")
    good, bad = served.predict([{"Region": "north", "Visits": "8"}, {"Region": "south", "Visits": "1"}])
    assert good.score > 0.8 > 0.2 > bad.score


def test_mlflow_s_own_copy_counts_dates_up_to_the_row_s_moment_too(settings: Settings, mlflow: Any, tmp_path: Path) -> None:
    import pandas

    generator = np.random.default_rng(0)
    rows = ["asked;renewed;won"]
    for day in range(600):
        age = int(generator.integers(0, 100))
        asked = date(2024, 1, 1) + timedelta(days=day)
        rows.append(f"{asked};{asked - timedelta(days=age)};{'yes' if generator.random() < (0.9 if age > 30 else 0.1) else 'no'}")
    path = tmp_path / "renewals.csv"
    path.write_text("\n".join(rows))
    train_csv(settings, path, Choice("won", time="asked"), name="renewals", budget_seconds=0, seed=0, console=QUIET)
    asked = [{"asked": "2026-03-01", "renewed": "2025-12-01"}, {"asked": "2026-03-01", "renewed": "2026-02-26"}]
    ours = [prediction.score for prediction in serve(settings.models_dir).champion("renewals").predict(asked)]
    assert ours[0] > 0.7 > 0.3 > ours[1]
    theirs = mlflow.pyfunc.load_model("models:/renewals@champion").predict(pandas.DataFrame(asked))
    assert theirs.tolist() == pytest.approx(ours, abs=1e-9)


def test_mlflow_and_what_lies_beside_it_hold_no_secret(trained: Result, settings: Settings) -> None:
    written = [path for path in settings.var_dir.rglob("*") if path.is_file()]
    assert {"mlflow.db", "card.json"} <= {path.name for path in written}
    assert len(settings.secrets()) >= 8
    found = [path for path in written for secret in settings.secrets() if secret.encode() in path.read_bytes()]
    assert found == []
