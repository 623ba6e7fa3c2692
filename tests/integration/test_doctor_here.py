"""What the doctor says of this machine, and the command that asks it."""

import json
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from automation.doctor import here
from automation.doctor.findings import Finding, Health
from automation.doctor.run import examine
from automation.jobs import heartbeat
from automation.pipeline.context import Loop
from data.db import Database
from tests.conftest import LoopFactory, Run

Usage = namedtuple("Usage", "total used free")
MIB = 2**20


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Says how many MiB are free."""
    return lambda mib: monkeypatch.setattr(shutil, "disk_usage", lambda _place: Usage(0, 0, int(mib * MIB)))


@pytest.mark.parametrize(("mib", "health"), [(5_000, Health.OK), (1_500, Health.WARNING), (100, Health.BAD)])
def test_room_on_the_disk(loop: Loop, free: Callable[[float], None], mib: float, health: Health) -> None:
    free(mib)
    (found,) = here.disk(loop)
    assert found.health is health
    assert f"{mib / 1024:,.1f} GiB" in found.said
    assert ("`leadloop prune`" in found.remedy) is (health is not Health.OK)


@pytest.mark.parametrize(("mode", "health"), [(0o600, Health.OK), (0o640, Health.WARNING), (0o604, Health.WARNING)])
def test_who_may_read_the_secrets(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, health: Health) -> None:
    monkeypatch.setattr(here, "ROOT", tmp_path)
    (tmp_path / ".env").touch(mode=0o600)
    (tmp_path / ".env").chmod(mode)
    (found,) = here.settings(loop)
    assert found.health is health
    assert ("chmod 600" in found.remedy) is (health is Health.WARNING)


def test_whether_mlflow_answers(make_loop: LoopFactory, tmp_path: Path) -> None:
    assert finding(make_loop(), "mlflow").health is Health.OK
    (tmp_path / "broken.db").write_bytes(b"no database at all" * 100)
    found = finding(make_loop(mlflow_tracking_uri=f"sqlite:///{tmp_path / 'broken.db'}"), "mlflow")
    assert found.health is Health.BAD
    assert found.said


def test_signs_of_life_of_a_worker(loop: Loop, database: Database) -> None:
    (found,) = here.worker(loop)
    if database.is_sqlite:
        assert (found.health, "within the service" in found.said) == (Health.OK, True)
        return
    assert (found.health, "`leadloop worker`" in found.remedy) == (Health.WARNING, True)
    heartbeat.beat(loop.settings)
    (found,) = here.worker(loop)
    assert found.health is Health.OK


def test_whether_n8n_answers_where_it_carries_anything(make_loop: LoopFactory) -> None:
    by_worker = {f"deliver_{vendor}": "worker" for vendor in ("slack", "hubspot", "pipedrive")}
    (found,) = here.n8n(make_loop(**by_worker))
    assert found.health is Health.ABSENT
    with answering(200) as port:
        (found,) = here.n8n(make_loop(n8n_port=port))
        assert found.health is Health.OK
    (found,) = here.n8n(make_loop(n8n_port=port))
    assert (found.health, "`leadloop n8n start`" in found.remedy) == (Health.WARNING, True)
    with answering(503) as port:
        (found,) = here.n8n(make_loop(n8n_port=port))
    assert found.health is Health.WARNING, "it is not ready"


def test_the_command_says_what_is_bad_and_ends_so(leadloop: Run) -> None:
    status, told, _ = leadloop("doctor", API_TOKENS="", PUBLIC_URL="http://127.0.0.1:9")
    assert status == 1
    lines = told.splitlines()
    at = next(place for place, line in enumerate(lines) if line.split() and line.split()[:2] == ["bad", "tokens:"])
    assert lines[at + 1].strip().startswith("-> `leadloop tokens create")
    assert lines[-1].endswith("are bad.")
    assert not [line for line in lines if "[red]" in line or "[/" in line], "markup is not shown"


def test_for_programs_it_says_the_same_as_json(leadloop: Run) -> None:
    status, told, _ = leadloop("doctor", "--json", API_TOKENS="", PUBLIC_URL="http://127.0.0.1:9")
    found = {one["check"]: one for one in json.loads(told)}
    assert status == 1
    assert (found["tokens"]["health"], "leadloop tokens create" in found["tokens"]["remedy"]) == ("bad", True)
    assert found["database"]["health"] == "ok"


def test_where_nothing_is_bad_it_ends_well(
    leadloop: Run, trained_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(here, "ROOT", tmp_path)  # no .env of this machine's
    shutil.copytree(trained_models, tmp_path / "models")
    with answering(200) as port:
        status, told, _ = leadloop(
            "doctor", API_TOKENS="a-token-of-twenty-four-letters:admin", N8N_PORT=str(port), PUBLIC_URL=f"http://127.0.0.1:{port}"
        )
    assert (status, told.splitlines()[-1].endswith("are in order, or can wait.")) == (0, True), told


def finding(loop: Loop, check: str) -> Finding:
    return next(one for one in examine(loop) if one.check == check)


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that gives this answer to everything; its port."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
