"""The stand-in accounts: what HubSpot and Pipedrive know of a customer beside its records."""

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from automation.sandbox.hubspot import schema as hubspot_schema
from automation.sandbox.limits import Bucket, DailyBudget, Window
from automation.sandbox.pipedrive import schema as pipedrive_schema

# Slack's calls a minute by its tiers, and how many messages it takes at once: it says «short bursts», and no number.
SLACK_BURST = 3
SLACK_TIERS = {
    "chat.update": 50,
    "chat.delete": 50,
    "conversations.history": 50,
    "conversations.info": 50,
    "conversations.list": 20,
}
PORTAL_ID, APP_ID, SUBSCRIPTION_ID = 62_515, 54_321, 12_345
# What a bot is granted from the start: all that anything here asks for.
SLACK_SCOPES = ("chat:write", "channels:read", "channels:history", "groups:read", "groups:history")
COMPANY_ID = 31


@dataclass
class HubSpotAccount:
    """Properties and groups by kind, users, pipelines, and the limits of a private app on a Starter account."""

    portal_id: int = PORTAL_ID
    app_id: int = APP_ID
    currency: str = "EUR"
    rates: dict[str, str] = field(default_factory=dict)
    """What one unit of each further currency is in the company's own."""
    time_zone: str = "Europe/Berlin"
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-client-secret"  # noqa: S105
    properties: dict[str, dict[str, dict[str, Any]]] = field(default_factory=hubspot_schema.properties)
    groups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=hubspot_schema.groups)
    owners: list[dict[str, Any]] = field(default_factory=hubspot_schema.owners)
    pipelines: dict[str, list[dict[str, Any]]] = field(default_factory=hubspot_schema.pipelines)
    scopes: frozenset[str] = hubspot_schema.SCOPES
    window: Window = field(default_factory=lambda: Window(100, 10))
    searches: Window = field(default_factory=lambda: Window(5, 1))
    daily: DailyBudget = field(default_factory=lambda: DailyBudget(250_000))

    def define(self, kind: str, definition: dict[str, Any]) -> bool:
        """Makes a property as it was asked for. False if it was there."""
        known = self.properties[kind]
        if definition["name"] in known:
            return False
        known[definition["name"]] = hubspot_schema.definition(**definition)
        return True


@dataclass
class Webhook:
    """One of Pipedrive's webhooks, and how its deliveries went."""

    id: int
    url: str
    action: str
    entity: str
    name: str
    user: str | None
    password: str | None
    added_at: datetime
    first_failures: int = 0
    banned_until: datetime | None = None
    last_success_at: datetime | None = None
    last_status: int | None = None
    removed_at: datetime | None = None
    removed_because: str | None = None

    def wants(self, action: str, entity: str) -> bool:
        return self.removed_at is None and self.action in {"*", action} and self.entity in {"*", entity}


@dataclass
class PipedriveAccount:
    """Custom fields by kind and key, users, currencies, webhooks, and the limits of one seat on the Growth plan."""

    company_id: int = COMPANY_ID
    currency: str = "EUR"
    locale: str = "de_DE"
    time_zone: str = "Europe/Berlin"
    fields: dict[str, dict[str, dict[str, Any]]] = field(default_factory=pipedrive_schema.no_custom_fields)
    labels: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    currencies: list[dict[str, Any]] = field(default_factory=pipedrive_schema.currencies)
    webhooks: dict[int, Webhook] = field(default_factory=dict)
    window: Window = field(default_factory=lambda: Window(40, 2))
    daily: DailyBudget = field(default_factory=lambda: DailyBudget(60_000))
    _webhook_ids: Iterator[int] = field(default_factory=lambda: itertools.count(7))
    _option_ids: Iterator[int] = field(default_factory=lambda: itertools.count(101))

    def define(self, kind: str, name: str, type_: str = "varchar", options: tuple[str, ...] = ()) -> str:
        """Adds a custom field; returns its key."""
        # Pipedrive's keys are 40 hexadecimal digits; here a digest, so that they are the same in every run.
        key = hashlib.sha1(f"{kind}/{name}".encode(), usedforsecurity=False).hexdigest()
        if key not in self.fields[kind]:
            choices = [{"id": next(self._option_ids), "label": label} for label in options]
            self.fields[kind][key] = {"key": key, "name": name, "type": type_, "options": choices or None}
        return key

    def add_labels(self, kind: str, *names: str) -> list[int | str]:
        """Adds labels that records may have; returns their ids: a lead's are UUIDs."""
        ids = [str(uuid5(NAMESPACE_URL, name)) if kind == "leads" else next(self._option_ids) for name in names]
        self.labels.setdefault(kind, []).extend({"id": one, "label": name} for one, name in zip(ids, names, strict=True))
        return ids

    def add_webhook(
        self,
        url: str,
        action: str,
        entity: str,
        *,
        now: datetime,
        name: str = "",
        user: str | None = None,
        password: str | None = None,
    ) -> Webhook:
        number = next(self._webhook_ids)
        self.webhooks[number] = Webhook(number, url, action, entity, name, user, password, now)
        return self.webhooks[number]

    def webhook_for(self, url: str, action: str, entity: str) -> Webhook | None:
        """The webhook that a message to an address goes out by; None where nobody asked for it any more."""
        return next((row for row in self.webhooks.values() if row.url == url and row.wants(action, entity)), None)


@dataclass
class SlackAccount:
    """How often a workspace has been called, and what its bot may do."""

    scopes: tuple[str, ...] = SLACK_SCOPES
    methods: dict[str, Window] = field(default_factory=lambda: {name: Window(calls, 60) for name, calls in SLACK_TIERS.items()})
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def bucket(self, channel: str) -> Bucket:
        return self._buckets.setdefault(channel, Bucket(SLACK_BURST))
