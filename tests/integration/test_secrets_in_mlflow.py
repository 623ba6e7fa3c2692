"""A secret is planted in every setting, and a model is trained: nothing of them is in MLflow's store or beside the model."""

import json
import sys
from collections.abc import Collection
from pathlib import Path

import polars as pl
import pytest

from data import log
from data.settings import load_settings
from scripts import cli
from tests import bad_tables
from tests.integration.test_secrets import MARKS, PLANTED

NAME = "sealed_leads"


def files_that_have(words: Collection[str], folder: Path) -> set[str]:
    """Names of the files with any of these in their bytes, as they are or as JSON has them."""
    forms = {form.encode() for word in words for form in (word, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1])}
    contents = ((path.name, content(path)) for path in folder.rglob("*") if path.is_file())
    return {name for name, found in contents if any(form in found for form in forms)}


def content(path: Path) -> bytes:
    """The bytes of a file; of a table, which is compressed, what it says."""
    return pl.read_parquet(path).write_csv().encode() if path.suffix == ".parquet" else path.read_bytes()


@pytest.mark.slow
def test_no_secret_is_in_what_a_training_leaves_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(
        _env_file=None, **PLANTED, var_dir=tmp_path, pipedrive_webhook_user="me",
        database_url=f"sqlite:///{tmp_path / 'leadloop.db'}", mlflow_tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
    )  # fmt: skip
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    table = tmp_path / "table.csv"
    table.write_bytes(bad_tables.GOOD)
    monkeypatch.setattr(sys, "argv", ["leadloop", "train", "--csv", str(table), "--target", "won", "--name", NAME, "--budget", "0"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    log.configure(json=True, level="CRITICAL")  # a command logs to the stream of its own test
    assert ended.value.code == 0
    assert {"mlflow.db", "card.json", "report.html"} <= files_that_have([NAME], tmp_path), "all of it is looked through"
    assert len(settings.secrets()) > len(PLANTED)
    assert files_that_have({*settings.secrets(), MARKS[0]}, tmp_path) == set()
