"""A service of our own to put under load: its processes, its database, a trained model, and webhooks as HubSpot sends them."""

import http.client
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from automation.sandbox import signing
from data.db import Database
from tests.machine import Machine, Postgres, machine
from tests.support import HUBSPOT_SECRET, HUBSPOT_URL, TOKENS, put_model

BATCH = 100  # HubSpot puts no more events into one request
PEOPLE = 20_000
VALUES: dict[str, tuple[str, ...]] = {
    "hs_analytics_num_visits": tuple(str(number) for number in range(1, 60)),
    "hs_analytics_num_page_views": tuple(str(number) for number in range(1, 200)),
    "engaged_sessions": ("0", "1", "2", "5"),
    "hs_analytics_source": ("ORGANIC_SEARCH", "REFERRALS", "DIRECT_TRAFFIC"),
    "jobtitle": ("CEO", "Head of Sales", "Engineer"),
}


@dataclass
class Service:
    """What runs, and how to look into it."""

    running: Machine
    database: Database
    folder: Path
    _numbers: Iterator[int]

    @property
    def address(self) -> str:
        return self.running.apis[0]

    def batch(self, events: int = BATCH) -> bytes:
        """The next events of the account: changes of single properties, no two alike."""
        return json.dumps([_event(next(self._numbers)) for _ in range(events)]).encode()

    def process(self, name: str) -> Any:
        return next(part for part in self.running.parts if part.name == name)

    def peak_mib(self) -> dict[str, float]:
        return {name: size / 2**20 for name, size in self.running.peak_bytes.items()}


class Sender:
    """One connection that stays open, as a sender's pool keeps them."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def post(self, body: bytes) -> dict[str, Any]:
        """Posts a signed batch; anything but a 202 is an error."""
        moment = int(time.time() * 1000)
        headers = {
            "Content-Type": "application/json",
            "X-HubSpot-Request-Timestamp": str(moment),
            "X-HubSpot-Signature-v3": signing.hubspot_v3(HUBSPOT_SECRET, "POST", HUBSPOT_URL, body, moment),
        }
        self._connection.request("POST", "/collect/hubspot", body, headers)
        response = self._connection.getresponse()
        said = response.read()
        if response.status != 202:
            raise RuntimeError(f"{response.status}: {said[:200]!r}")
        answer: dict[str, Any] = json.loads(said)
        return answer

    def close(self) -> None:
        self._connection.close()


@contextmanager
def service(folder: Path, *, postgres: bool, workers: int = 1, **overrides: str) -> Iterator[Service]:
    """Started, migrated and with a champion; no vendor is configured, so nothing is looked up and nothing goes out."""
    with ExitStack() as stack:
        server = Postgres(folder / "postgres") if postgres else None
        url = server.url if server else f"sqlite:///{folder / 'leadloop.db'}"
        if server is not None:
            stack.callback(server.end)
        put_model(folder / "models")
        settings = {
            "DATABASE_URL": url, "VAR_DIR": str(folder), "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
            "API_TOKENS": ",".join(f"{token}:{scope}" for scope, token in TOKENS.items()),
            "HUBSPOT_CLIENT_SECRET": HUBSPOT_SECRET, "HUBSPOT_WEBHOOK_URL": HUBSPOT_URL,
            "HOT_THRESHOLD": "0.5", "LOG_LEVEL": "WARNING", **{name.upper(): value for name, value in overrides.items()},
        }  # fmt: skip
        env = {f"LEADLOOP_{name}": value for name, value in settings.items()}
        running = stack.enter_context(machine(env, folder, server, apis=1, workers=workers if postgres else 0))
        database = Database(url)
        stack.callback(database.dispose)
        yield Service(running, database, folder, itertools.count())


def _event(number: int) -> dict[str, Any]:
    name = tuple(VALUES)[number % len(VALUES)]
    return {
        "eventId": number, "subscriptionId": 1, "portalId": 62515, "appId": 1, "attemptNumber": 0, "changeSource": "CRM",
        "occurredAt": int(time.time() * 1000) - 1000 + number % 1000, "subscriptionType": "contact.propertyChange",
        "objectId": 1 + (number * 7919) % PEOPLE, "propertyName": name, "propertyValue": VALUES[name][number % len(VALUES[name])],
    }  # fmt: skip
