"""What the stand-ins remember: records, messages, and every request they received."""

import hashlib
import itertools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MOST_REQUESTS = 20_000
HUBSPOT_STANDARD = frozenset({
    "email", "firstname", "lastname", "company", "createdate", "lastmodifieddate", "hs_object_id", "phone", "lifecyclestage",
    "hs_analytics_num_visits", "hs_analytics_num_page_views", "hs_analytics_source", "dealname", "dealstage", "amount",
})  # fmt: skip
PIPEDRIVE_STANDARD = frozenset({"id", "name", "email", "emails", "phone", "org_id", "owner_id"})


@dataclass
class Write:
    """One change of a record that came in through the vendor's API."""

    at: datetime
    through: str
    properties: dict[str, Any]


@dataclass
class Record:
    id: str
    properties: dict[str, Any]
    created_at: datetime
    writes: list[Write] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """One request that a stand-in received, without its credentials."""

    at: datetime
    vendor: str
    method: str
    path: str
    status: int


@dataclass
class Channel:
    id: str
    name: str
    messages: list[dict[str, Any]] = field(default_factory=list)


class Sandbox:
    """The vendors' side of the world. Safe to use from several threads."""

    def __init__(
        self,
        *,
        hubspot_token: str,
        pipedrive_token: str,
        slack_token: str,
        channels: tuple[str, ...],
        company_data_key: str = "company-data-key",
    ) -> None:
        self.currency, self.locale = "EUR", "de_DE"
        self.tokens = {"hubspot": hubspot_token, "pipedrive": pipedrive_token, "slack": slack_token}
        self.tokens |= {"hunter": company_data_key, "clearbit": company_data_key}
        self.companies: dict[str, dict[str, Any]] = {}
        """Domain -> a company as `automation.sandbox.company_data.company` tells it."""
        self.company_habits: dict[str, str] = {}
        self.lock = threading.RLock()
        self.hubspot: dict[str, dict[str, Record]] = {"contacts": {}, "companies": {}, "deals": {}}
        self.hubspot_properties: dict[str, set[str]] = {kind: set(HUBSPOT_STANDARD) for kind in self.hubspot}
        self.hubspot_datetimes: set[str] = set()
        self.pipedrive: dict[str, dict[str, Record]] = {
            "persons": {}, "organizations": {}, "deals": {}, "products": {}, "activities": {}
        }  # fmt: skip
        self.pipedrive_fields: dict[str, dict[str, str]] = {kind: {} for kind in self.pipedrive}
        self.channels = {name: Channel(f"C{number:09d}X", name) for number, name in enumerate(channels, 1)}
        self.arrivals: dict[str, datetime] = {}
        """When each Slack message came in, finer than its `ts` says."""
        self.requests: deque[Request] = deque(maxlen=MOST_REQUESTS)
        self.after: Callable[[str, str], None] | None = None
        """Called with (vendor, path) when a request's work is done and before it is answered: where tests pull plugs."""
        self.fault: Callable[[str, str], int | None] | None = None
        """Called with (vendor, path) before the work: a status to fail with, or None."""
        self._clock_ticks = itertools.count(1)

    def clear(self) -> None:
        """Forgets records, messages and requests; the account's properties and channels stay."""
        with self.lock:
            for store in (*self.hubspot.values(), *self.pipedrive.values()):
                store.clear()
            for channel in self.channels.values():
                channel.messages.clear()
            self.companies.clear()
            self.company_habits.clear()
            self.arrivals.clear()
            self.requests.clear()
            self.after = self.fault = None

    def put(self, vendor: str, kind: str, number: str, properties: dict[str, Any]) -> Record:
        """Creates or changes a record as the vendor's own users would, not through the API."""
        with self.lock:
            store = self._store(vendor)[kind]
            record = store.get(number)
            if record is None:
                record = store[number] = Record(number, {}, datetime.now(UTC))
            record.properties.update(properties)
            return record

    def write(self, vendor: str, kind: str, number: str, properties: dict[str, Any], *, through: str) -> Record:
        """The same through the API; remembered as a write."""
        with self.lock:
            record = self.put(vendor, kind, number, properties)
            record.writes.append(Write(datetime.now(UTC), through, dict(properties)))
            return record

    def get(self, vendor: str, kind: str, number: str) -> Record | None:
        with self.lock:
            return self._store(vendor)[kind].get(number)

    def by_email(self, email: str) -> Record | None:
        with self.lock:
            return next((r for r in self.hubspot["contacts"].values() if r.properties.get("email") == email), None)

    def records(self, vendor: str, kind: str) -> list[Record]:
        with self.lock:
            return list(self._store(vendor)[kind].values())

    def define_hubspot_property(self, kind: str, name: str, type_: str = "string") -> bool:
        """False if it was there."""
        with self.lock:
            if type_ == "datetime":
                self.hubspot_datetimes.add(name)
            known = self.hubspot_properties[kind]
            new = name not in known
            known.add(name)
            return new

    def define_pipedrive_field(self, kind: str, name: str) -> str:
        """Adds a custom field; returns its key."""
        # Pipedrive's keys are 40 hexadecimal digits; here a digest, so that they are the same in every run.
        key = hashlib.sha1(f"{kind}/{name}".encode(), usedforsecurity=False).hexdigest()
        with self.lock:
            self.pipedrive_fields[kind][key] = name
        return key

    def messages(self) -> list[dict[str, Any]]:
        """Every Slack message, in the order in which they were posted."""
        with self.lock:
            found = [message for channel in self.channels.values() for message in channel.messages]
            return sorted(found, key=lambda message: float(message["ts"]))

    def post(self, channel: Channel, message: dict[str, Any]) -> str:
        """Adds a message under a `ts` of its own."""
        with self.lock:
            ts = f"{int(datetime.now(UTC).timestamp())}.{next(self._clock_ticks):06d}"
            channel.messages.append({"type": "message", "ts": ts, **message})
            self.arrivals[ts] = datetime.now(UTC)
            return ts

    def received(self, vendor: str, method: str, path: str, status: int) -> None:
        self.requests.append(Request(datetime.now(UTC), vendor, method, path, status))

    def _store(self, vendor: str) -> dict[str, dict[str, Record]]:
        return self.hubspot if vendor == "hubspot" else self.pipedrive
