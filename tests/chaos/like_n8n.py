"""A stand-in for n8n: the same doors in the same order as the published workflows, and now and then as bad as n8n can be.

It answers the CRM with the collector's own status; only then the events walk on. What it forgets, or says wrongly, is drawn.
"""

import queue
import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx

from data.settings import Scope
from scripts.stand import Stand

COLLECT_SECONDS, WALK_SECONDS, NODE_SECONDS = 4.0, 20.0, 10.0  # the workflows' own time-outs
PASSED = frozenset({"content-type", "authorization", "x-hubspot-signature-v3", "x-hubspot-request-timestamp"})
WALKERS = 4
MOST_WAITING = 200  # executions beyond these are dropped, as by an n8n that runs out of memory


class Mishap(StrEnum):
    """What can go wrong with an execution, at which point."""

    FORGETS_EVENTS = "forgets_events"  # dies right after it has answered the CRM
    FORGETS_PREDICTIONS = "forgets_predictions"
    FORGETS_DELIVERIES = "forgets_deliveries"  # holds a lease and does nothing
    ACTS_UNCONFIRMED = "acts_unconfirmed"  # does it and dies before it says so
    SAYS_FAILED = "says_failed"  # does it, and takes the answer for a failure
    CONFIRMS_TWICE = "confirms_twice"
    FOREIGN_LEASE = "foreign_lease"  # confirms with a lease that is none


RATES: dict[Mishap, float] = {
    Mishap.FORGETS_EVENTS: 0.02,
    Mishap.FORGETS_PREDICTIONS: 0.01,
    Mishap.FORGETS_DELIVERIES: 0.01,
    Mishap.ACTS_UNCONFIRMED: 0.01,
    Mishap.SAYS_FAILED: 0.01,
    Mishap.CONFIRMS_TWICE: 0.02,
    Mishap.FOREIGN_LEASE: 0.01,
}


@dataclass(frozen=True)
class Execution:
    """The events of one payload that ask a model, on their way through the doors."""

    event_ids: tuple[int, ...]


class LikeN8n:
    """Takes webhooks at the address that the CRMs know, and leads their events through the loop."""

    def __init__(self, parts: Stand, apis: Sequence[str], *, seed: int, misbehaves: bool) -> None:
        self._parts, self._apis = parts, apis
        self._random = random.Random(f"{seed}/n8n")
        self._lock = threading.Lock()
        self._misbehaves = misbehaves
        self._waiting: queue.Queue[Execution | None] = queue.Queue(MOST_WAITING)
        self.happened: Counter[str] = Counter()

    def forward(self, source: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """The collector's status and answer; 503 where no API process can be reached."""
        passed = {name: value for name, value in headers.items() if name.lower() in PASSED}
        answer = self._post(f"/collect/{source}", passed, COLLECT_SECONDS, content=body, params={"driver": "n8n"})
        if answer is None:
            return 503, b'{"title": "Not ready yet.", "status": 503}'
        if answer.status_code == 202:
            asked = tuple(event["event_id"] for event in answer.json()["events"] if event["models"])
            if asked and not self._mishap(Mishap.FORGETS_EVENTS):
                self._begin(Execution(asked))
        return answer.status_code, answer.content

    def run(self) -> None:
        """One walker: takes executions until it is told to end."""
        while (execution := self._waiting.get()) is not None:
            try:
                self._walk(execution)
            except (httpx.HTTPError, KeyError, ValueError):
                self.happened["failed"] += 1

    def end(self) -> None:
        for _ in range(WALKERS):
            self._waiting.put(None)

    def _begin(self, execution: Execution) -> None:
        try:
            self._waiting.put_nowait(execution)
        except queue.Full:
            self.happened["dropped"] += 1

    def _walk(self, execution: Execution) -> None:
        predicted = self._door("/predict/events", Scope.SCORE, {"event_ids": list(execution.event_ids)})
        if predicted is None or self._mishap(Mishap.FORGETS_PREDICTIONS):
            return
        if not predicted["scored"]:
            return
        collected = self._door("/collect/predictions", Scope.PREDICTIONS, predicted["scored"])
        if collected is None or self._mishap(Mishap.FORGETS_DELIVERIES):
            return
        for delivery in collected["deliveries"]:
            self._deliver(delivery)

    def _deliver(self, delivery: dict[str, Any]) -> None:
        done, said = self._act(delivery)
        self.happened["acted"] += done
        if done and self._mishap(Mishap.ACTS_UNCONFIRMED):
            return
        if not done or self._mishap(Mishap.SAYS_FAILED):
            self._say(delivery, "fail", {"lease_id": delivery["lease_id"], "error": "the node failed"})
            return
        confirmed = {"lease_id": delivery["lease_id"], "receipt": said}
        if self._mishap(Mishap.FOREIGN_LEASE):
            self._say(delivery, "confirm", {**confirmed, "lease_id": str(uuid4())})
        self._say(delivery, "confirm", confirmed)
        if self._mishap(Mishap.CONFIRMS_TWICE):
            self._say(delivery, "confirm", confirmed)

    def _act(self, delivery: dict[str, Any]) -> tuple[bool, str | None]:
        """What the native node does: one call, which may fail."""
        content, box = delivery["content"], self._parts.addresses
        try:
            if delivery["destination"] == "slack":
                body = {"channel": content["channel"].removeprefix("#"), "text": content["text"], "blocks": content["blocks"]}
                answer = _send("POST", f"{box.slack}chat.postMessage", self._bearer("slack"), body)
                said = answer.json()
                return bool(said.get("ok")), said.get("ts")
            if delivery["destination"] == "hubspot":
                written = [{"property": name, "value": _as_v1(value)} for name, value in content["properties"].items()]
                url = f"{box.hubspot}/contacts/v1/contact/createOrUpdate/email/{content['email']}"
                return _send("POST", url, self._bearer("hubspot"), {"properties": written}).is_success, None
            if delivery["destination"] == "pipedrive":
                headers = {"X-Api-Token": self._parts.sandbox.tokens["pipedrive"]}
                fields = _send("GET", f"{box.pipedrive}/v1/personFields?limit=500", headers)
                keys = {field["name"]: field["key"] for field in fields.json()["data"]}
                values = {keys[name]: value for name, value in content["properties"].items()}
                return _send("PUT", f"{box.pipedrive}/v1/persons/{content['id']}", headers, values).is_success, None
        except (httpx.HTTPError, ValueError, KeyError):
            return False, None
        raise ValueError(f"there is no node for {delivery['destination']}")

    def _bearer(self, vendor: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._parts.sandbox.tokens[vendor]}"}

    def _say(self, delivery: dict[str, Any], what: str, body: dict[str, Any]) -> None:
        self._post(f"/deliveries/{delivery['delivery_id']}/{what}", self._parts.headers(Scope.ACTIVATE), WALK_SECONDS, json=body)

    def _door(self, path: str, scope: Scope, body: Any) -> Any:
        answer = self._post(path, self._parts.headers(scope), WALK_SECONDS, json=body)
        return answer.json() if answer is not None and answer.is_success else None

    def _post(self, path: str, headers: dict[str, str], seconds: float, **options: Any) -> httpx.Response | None:
        """To one API process or, where it cannot be reached, the next: as a load balancer does. None where none answers."""
        with self._lock:
            first = self._random.randrange(len(self._apis))
        for place in range(len(self._apis)):
            url = self._apis[(first + place) % len(self._apis)]
            try:
                return httpx.post(url + path, headers=headers, timeout=seconds, trust_env=False, **options)
            except httpx.ConnectError:
                continue
            except httpx.HTTPError:
                return None
        return None

    def _mishap(self, kind: Mishap) -> bool:
        with self._lock:
            hit = self._misbehaves and self._random.random() < RATES[kind]
        self.happened[kind] += hit
        return hit


@contextmanager
def like_n8n(parts: Stand, apis: Sequence[str], *, seed: int, misbehaves: bool) -> Iterator[LikeN8n]:
    """Listens at n8n's port until the block ends."""
    made = LikeN8n(parts, apis, seed=seed, misbehaves=misbehaves)
    server = ThreadingHTTPServer(("127.0.0.1", parts.place.port), _handler(made))
    threads = [
        threading.Thread(target=server.serve_forever, daemon=True),
        *(threading.Thread(target=made.run) for _ in range(WALKERS)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        made.end()
        for thread in threads:
            thread.join()


def _handler(n8n: LikeN8n) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            source = self.path.rsplit("/", 1)[-1].removesuffix("-events")
            status, answer = n8n.forward(source, body, dict(self.headers.items()))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """The harness says what happened; not every request."""

    return Handler


def _send(method: str, url: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
    return httpx.request(method, url, json=body, headers=headers, timeout=NODE_SECONDS, trust_env=False)


def _as_v1(value: Any) -> str:
    """As the workflow's expressions write it: what is missing is empty, and a moment is milliseconds, which is all that the
    older contacts API takes.
    """
    text = "" if value is None else str(value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return str(int(moment.timestamp() * 1000)) if "T" in text else text
