"""`leadloop models` on the command line, over copies that lie here and an MLflow that knows nothing of them."""

import re
import shutil
from pathlib import Path

import pytest

from ml import copies
from ml.training.gate import Decision
from ml.version import CHALLENGER
from tests.conftest import Run
from tests.support import put_variation

MODEL = "lead_score"


@pytest.fixture
def places(trained_models: Path, tmp_path: Path) -> dict[str, str]:
    folder = Path(shutil.copytree(trained_models, tmp_path / "models"))
    put_variation(folder / MODEL / "1", folder / MODEL / "2", trees=50)
    copies.write_decision(folder / MODEL / "2", Decision(promote=False, reasons=("log-loss: worse",), champion="1"))
    copies.point(folder, MODEL, CHALLENGER, "2")
    return {
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'leadloop.db'}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("list",), 0, r"lead_score .* 1 .* 2 .* 2, 1"),
        (("show", MODEL), 0, r"champion 1[\s\S]*refused[\s\S]*Version 2 did not pass:\n  log-loss: worse"),
        (("compare", MODEL, "1", "2"), 0, r"are not\s+comparable[\s\S]*AUC"),
        (("show", "nobody"), 1, "no model 'nobody'"),
        (("compare", MODEL, "1", "../2"), 1, "has no version"),
        (("promote", MODEL, "2"), 1, "no model 'lead_score' in MLflow"),
        (("rollback", MODEL), 1, "no model 'lead_score' in MLflow"),
    ],
)  # fmt: skip
def test_versions_are_shown_and_what_cannot_be_done_is_one_clear_line(
    leadloop: Run, places: dict[str, str], arguments: tuple[str, ...], status: int, said: str
) -> None:
    found, out, err = leadloop("models", *arguments, **places)
    assert found == status, err
    assert re.search(said, err if status else out), out + err
    assert len(err.strip().splitlines()) == (1 if status else 0)


@pytest.mark.slow
def test_a_damaged_copy_is_one_clear_line(leadloop: Run, places: dict[str, str]) -> None:
    (Path(places["VAR_DIR"]) / "models" / MODEL / "2" / "holdout.parquet").write_bytes(b"{")
    (Path(places["VAR_DIR"]) / "models" / MODEL / "2" / "learned_from.parquet").write_bytes(b"")
    status, _, told = leadloop("models", "compare", MODEL, "1", "2", **places)
    assert status == 1
    assert told.count("\n") == 1, told
    assert "no model 'lead_score' in MLflow" in told
