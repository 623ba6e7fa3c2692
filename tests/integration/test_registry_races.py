"""Trainings at the same time: each is registered, and afterwards all agree on who is champion."""

import csv
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from data.settings import ROOT, Settings
from ml import copies, model_registry, tracking
from ml.champions import line
from ml.serving.predictor import Predictor
from ml.version import CHALLENGER, CHAMPION
from tests.support import settings_for

pytestmark = pytest.mark.slow
PROCESSES = 3
ROWS = 150  # fewer than the trees ask for: what is trained here is soon trained


def write_table(path: Path) -> None:
    generator = random.Random(0)
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["visits", "region", "won"])
        for _ in range(ROWS):
            visits, region = generator.randrange(9), generator.choice(["north", "south"])
            writer.writerow([visits, region, int(generator.random() < visits / 10 + (0.1 if region == "north" else 0))])


def start(settings: Settings, path: Path, seed: int) -> "subprocess.Popen[str]":
    env = {name: value for name, value in os.environ.items() if not name.startswith("LEADLOOP_")} | {
        "LEADLOOP_DATABASE_URL": settings.database_url,
        "LEADLOOP_MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "LEADLOOP_VAR_DIR": str(settings.var_dir),
        "OMP_NUM_THREADS": "1",
    }
    command = ["train", "--csv", str(path), "--target", "won", "--name", "own", "--seed", str(seed), "--budget", "0"]
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.cli", *command],
        cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_trainings_at_the_same_time_leave_one_champion(tmp_path: Path, request: pytest.FixtureRequest, database: str) -> None:
    url = f"sqlite:///{tmp_path / 'leadloop.db'}"
    if database == "postgres":
        from tests.conftest import new_postgres_database

        url = new_postgres_database(request.getfixturevalue("postgres_url"))
    settings = settings_for(tmp_path, database_url=url)
    write_table(tmp_path / "leads.csv")
    running = [start(settings, tmp_path / "leads.csv", seed) for seed in range(PROCESSES)]
    for process in running:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    found = model_registry.standing(tracking.connect(settings.mlflow_tracking_uri, settings.mlflow_artifacts_dir), "own")
    assert sorted(found.versions) == ["1", "2", "3"]
    decisions = {version: copies.read_decision(settings.models_dir / "own" / version) for version in found.versions}
    passed = [version for version in sorted(decisions) if (decision := decisions[version]) is not None and decision.promote]
    # Each was compared with the one that was champion when its turn came, and none with one that was not.
    assert [move.version for move in found.moves] == passed
    for before, version in zip([None, *passed], passed, strict=False):
        decision = decisions[version]
        assert decision is not None
        assert decision.champion == before
    assert found.aliases[CHAMPION] == passed[-1] == line(found.moves, None)[-1]
    assert copies.pointed(settings.models_dir, "own", CHAMPION) == found.aliases[CHAMPION]
    assert copies.pointed(settings.models_dir, "own", CHALLENGER) == found.aliases.get(CHALLENGER)
    predictor = Predictor(settings.models_dir, hot_threshold=0.5, hot_share=0.05)
    predictor.refresh()
    assert predictor.champion("own").card.version == found.aliases[CHAMPION]
