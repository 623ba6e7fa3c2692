"""How the vendors send webhooks: signed or with HTTP Basic, again until they are taken, and with what bad habits are on.

https://developers.hubspot.com/docs/api-reference/latest/webhooks/guide: 5 seconds, up to 10 retries in 24 hours, here only sooner.
https://pipedrive.readme.io/docs/guide-for-webhooks-v2: 10 seconds, retries after 3, 30 and 150; the tenth message that fails at its
first try bans the address for 30 minutes, whose messages are lost; after three days without success the webhook is deleted.
"""

import itertools
import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import httpx

from automation.sandbox import signing
from automation.sandbox.accounts import Webhook
from automation.sandbox.records import milliseconds
from automation.sandbox.state import Sandbox
from automation.sandbox.tricks import Tricks
from automation.sandbox.world import Happening

HUBSPOT_TIMEOUT_SECONDS, HUBSPOT_ATTEMPTS = 5.0, 11
PIPEDRIVE_TIMEOUT_SECONDS, PIPEDRIVE_PAUSES = 10.0, (3.0, 30.0, 150.0)
FAILURES_TO_BAN, BAN, DELETED_AFTER = 10, timedelta(minutes=30), timedelta(days=3)


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


class Sender:
    """What both have: a ledger, tricks, and the echoes of what others wrote through the API."""

    def __init__(self, vendor: str, sandbox: Sandbox, url: str, timeout_seconds: float) -> None:
        self._vendor, self._sandbox, self._url = vendor, sandbox, url
        self.address = url  # where the bytes go: behind the public address that is signed, a proxy may lead elsewhere
        self.ledger = sandbox.ledgers[vendor]
        self._http = httpx.Client(timeout=timeout_seconds, trust_env=False, verify=_shared_context())
        self._lock = threading.RLock()
        self._ids = itertools.count(100)
        self._tricks = Tricks(vendor, sandbox.habits)
        self._echoes: deque[Any] = deque()
        sandbox.listeners.append(self._overhear)

    def echoes(self) -> list[Any]:
        """The events of what was written through the API since this was asked last; none unless the habit is on."""
        return [self._echoes.popleft() for _ in range(len(self._echoes))]

    @property
    def tricks(self) -> Tricks:
        """Those of the habits that are on now. What the old ones held back is kept."""
        self._tricks = self._tricks.under(self._sandbox.habits)
        return self._tricks

    @property
    def skew_ms(self) -> int:
        """How far the sender's clock is off."""
        return int(self._sandbox.habits.clock_skew_seconds * 1000)

    def next_id(self) -> int:
        with self._lock:
            return self.tricks.event_id(next(self._ids))

    def told(self, happening: Happening) -> list[Any]:
        """The events that tell of something."""
        raise NotImplementedError

    def _overhear(self, happening: Happening) -> None:
        if happening.vendor == self._vendor and happening.source.by_api and self._sandbox.habits.echo:
            self._echoes += self.told(happening)


class HubSpotSender(Sender):
    """Posts batches to one address, signed."""

    def __init__(self, sandbox: Sandbox, url: str, secret: str) -> None:
        super().__init__("hubspot", sandbox, url, HUBSPOT_TIMEOUT_SECONDS)
        self._secret = secret
        self.played = Played()

    def forget(self) -> None:
        """Starts over: what was sent before is no longer counted, and bytes go to the signed address again."""
        self.played, self.address = Played(), self._url

    def post(self, body: bytes, *, timestamp_ms: int | None = None) -> int:
        """One signed POST; the status, or 0 where nobody answered in time."""
        moment = timestamp_ms if timestamp_ms is not None else milliseconds(self._sandbox.now()) + self.skew_ms
        headers = {
            "Content-Type": "application/json",
            "X-HubSpot-Signature-v3": signing.hubspot_v3(self._secret, "POST", self._url, body, moment),
            "X-HubSpot-Request-Timestamp": str(moment),
        }
        try:
            return self._http.post(self.address, content=body, headers=headers).status_code
        except httpx.HTTPError:
            return 0

    def deliver(
        self, new: Sequence[Any], also: Sequence[Any] = (), *, attempts: int = HUBSPOT_ATTEMPTS, pause_seconds: float = 1.0
    ) -> int:
        """Posts a batch, again and again until it is taken; returns the last status, 0 where all of it is held back for now.

        `also` goes out in the same batch without counting as news: repeats, and what is malformed.
        """
        now = self._sandbox.now()
        with self._lock:
            for number in {str(event.get("objectId")) for event in new}:
                self.played.all_sent.setdefault(number, []).append(now)
            posts = self.tricks.posts([*new, *also])
        return self._deliver_all(posts, attempts, pause_seconds)

    def flush(self, *, attempts: int = HUBSPOT_ATTEMPTS, pause_seconds: float = 1.0) -> int:
        """Sends what bad habits have held back."""
        with self._lock:
            posts = self.tricks.rest()
        return self._deliver_all(posts, attempts, pause_seconds)

    def _deliver_all(self, posts: list[list[Any]], attempts: int, pause_seconds: float) -> int:
        status = 0
        for events in posts:
            status = self._until_taken(events, attempts, pause_seconds)
        return status

    def _until_taken(self, events: list[Any], attempts: int, pause_seconds: float) -> int:
        status = 0
        for attempt in range(attempts):
            status = self._attempt(events, attempt)
            if 200 <= status < 300:
                with self._lock:
                    again = self.tricks.redelivers()
                if again:
                    self._attempt(events, attempt + 1)
                return status
            time.sleep(pause_seconds)
        return status

    def _attempt(self, events: list[Any], attempt: int) -> int:
        sent = [{**event, "attemptNumber": attempt} if isinstance(event, dict) else event for event in events]
        at = self._sandbox.now()
        status = self.post(json.dumps(sent).encode())
        self.ledger.add(at, sent, attempt, status)
        with self._lock:
            self.played.statuses.append(status)
            self.played.redelivered += attempt > 0
        return status


class PipedriveSender(Sender):
    """Posts one message at a time, with HTTP Basic, to the webhook of one address."""

    def __init__(self, sandbox: Sandbox, url: str, user: str, password: str) -> None:
        super().__init__("pipedrive", sandbox, url, PIPEDRIVE_TIMEOUT_SECONDS)
        self._headers = {"Authorization": signing.basic(user, password)}
        self._account = sandbox.pipedrive_account
        with sandbox.lock:
            if self._account.webhook_for(url, "*", "*") is None:
                self._account.add_webhook(url, "*", "*", now=sandbox.now(), name="all", user=user, password=password)

    def deliver(self, message: dict[str, Any]) -> int:
        """Sends a message, and what came before it and was held back; returns the last status, 0 where nobody answered."""
        with self._lock:
            posts = self.tricks.posts([message])
        return self._deliver_all([each for post in posts for each in post])

    def flush(self) -> int:
        """Sends what bad habits have held back."""
        with self._lock:
            posts = self.tricks.rest()
        return self._deliver_all([each for post in posts for each in post])

    def _deliver_all(self, messages: list[dict[str, Any]]) -> int:
        status = 0
        for message in messages:
            status = self._until_taken(message)
        return status

    def _until_taken(self, message: dict[str, Any]) -> int:
        with self._sandbox.lock:
            webhook = self._account.webhook_for(self._url, message["meta"]["action"], message["meta"]["entity"])
        habits, now = self._sandbox.habits, self._sandbox.now()
        if webhook is None or (habits.pipedrive_ban and webhook.banned_until is not None and now < webhook.banned_until):
            self.ledger.add(now, [message], 1, None)
            return 0
        pauses = PIPEDRIVE_PAUSES if habits.pipedrive_retries else ()
        status = self._attempt(webhook, message, 1)
        for attempt, pause in enumerate(pauses, 2):
            if 200 <= status < 300:
                break
            time.sleep(pause / habits.hurry)
            status = self._attempt(webhook, message, attempt)
        return status

    def _attempt(self, webhook: Webhook, message: dict[str, Any], attempt: int) -> int:
        sent = {**message, "meta": {**message["meta"], "attempt": attempt}}
        at = self._sandbox.now()
        try:
            status = self._http.post(self.address, json=sent, headers=self._headers).status_code
        except httpx.HTTPError:
            status = 0
        self.ledger.add(at, [sent], attempt, status)
        with self._sandbox.lock:
            self._judge(webhook, attempt, status)
        if 200 <= status < 300 and attempt <= len(PIPEDRIVE_PAUSES) and self._redelivers():
            self._attempt(webhook, message, attempt + 1)
        return status

    def _redelivers(self) -> bool:
        with self._lock:
            return self.tricks.redelivers()

    def _judge(self, webhook: Webhook, attempt: int, status: int) -> None:
        """What Pipedrive makes of an answer."""
        habits, now = self._sandbox.habits, self._sandbox.now()
        webhook.last_status = status
        if 200 <= status < 300:
            webhook.last_success_at = now
            return
        if not habits.pipedrive_ban:
            return
        webhook.first_failures += attempt == 1
        if webhook.first_failures >= FAILURES_TO_BAN:
            webhook.first_failures, webhook.banned_until = 0, now + BAN / habits.hurry
        if now - (webhook.last_success_at or webhook.added_at) >= DELETED_AFTER:
            self._account.webhooks.pop(webhook.id, None)


@cache
def _shared_context() -> ssl.SSLContext:
    """Reading the authorities' certificates takes longer than a POST."""
    return httpx.create_ssl_context(trust_env=False)
