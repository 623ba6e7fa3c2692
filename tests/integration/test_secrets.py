"""A secret is planted in every setting and comes back in every vendor's answer: it is in no log, answer, table, error or export."""

import http.server
import json
import logging
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from api.app import create_app
from automation import n8n
from automation.destinations.registry import DESTINATIONS
from automation.jobs import champions, worker
from automation.loop import build_loop
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox import signing
from data import log
from data.db import Database
from data.domain.event import Driver
from data.migrations import upgrade
from data.redaction import REDACTED
from data.settings import Settings, load_settings
from scripts import cli
from tests.support import HOT, NOON, FakeClock, generic, serving

pytestmark = pytest.mark.slow

TOKENS = {f"planted-{scope}-token-7f3a": scope for scope in ("collect", "score", "predictions", "activate", "read", "admin")}
PLANTED = {
    name: f'planted-{name}-"7f3a\\é-{number}'
    for number, (name, kind) in enumerate(Settings.model_fields.items())
    if kind.annotation is SecretStr
} | {
    "api_tokens": ",".join(f"{token}:{scope}" for token, scope in TOKENS.items()),
    "hubspot_token": "planted-hubspot-token-7f3a",  # these go into headers, which take no other letters
    "pipedrive_api_token": "planted-pipedrive-token-7f3a",
    "slack_token": "planted-slack-token-7f3a",
    "hunter_api_key": "planted-hunter-key-7f3a",
    "clearbit_api_key": "planted-clearbit-key-7f3a",
}  # fmt: skip
MARKS = ("planted-", "7f3a")  # how all of them begin and end, and nothing else does
PASSWORD = "planted-password/7f3a"
# So long that, cut where vendors' answers are cut, half a token would be left.
PADDING = "=" * 270


def tells(text: str) -> bool:
    """Whether there is a secret in it, or half of one."""
    return any(mark in text for mark in MARKS)


@dataclass
class Echo:
    """A vendor that answers every call with an error and all that it was sent."""

    url: str
    heard: list[str] = field(default_factory=list)
    status: int = 400


@pytest.fixture
def echo() -> Iterator[Echo]:
    found = Echo("")

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            held = self.headers.get("Authorization") or self.headers.get("x-api-token") or ""
            heard = f"{held} {self.command} {self.path} {dict(self.headers)} {body}"
            found.heard.append(heard)
            said = heard if found.status == 400 else f"{PADDING} {heard}"
            sent = json.dumps({"message": said, "error": said, "ok": False, "success": False}).encode()
            self.send_response(found.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(tmp_path: Path, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """As a process reads them."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # it is away, and need not be asked again
    return load_settings(
        _env_file=None,
        **PLANTED,
        database_url=f"sqlite:///{tmp_path / 'leadloop.db'}",
        mlflow_tracking_uri=f"http://me:{PASSWORD.replace('/', '%2F')}@127.0.0.1:9",
        var_dir=tmp_path,
        hubspot_base_url=echo.url,
        pipedrive_base_url=echo.url,
        pipedrive_webhook_user="me",
        slack_base_url=echo.url,
        hunter_base_url=echo.url,
        clearbit_base_url=echo.url,
        hot_threshold=0.5,
        log_level="DEBUG",
    )


@dataclass
class Logs:
    """Two files, one of JSON and one as a terminal shows it."""

    paths: tuple[Path, Path]

    def text(self) -> str:
        as_json, coloured = (path.read_text() for path in self.paths)
        assert len(as_json.splitlines()) > 0 < len(coloured.splitlines())
        assert all(json.loads(line) for line in as_json.splitlines())
        return as_json + coloured


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    """All that is logged, down to every detail; the handlers are as before afterwards."""
    root = logging.getLogger()
    before, level, handlers = list(root.handlers), root.level, []
    found = Logs((tmp_path / "log.json", tmp_path / "log.txt"))
    with ExitStack() as opened:
        for path in found.paths:
            with monkeypatch.context() as patched:
                patched.setattr(sys, "stderr", opened.enter_context(path.open("w", buffering=1)))
                log.configure(json=path.suffix == ".json", level="DEBUG")
            handlers += root.handlers
        root.handlers[:] = handlers
        yield found
        root.handlers[:] = before
        root.setLevel(level)


@pytest.fixture
def loop(settings: Settings, trained_models: Path) -> Iterator[Loop]:
    built = build_loop(settings, clock=FakeClock())
    upgrade(built.database)
    shutil.copytree(trained_models, settings.models_dir, dirs_exist_ok=True)
    champions.refresh(built)
    yield built
    built.database.dispose()


def live(loop: Loop, echo: Echo) -> None:
    """An hour in which all goes wrong that can."""
    collect(loop, "generic", json.dumps([generic(**HOT), {"odd": 1}]).encode(), Driver.WORKER)
    hubspot = {"eventId": 1, "portalId": 2, "objectId": 3, "occurredAt": int(NOON.timestamp() * 1000)}
    collect(loop, "hubspot", json.dumps([{**hubspot, "subscriptionType": "contact.creation"}]).encode(), Driver.WORKER)
    collect(loop, "pipedrive", pipedrive_person(), Driver.WORKER)
    clock = loop.clock
    assert isinstance(clock, FakeClock)
    for status in (400, 401, 429, 500, 207, 200):
        echo.status = status
        worker.sweep_inbox(loop)
        for destination in DESTINATIONS.values():
            worker.sweep_outbox(loop, destination)
        clock.move(minutes=30)
    champions.pull(loop)


def pipedrive_person() -> bytes:
    meta = {"version": "2.0", "action": "create", "entity": "person", "entity_id": 1, "company_id": 1, "id": "x",
            "timestamp": NOON.isoformat()}  # fmt: skip
    return json.dumps(
        {"meta": meta, "data": {"id": 1, "name": "Ada", "email": "ada@example.com", **HOT}, "previous": None}
    ).encode()


def texts_of(database: Database) -> dict[str, str]:
    """Every cell of every table, as text."""
    with database.engine.connect() as connection:
        tables = [row[0] for row in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))]
        return {name: str(connection.execute(text(f"SELECT * FROM {name}")).all()) for name in tables}


def test_what_vendors_send_back_is_told_without_secrets(loop: Loop, echo: Echo, logs: Logs) -> None:
    live(loop, echo)
    for name in ("hubspot_token", "pipedrive_api_token", "slack_token", "hunter_api_key"):
        assert any(PLANTED[name] in heard for heard in echo.heard), name
    lines = logs.text()
    assert "activate.delivery.failed" in lines
    assert not tells(lines)
    tables = texts_of(loop.database)
    assert REDACTED in tables["deliveries"] + tables["dead_letters"] + tables["events"]
    assert [name for name, cells in tables.items() if tells(cells)] == []


@pytest.mark.slow
def test_no_answer_and_no_line_of_the_service_has_one(loop: Loop, settings: Settings, echo: Echo, logs: Logs) -> None:
    live(loop, echo)
    with serving(create_app(settings, loop=loop, jobs=())) as url, httpx.Client(base_url=url, trust_env=False, timeout=20) as api:
        answers = [answer.text + str(answer.headers) for answer in every_call(api)]
    assert len(answers) > 100
    assert not any(tells(answer) for answer in answers)
    assert "api.request.done" in logs.text()
    assert not tells(logs.text())


def every_call(api: httpx.Client) -> Iterator[httpx.Response]:
    """Every path of the API with every token, none and odd ones, and secrets where none belong."""
    paths = api.get("/openapi.json").json()["paths"]
    admin = next(token for token, scope in TOKENS.items() if scope == "admin")
    for path, methods in {**paths, "/": {"get": {}}}.items():
        concrete = path.replace("{model}", "lead_score").replace("{source}", "hubspot").replace("{name}", admin)
        concrete = concrete.replace("{letter_id}", "1").replace("{delivery_id}", admin)
        for method in methods:
            if "{model}/" in path and method != "get" and "traffic" not in path:
                continue  # these ask MLflow, which takes its time to be away
            for token in (admin, "unknown", None):
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                yield api.request(method, concrete, headers=headers, json={})
    for odd in (f"/models/{admin}", f"/collect/{admin}", f"/{admin}"):
        yield api.get(odd, headers={"Authorization": f"Bearer {admin}"})
        yield api.post(odd, content=b"{", headers={"Authorization": f"Bearer {admin}", "Content-Type": "application/json"})
    yield api.post("/collect/pipedrive", content=b"[]", headers={"Authorization": signing.basic("me", "wrong")})
    yield api.post("/collect/hubspot", content=b"[]")
    yield api.post("/score", json={"sessions": admin}, headers={"Authorization": f"Bearer {admin}"})
    for _ in range(40):
        yield api.get("/deliveries", headers={"Authorization": "Bearer another"})


def test_a_fault_of_ours_is_logged_with_its_traceback_and_without_secrets(loop: Loop, settings: Settings, logs: Logs) -> None:
    app = create_app(settings, loop=loop, jobs=())

    @app.get("/fault")
    def fault() -> None:
        values = [value.get_secret_value() for value in vars(settings).values() if isinstance(value, SecretStr)]
        raise ValueError(f"{values} {settings.mlflow_tracking_uri} {os.environ.get('HOME')}")

    with serving(app) as url:
        answer = httpx.get(f"{url}/fault", trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    lines = logs.text()
    assert "Traceback" in lines
    assert REDACTED in lines
    assert not tells(lines)
    assert not tells(answer.text)


def test_settings_do_not_show_themselves(settings: Settings) -> None:
    for shown in (repr(settings), str(settings), f"{settings.__repr_args__()}"):
        assert not tells(shown)
    assert all(any(part in secret for secret in settings.secrets()) for part in (*TOKENS, PASSWORD))
    assert {value for name, value in PLANTED.items() if name != "api_tokens"} <= settings.secrets()


def test_workflows_go_out_without_secrets_and_credentials_are_readable_by_nobody_else(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "credentials.json").write_text("left by somebody")
    (folder / "credentials.json").chmod(0o644)
    secrets, flows = n8n.render(settings, folder, service_url="https://leadloop.example")
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert tells(secrets.read_text())
    assert not tells(flows.read_text())
    assert not any(tells(path.read_text()) for path in n8n.workflow_files())


def test_n8n_is_started_without_our_secrets(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert not tells(str(n8n._env(n8n.Place(tmp_path / "n8n"), {})))


COMMANDS: list[tuple[tuple[str, ...], dict[str, str]]] = [
    (("hubspot", "setup"), {}),
    (("pipedrive", "setup"), {}),
    (("--debug", "hubspot", "setup"), {}),
    (("replay", "--dead-letters"), {"DATABASE_URL": f"postgresql://me:{PASSWORD.replace('/', '%2F')}@127.0.0.1:9/x"}),
    (("--debug", "audit"), {"DATABASE_URL": f"postgresql://me:{PASSWORD.replace('/', '%2F')}@127.0.0.1:9/x"}),
    (("audit",), {"DATABASE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1/x"}),  # not written as it must be
    (("audit",), {"DATABASE_URL": f"nonsense://me:{PASSWORD.replace('/', '%2F')}@127.0.0.1/x"}),
    (("tokens", "list"), {"API_TOKENS": "planted-7f3a"}),
    (("tokens", "list"), {"API_TOKENS": "planted-token-7f3a:everything"}),
    (("tokens", "revoke", next(iter(TOKENS))), {}),
    (("serve",), {"RATE_LIMIT_PER_SECOND": "planted-7f3a"}),
    (("n8n", "render", "--to", "/proc/nowhere"), {}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "changed"), COMMANDS, ids=lambda value: str(value)[:60])
def test_no_command_tells_one_when_it_fails(
    arguments: tuple[str, ...],
    changed: dict[str, str],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {**settings.environment(), **{f"LEADLOOP_{name}": value for name, value in changed.items()}}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["leadloop", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert ended.value.code == 1, told
    assert told.err
    assert not tells(told.err + told.out)
