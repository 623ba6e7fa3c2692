"""One sandbox and one real n8n for the whole run; each test gets a service of its own over an empty database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from automation import n8n
from scripts.stand import Stand, stand
from tests.conftest import new_postgres_database
from tests.support import put_model

# Short leases and grace, so that a test does not wait a minute for what a minute proves no better.
HASTE = {"hot_threshold": "auto", "n8n_grace_seconds": "4", "lease_seconds": "5", "champion_poll_seconds": "3600"}


@pytest.fixture(scope="session")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """The stand-ins and a trained model; no service, no n8n yet."""
    with stand(tmp_path_factory.mktemp("stand"), overrides=HASTE) as parts:
        put_model(parts.settings.models_dir, rows=20_000)
        yield parts


@pytest.fixture(scope="session")
def grounds_with_n8n(grounds: Stand) -> Stand:
    """The same with a real n8n behind the proxy, every workflow published."""
    grounds.prepare_n8n(publish=[*n8n.PUBLISHED, "score_lead"])
    grounds.start_n8n()
    return grounds


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_of_its_own(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'leadloop.db'}"
    return new_postgres_database(request.getfixturevalue("postgres_url"))


@pytest.fixture
def sqlite_of_its_own(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'leadloop.db'}"


def fresh(parts: Stand, database_url: str, *, with_n8n: bool = True) -> Stand:
    """Forgets the test before, and starts the service on another database."""
    parts.stop_service()
    parts.sandbox.clear()
    parts.player.forget()
    parts.env["LEADLOOP_DATABASE_URL"] = database_url
    if with_n8n and parts.n8n_process is not None and parts.n8n_process.poll() is not None:
        parts.start_n8n()
    parts.start_service()
    return parts
