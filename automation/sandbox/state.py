"""One sandbox: the records of the CRMs, their accounts, Slack's messages, every request, and the bad habits that are on."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from automation.sandbox.accounts import HubSpotAccount, PipedriveAccount, SlackAccount
from automation.sandbox.faults import Faults
from automation.sandbox.habits import Habits
from automation.sandbox.hubspot import calculated
from automation.sandbox.hubspot.journal import Journal
from automation.sandbox.ledger import Ledger
from automation.sandbox.messages import Channel, Message, Messages
from automation.sandbox.pipedrive.schema import FIELDS_OF, FIRST_RECORDS
from automation.sandbox.world import World

MOST_REQUESTS = 20_000
VENDORS = ("hubspot", "pipedrive", "slack")
AGE = timedelta(days=365)  # of what every account has before anybody has made anything


@dataclass(frozen=True)
class Request:
    """One request that a stand-in received, without its credentials. `status` 0: the connection was broken off."""

    at: datetime
    vendor: str
    method: str
    path: str
    status: int


class Sandbox(World):
    """The vendors' side of the world. Safe to use from several threads."""

    def __init__(
        self,
        *,
        hubspot_token: str,
        pipedrive_token: str,
        slack_token: str,
        channels: tuple[str, ...],
        company_data_key: str = "company-data-key",
        habits: Habits | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(now)
        self.tokens = {"hubspot": hubspot_token, "pipedrive": pipedrive_token, "slack": slack_token}
        self.tokens |= {"hunter": company_data_key, "clearbit": company_data_key}
        self.hubspot_account, self.pipedrive_account, self.slack_account = HubSpotAccount(), PipedriveAccount(), SlackAccount()
        self.calculate = self._calculated
        self.slack = Messages(channels, self.lock, now)
        self.hubspot_journal = Journal(self.hubspot_account)
        self.listeners.append(self.hubspot_journal.hear)
        self.ledgers = {"hubspot": Ledger(), "pipedrive": Ledger()}
        """What the players sent, and how it was answered."""
        self.companies: dict[str, dict[str, Any]] = {}
        """Domain -> a company as `automation.sandbox.company_data.company` tells it."""
        self.company_habits: dict[str, str] = {}
        self.requests: deque[Request] = deque(maxlen=MOST_REQUESTS)
        self.after: Callable[[str, str], None] | None = None
        """Called with (vendor, path) when a request's work is done and before it is answered: where tests pull plugs."""
        self.fault: Callable[[str, str], int | None] | None = None
        """Called with (vendor, path) before the work: a status to fail with, or None. The drawn habits are beside it."""
        self.unscoped: set[tuple[str, str]] = set()
        """Vendors and kinds of records that the token has no scope for: 403."""
        self.set_habits(habits or Habits())
        self._begin()

    def _calculated(self, vendor: str, kind: str, properties: dict[str, Any]) -> dict[str, Any]:
        return calculated.of_deal(self.hubspot_account, properties) if (vendor, kind) == ("hubspot", "deals") else {}

    def set_habits(self, habits: Habits) -> None:
        """Switches bad habits on or off; what is drawn begins anew."""
        with self.lock:
            self.habits = habits
            self.search_lag = timedelta(seconds=habits.search_lag_seconds)
            self.faults = {vendor: Faults(vendor, habits) for vendor in VENDORS}

    def renew(self, vendor: str, token: str) -> None:
        """A new token for a vendor, which ends the old one and its being expired."""
        with self.lock:
            self.tokens[vendor] = token
            self.faults[vendor].renew()

    def clear(self) -> None:
        """Forgets records, messages, requests and what was sent; the accounts and channels stay."""
        with self.lock:
            for store in (*self.hubspot.values(), *self.pipedrive.values()):
                store.clear()
            self.slack.clear()
            self.hubspot_journal.clear()
            self.companies.clear()
            self.company_habits.clear()
            self.requests.clear()
            for ledger in self.ledgers.values():
                ledger.clear()
            self.after = self.fault = None
            self.unscoped.clear()
            self._begin()

    def define_hubspot_property(self, kind: str, name: str, type_: str = "string", **more: Any) -> bool:
        """A property of the account's own. False if it was there."""
        with self.lock:
            return self.hubspot_account.define(kind, {"name": name, "type": type_, **more})

    def define_pipedrive_field(self, kind: str, name: str, type_: str = "varchar", options: tuple[str, ...] = ()) -> str:
        """Adds a custom field; returns its key."""
        with self.lock:
            return self.pipedrive_account.define(FIELDS_OF[kind], name, type_, options)

    def define_pipedrive_labels(self, kind: str, *names: str) -> list[int | str]:
        """Adds labels for records of a kind; returns their ids."""
        with self.lock:
            return self.pipedrive_account.add_labels(kind, *names)

    @property
    def channels(self) -> dict[str, Channel]:
        return self.slack.channels

    @property
    def arrivals(self) -> dict[str, datetime]:
        """When each Slack message came in, finer than its `ts` says."""
        return self.slack.arrivals

    def messages(self) -> list[Message]:
        """Every Slack message as it stands now, in the order in which they were posted."""
        return self.slack.everything()

    def received(self, vendor: str, method: str, path: str, status: int) -> None:
        self.requests.append(Request(self.now(), vendor, method, path, status))

    def _begin(self) -> None:
        for kind, number, properties in FIRST_RECORDS:
            self.put("pipedrive", kind, number, properties, at=self.now() - AGE)
