"""The compose file, the image, and what the guide says of both."""

import re

import pytest
import yaml

from data import db
from data.settings import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
ONE_SHOT = {"n8n-files", "n8n-import"}


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_every_composed_service_has_a_health_check_and_a_volume(service: str) -> None:
    definition = COMPOSE["services"][service]
    assert definition["volumes"]
    assert definition["healthcheck"].get("disable") is True if service in ONE_SHOT else definition["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in definition.get("ports", []))


def test_the_composed_services_are_those_that_are_promised() -> None:
    assert {"api", "worker", "n8n", "mlflow", "postgres", "valkey"} <= COMPOSE["services"].keys()
    used = {volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service["volumes"]}
    assert used == COMPOSE["volumes"].keys()


def test_the_composed_postgres_has_room_for_all_connections_and_the_guide_says_how_many_there_are() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    (most, kept) = map(int, re.findall(r"A process takes up to (\d+) connections \((\d+) stay open", guide)[0])
    (each, others) = map(int, re.findall(r"at least (\d+) times the processes[^:]*, and (\d+) for what else", guide)[0])
    assert (most, kept) == (db.KEPT_OPEN + db.MORE, db.KEPT_OPEN)
    assert each > most
    api = COMPOSE["services"]["api"]["command"]
    processes = int(api[api.index("--workers") + 1]) + 1
    (given,) = re.findall(r"max_connections=(\d+)", " ".join(COMPOSE["services"]["postgres"]["command"]))
    assert int(given) >= each * processes + others


def test_the_guide_s_compose_commands_name_services_that_there_are() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    named = re.findall(r"docker compose (?:exec(?: -T)?|stop|start|create|up -d --wait) ([a-z0-9-]+)", guide)
    named += re.findall(r"docker compose cp (?:/\S+ )?([a-z0-9-]+):/", guide)
    assert {"api", "postgres", "mlflow"} <= set(named) <= COMPOSE["services"].keys()


def test_compose_and_manifest_name_the_same_n8n() -> None:
    manifest = (ROOT / "automation" / "workflows" / "package.json").read_text()
    (version,) = re.findall(r'"n8n": ?"([\d.]+)"', manifest)
    assert COMPOSE["services"]["n8n"]["image"] == f"n8nio/n8n:{version}"


def test_the_image_copies_every_room_and_nothing_secret() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert all(f"COPY {room} {room}" in text for room in ("api", "automation", "ml", "data", "scripts"))
    assert "requirements/run.txt" in text
    assert "--require-hashes" in text
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env", ".git", "data/var"} <= set(ignored)
