"""One run: hostile requests against a service in a process of its own, and what must be true of each answer and in the end."""

import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlmodel import col, func, select

from data.warehouse.dead_letters import DeadLetter
from data.warehouse.payloads import UNPARSED, Payload
from tests.bench.service import Service, service
from tests.fuzz.requests import Hostile, Maker

SENDERS = 4
SECONDS = 30.0  # no answer takes longer
SETTLE_SECONDS = 300.0
SHOWN = 20
# What the first requests load and what fills caches is less. A leak of 3 KiB a request comes to as much in the long form.
MOST_GROWTH_MIB = 300.0


@dataclass
class Findings:
    """How the requests were answered. Everything named `wrong_...` is to be empty."""

    statuses: Counter[int] = field(default_factory=Counter)
    taken: int = 0
    """Payloads that were answered 202."""
    rejected: int = 0
    """Items that are set aside in the end."""
    wrong_answers: list[str] = field(default_factory=list)
    wrong_counts: list[str] = field(default_factory=list)
    """Payloads that were taken, and nothing of them counted."""
    wrong_end: list[str] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    """Of the service, at even distances."""
    seconds: float = 0.0

    @property
    def wrong(self) -> dict[str, list[str]]:
        return {name: value for name, value in vars(self).items() if name.startswith("wrong_") and value}


def run(
    count: int, seed: int, folder: Path, *, postgres: bool = False, step: Callable[[int], None] = lambda _done: None
) -> Findings:
    """Sends so many requests, waits until all that was taken is parsed, and looks."""
    found = Findings()
    with ExitStack() as stack:
        made = stack.enter_context(
            service(folder, postgres=postgres, rate_limit_per_second="0", failed_logins_per_minute="1000000")
        )
        openapi = httpx.get(f"{made.address}/openapi.json", trust_env=False, timeout=SECONDS).json()
        process = made.process("api-1")
        started = time.monotonic()
        found.memory_mib.append(process.resident_bytes / 2**20)
        requests, lock = Maker(openapi, seed).every(), threading.Lock()
        left = iter(range(count))

        def send() -> None:
            connection = Connection(made.address)
            while (drawn := _next(requests, left, lock)) is not None:
                place, request = drawn
                _judge(request, connection.send(request), found, lock)
                with lock:
                    step(1)
                    if place % max(1, count // 100) == 0:
                        found.memory_mib.append(process.resident_bytes / 2**20)
            connection.close()

        with ThreadPoolExecutor(SENDERS) as pool:
            for job in [pool.submit(send) for _ in range(SENDERS)]:
                job.result()
        found.seconds = time.monotonic() - started
        _look(made, found, restarts=made.running.restarts)
    return found


def _next(requests: Iterator[Hostile], left: Iterator[int], lock: threading.Lock) -> tuple[int, Hostile] | None:
    with lock:
        return None if (place := next(left, None)) is None else (place, next(requests))


@dataclass(frozen=True)
class Answer:
    """`status` 0: the connection was closed, and nothing was said."""

    status: int
    body: bytes = b""


class Connection:
    """A socket that is kept open, as long as the service does so; it sends what no client library would."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._where = (parts.hostname or "", parts.port or 80)
        self._socket: socket.socket | None = None

    def send(self, request: Hostile) -> Answer:
        """One that was kept may have been closed meanwhile: it is opened anew, once."""
        for _ in range(2):
            kept = self._socket is not None
            try:
                return self._send(request)
            except (OSError, http.client.HTTPException):
                self.close()
                if not kept:
                    break
        return Answer(0)

    def _send(self, request: Hostile) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(self._where, timeout=SECONDS)
        headers = {"Host": "leadloop.example", **request.headers, "Content-Length": str(len(request.body))}
        head = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self._socket.sendall("\r\n".join(head).encode("utf-8", "surrogatepass") + request.body)
        response = http.client.HTTPResponse(self._socket, method=request.method)
        response.begin()
        body = response.read()
        if response.will_close:
            self.close()
        return Answer(response.status, body)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _judge(request: Hostile, answer: Answer, found: Findings, lock: threading.Lock) -> None:
    with lock:
        found.statuses[answer.status] += 1
        wrong = _wrong_with(request, answer)
        if wrong is not None:
            found.wrong_answers.append(f"{request.method} {request.path[:100]} {request.body[:200]!r}: {wrong}")
        if request.source is not None and answer.status == http.HTTPStatus.ACCEPTED:
            told = json.loads(answer.body)
            found.taken += 1
            counted = told["accepted"] + told["duplicates"] + told["rejected"]
            if not counted and not told["deferred"] and request.body.strip().lstrip(b"\xef\xbb\xbf") != b"[]":
                found.wrong_counts.append(f"{request.path} {request.body[:200]!r}")


def _wrong_with(request: Hostile, answer: Answer) -> str | None:
    """What is wrong with an answer: a fault of ours, nothing said at all, or a refusal without a reason."""
    if answer.status == 0:
        return "no answer"
    if answer.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"{answer.status}: {answer.body[:300]!r}"
    if answer.status < http.HTTPStatus.BAD_REQUEST or request.method in {"HEAD", "OPTIONS"}:
        return None
    return None if answer.body.strip() else f"{answer.status} without a word"


def _look(made: Service, found: Findings, *, restarts: int) -> None:
    """In the end: the service is the one that began, all that it took is there, parsed, and what was set aside says why."""
    if (grown := max(found.memory_mib) - found.memory_mib[0]) > MOST_GROWTH_MIB:
        found.wrong_end.append(f"the service grew by {grown:.0f} MiB")
    if restarts:
        found.wrong_end.append(f"the service ended {restarts} times")
    if httpx.get(f"{made.address}/health/ready", trust_env=False, timeout=SECONDS).status_code != http.HTTPStatus.OK:
        found.wrong_end.append("the service is not ready")
    deadline = time.monotonic() + SETTLE_SECONDS
    while _count(made, col(Payload.state).in_(UNPARSED)) and time.monotonic() < deadline:
        time.sleep(0.5)
    if unparsed := _count(made, col(Payload.state).in_(UNPARSED)):
        found.wrong_end.append(f"{unparsed} payloads were never parsed")
    if (stored := _count(made, col(Payload.source) != "leadloop")) < found.taken:
        found.wrong_end.append(f"{found.taken} payloads were taken, {stored} are stored")
    with made.database.read() as session:
        found.rejected = session.exec(select(func.count()).select_from(DeadLetter)).one()
        silent = session.exec(select(func.count()).select_from(DeadLetter).where(DeadLetter.reason == "")).one()
    if silent:
        found.wrong_end.append(f"{silent} dead letters have no reason")


def _count(made: Service, condition: Any) -> int:
    with made.database.read() as session:
        return session.exec(select(func.count()).select_from(Payload).where(condition)).one()
