"""A whole Leadloop on loopback: the sandbox, the service as a process of its own, and a real n8n.

The demo and the end-to-end tests stand on it. Every secret is made anew each time.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from automation import n8n
from automation.clients.hubspot import HubSpotClient
from automation.clients.pipedrive import PipedriveClient
from automation.record_fields import HUBSPOT_PROPERTIES, PIPEDRIVE_FIELDS
from automation.sandbox.player import HubSpotPlayer, PipedrivePlayer
from automation.sandbox.server import Addresses, running
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind
from data.errors import NotReady
from data.settings import ROOT, Scope, Settings, load_settings

CHANNEL = "sales-notifications"
PIPEDRIVE_USER = "pipedrive"
READY_SECONDS = 90


@dataclass
class Stand:
    """The running parts, and the switches to stop and start them."""

    folder: Path
    sandbox: Sandbox
    addresses: Addresses
    env: dict[str, str]
    port: int
    place: n8n.Place
    tokens: Mapping[Scope, str]
    player: HubSpotPlayer
    pipedrive: PipedrivePlayer
    _stack: ExitStack
    service: subprocess.Popen[bytes] | None = None
    worker: subprocess.Popen[bytes] | None = None
    n8n_process: subprocess.Popen[bytes] | None = None
    n8n_db: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        """As the service has them."""
        return load_settings(_env_file=None, **{name.removeprefix("LEADLOOP_").lower(): value for name, value in self.env.items()})

    def headers(self, scope: Scope) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[scope]}"}

    def cli(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "scripts.cli", *arguments]

    def run(self, *arguments: str) -> None:
        """Runs one `leadloop` command under this stand's settings, its output on ours."""
        done = subprocess.run(self.cli(*arguments), env=self.process_env(), cwd=ROOT, check=False)
        if done.returncode:
            raise NotReady(f"leadloop {arguments[0]} failed with status {done.returncode}")

    def start_service(self) -> None:
        """Starts `leadloop serve`, on PostgreSQL `leadloop worker` too, and waits until the service is ready."""
        self.service = self._start("serve", "--port", str(self.port))
        if not self.settings.is_sqlite:
            self.worker = self._start("worker")
        self._stack.callback(self.stop_service)
        deadline = time.monotonic() + READY_SECONDS
        while not n8n.answers(f"{self.url}/health/ready"):
            if self.service.poll() is not None or time.monotonic() > deadline:
                raise NotReady(f"the service did not come up; see {self.folder / 'service.log'}")
            time.sleep(0.1)

    def kill_service(self) -> None:
        """As a power cut would: no handler runs."""
        for process in self._ours():
            process.send_signal(signal.SIGKILL)
            process.wait()

    def stop_service(self) -> None:
        for process in self._ours():
            process.terminate()
        for process in self._ours():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def _ours(self) -> list[subprocess.Popen[bytes]]:
        return [process for process in (self.service, self.worker) if process is not None and process.poll() is None]

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context((self.folder / "service.log").open("ab"))
        return subprocess.Popen(self.cli(*arguments), env=self.process_env(), cwd=ROOT, stdout=log, stderr=log)

    def prepare_n8n(self, publish: Sequence[str] = n8n.PUBLISHED) -> None:
        """Installs n8n if need be, gives it a database, and imports the workflows."""
        n8n.install(lambda _line: None)
        self.n8n_db = self._stack.enter_context(n8n.database(self.place))
        n8n.import_workflows(self.settings, self.place, self.n8n_db, service_url=self.url, publish=publish)

    def start_n8n(self) -> None:
        log = self.folder / "n8n.log"
        self.n8n_process = self._stack.enter_context(n8n.started(self.place, self.n8n_db, log_file=log))
        # n8n calls itself ready a moment before its webhooks are there. An unsigned post is refused by whoever is.
        deadline = time.monotonic() + READY_SECONDS
        while self.player.post(b"", timestamp_ms=0) in (0, 404) and time.monotonic() < deadline:
            time.sleep(0.2)

    def kill_n8n(self) -> None:
        assert self.n8n_process is not None
        self.n8n_process.send_signal(signal.SIGKILL)
        self.n8n_process.wait()

    def process_env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LEADLOOP_")}
        return {**kept, **self.env}


@contextmanager
def stand(folder: Path, *, overrides: Mapping[str, str] | None = None, ports: Mapping[str, int] | None = None) -> Iterator[Stand]:
    """The sandbox runs when this returns; the service and n8n are started by the caller. All end with the block.

    `overrides` are settings without their prefix, in lower case. `ports` may name `service`, `n8n`, `sandbox`.
    """
    wanted = dict(ports or {})
    tokens = {scope: secrets.token_urlsafe(18) for scope in Scope}
    vendor = {name: secrets.token_urlsafe(18) for name in ("hubspot", "pipedrive", "slack")}
    secret, password = secrets.token_urlsafe(18), secrets.token_urlsafe(18)
    box = Sandbox(
        hubspot_token=vendor["hubspot"], pipedrive_token=vendor["pipedrive"], slack_token=vendor["slack"], channels=(CHANNEL,)
    )
    port, n8n_port = (free_port(wanted.get(name, 0)) for name in ("service", "n8n"))
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        addresses = stack.enter_context(running(box, folder / "sandbox", port=free_port(wanted.get("sandbox", 0))))
        hook = f"http://127.0.0.1:{n8n_port}/webhook"
        env = {
            "DATABASE_URL": f"sqlite:///{folder / 'leadloop.db'}",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
            "VAR_DIR": str(folder),
            "API_TOKENS": ",".join(f"{token}:{scope}" for scope, token in tokens.items()),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "HUBSPOT_TOKEN": vendor["hubspot"],
            "HUBSPOT_CLIENT_SECRET": secret,
            "HUBSPOT_BASE_URL": addresses.hubspot,
            "HUBSPOT_WEBHOOK_URL": f"{hook}/hubspot-events",
            "HUBSPOT_PORTAL_ID": "62515",
            "PIPEDRIVE_API_TOKEN": vendor["pipedrive"],
            "PIPEDRIVE_BASE_URL": addresses.pipedrive,
            "PIPEDRIVE_WEBHOOK_URL": f"{hook}/pipedrive-events",
            "PIPEDRIVE_WEBHOOK_USER": PIPEDRIVE_USER,
            "PIPEDRIVE_WEBHOOK_PASSWORD": password,
            "SLACK_TOKEN": vendor["slack"],
            "SLACK_BASE_URL": addresses.slack,
            "SLACK_CHANNEL": f"#{CHANNEL}",
            "CHAMPION_POLL_SECONDS": "5",
            # The stand-in counts no calls, and who watches a demo should not wait for a limit that is not there.
            "HUBSPOT_CALLS_PER_10_SECONDS": "10000",
            "PIPEDRIVE_CALLS_PER_2_SECONDS": "2000",
            **{name.upper(): value for name, value in (overrides or {}).items()},
        }
        made = Stand(
            folder=folder,
            sandbox=box,
            addresses=addresses,
            env={f"LEADLOOP_{name}": value for name, value in env.items()},
            port=port,
            place=n8n.Place(
                folder / "n8n", n8n_port, {"HTTPS_PROXY": addresses.proxy_url, "NODE_EXTRA_CA_CERTS": str(addresses.ca_file)}
            ),
            tokens=tokens,
            player=HubSpotPlayer(box, env["HUBSPOT_WEBHOOK_URL"], secret),
            pipedrive=PipedrivePlayer(box, env["PIPEDRIVE_WEBHOOK_URL"], PIPEDRIVE_USER, password),
            _stack=stack,
        )
        HubSpotClient(vendor["hubspot"], addresses.hubspot).ensure_properties(EntityKind.CONTACT, HUBSPOT_PROPERTIES)
        PipedriveClient(vendor["pipedrive"], addresses.pipedrive).ensure_properties(EntityKind.CONTACT, PIPEDRIVE_FIELDS)
        yield made


def free_port(wanted: int = 0) -> int:
    """The wanted port if it is free, and otherwise any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise NotReady("this machine has no free port")
