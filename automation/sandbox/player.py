"""Plays CRM events as the vendor sends them: the record changes first, then its webhook goes out, signed.

Redelivers as HubSpot does when it is not answered 2xx in time (with a higher attempt number), only sooner.
"""

import itertools
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from automation.sandbox import signing
from automation.sandbox.pipedrive import wire_record
from automation.sandbox.state import Sandbox

HUBSPOT_TIMEOUT_SECONDS = 5.0
PIPEDRIVE_TIMEOUT_SECONDS = 10.0
PORTAL_ID, APP_ID, SUBSCRIPTION_ID = 62_515, 54_321, 12_345

# The world's names -> HubSpot's. Written down here again, apart from the table that reads them.
HUBSPOT_NAMES = {
    "sessions": "hs_analytics_num_visits",
    "page_views": "hs_analytics_num_page_views",
    "channel": "hs_analytics_source",
}
HUBSPOT_CHANNELS = {
    "organic_search": "ORGANIC_SEARCH",
    "paid_search": "PAID_SEARCH",
    "paid_social": "PAID_SOCIAL",
    "email": "EMAIL_MARKETING",
    "referral": "REFERRALS",
    "direct": "DIRECT_TRAFFIC",
    "display": "OTHER_CAMPAIGNS",
}


@dataclass
class Played:
    """What was sent: every webhook's answers, and when each object's events went out first."""

    statuses: list[int] = field(default_factory=list)
    all_sent: dict[str, list[datetime]] = field(default_factory=dict)
    redelivered: int = 0

    @property
    def sent_at(self) -> dict[str, datetime]:
        """Object -> when its newest event went out."""
        return {number: moments[-1] for number, moments in self.all_sent.items()}


class HubSpotPlayer:
    """Sends batches to one webhook address. `batch` makes events; `deliver` posts them until they are taken."""

    def __init__(self, sandbox: Sandbox, url: str, secret: str) -> None:
        self._sandbox, self._url, self._secret = sandbox, url, secret
        self.address = url  # where the bytes go: behind the public address that is signed, a proxy may lead elsewhere
        self._http = httpx.Client(timeout=HUBSPOT_TIMEOUT_SECONDS, trust_env=False)
        self._event_ids = itertools.count(100)
        self._lock = threading.Lock()
        self.played = Played()

    def forget(self) -> None:
        """Starts over: what was sent before is no longer counted, and bytes go to the signed address again."""
        self.played, self.address = Played(), self._url

    def define(self, names: set[str]) -> None:
        """Makes the account's custom properties."""
        for name in names:
            self._sandbox.define_hubspot_property("contacts", name)

    def created(self, number: str, properties: dict[str, Any]) -> list[dict[str, Any]]:
        """A new contact: one event, which carries no property."""
        self._sandbox.put("hubspot", "contacts", number, hubspot_properties(properties))
        return [self._event("contact.creation", number)]

    def changed(self, number: str, changed: dict[str, Any]) -> list[dict[str, Any]]:
        """Changed properties: one event each, as HubSpot sends them."""
        theirs = hubspot_properties(changed)
        self._sandbox.put("hubspot", "contacts", number, theirs)
        moment = int(time.time() * 1000)
        return [
            {**self._event("contact.propertyChange", number, moment), "propertyName": name, "propertyValue": value}
            for name, value in theirs.items()
        ]

    def post(self, body: bytes, *, timestamp_ms: int | None = None) -> int:
        """One signed POST; the status, or 0 where nobody answered in time."""
        moment = timestamp_ms if timestamp_ms is not None else int(time.time() * 1000)
        headers = {
            "Content-Type": "application/json",
            "X-HubSpot-Signature-v3": signing.hubspot_v3(self._secret, "POST", self._url, body, moment),
            "X-HubSpot-Request-Timestamp": str(moment),
        }
        try:
            return self._http.post(self.address, content=body, headers=headers).status_code
        except httpx.HTTPError:
            return 0

    def deliver(self, new: list[Any], also: Sequence[Any] = (), *, attempts: int = 10, pause_seconds: float = 1.0) -> int:
        """Posts a batch, again and again until it is taken; returns the last status.

        `also` goes out in the same batch without counting as news: repeats, and what is malformed.
        """
        events = [*new, *also]
        now = datetime.now(UTC)
        with self._lock:
            for number in {str(event["objectId"]) for event in new}:
                self.played.all_sent.setdefault(number, []).append(now)
        status = 0
        for attempt in range(attempts):
            status = self.post(json.dumps([_attempt(event, attempt) for event in events]).encode())
            with self._lock:
                self.played.statuses.append(status)
                self.played.redelivered += attempt > 0
            if 200 <= status < 300:
                return status
            time.sleep(pause_seconds)
        return status

    def _event(self, kind: str, number: str, moment: int | None = None) -> dict[str, Any]:
        return {
            "eventId": next(self._event_ids),
            "subscriptionId": SUBSCRIPTION_ID,
            "portalId": PORTAL_ID,
            "appId": APP_ID,
            "occurredAt": moment if moment is not None else int(time.time() * 1000),
            "subscriptionType": kind,
            "attemptNumber": 0,
            "objectId": int(number),
            "changeSource": "CRM_UI",
            "sourceId": "userId:1",
        }


def _attempt(event: Any, number: int) -> Any:
    return {**event, "attemptNumber": number} if isinstance(event, dict) else event


class PipedrivePlayer:
    """Sends webhooks v2 with HTTP Basic, one event a message."""

    def __init__(self, sandbox: Sandbox, url: str, user: str, password: str) -> None:
        self._sandbox, self._url = sandbox, url
        self._headers = {"Authorization": signing.basic(user, password)}
        self._http = httpx.Client(timeout=PIPEDRIVE_TIMEOUT_SECONDS, trust_env=False)
        self._ids = itertools.count(1)

    def created(self, number: str, properties: dict[str, Any]) -> dict[str, Any]:
        self._sandbox.put("pipedrive", "persons", number, properties)
        return self._message("create", number, wire_record(self._sandbox, "persons", number, properties), None)

    def changed(self, number: str, changed: dict[str, Any]) -> dict[str, Any]:
        record = self._sandbox.get("pipedrive", "persons", number)
        assert record is not None
        before = {name: record.properties.get(name) for name in changed}
        self._sandbox.put("pipedrive", "persons", number, changed)
        data = wire_record(self._sandbox, "persons", number, record.properties)
        previous = {name: value for name, value in wire_record(self._sandbox, "persons", number, before).items() if name != "id"}
        return self._message("change", number, data, previous)

    def deliver(self, message: dict[str, Any]) -> int:
        try:
            return self._http.post(self._url, json=message, headers=self._headers).status_code
        except httpx.HTTPError:
            return 0

    def _message(self, action: str, number: str, data: dict[str, Any], previous: dict[str, Any] | None) -> dict[str, Any]:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "meta": {
                "action": action, "entity": "person", "entity_id": number, "company_id": "31", "user_id": "1",
                "id": f"00000000-0000-4000-8000-{next(self._ids):012d}", "correlation_id": "c", "webhook_id": "7",
                "timestamp": moment, "version": "2.0", "is_bulk_edit": False, "change_source": "app", "attempt": 1,
            },
            "data": data,
            "previous": previous,
        }  # fmt: skip


def hubspot_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """The world's properties under HubSpot's names, as text."""
    renamed = {HUBSPOT_NAMES.get(name, name): value for name, value in properties.items() if value is not None}
    if "hs_analytics_source" in renamed:
        renamed["hs_analytics_source"] = HUBSPOT_CHANNELS.get(renamed["hs_analytics_source"], renamed["hs_analytics_source"])
    return {name: ("true" if value else "false") if isinstance(value, bool) else str(value) for name, value in renamed.items()}
