"""HubSpot's webhooks journal: what happened, in pages that can be read for three days.

https://developers.hubspot.com/docs/api-reference/latest/webhooks-journal/guide and .../journal-entries/guide: a subscription says
which kinds, actions and properties; a page is `{offset, journalEvents, publishedAt}`, and lies behind an address of its own.
HubSpot publishes on its own time; here a page is published when somebody looks, or when it is full.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from automation.sandbox.accounts import HubSpotAccount
from automation.sandbox.hubspot.schema import KINDS
from automation.sandbox.hubspot.text import stamp, text
from automation.sandbox.world import Happening

KEPT = timedelta(days=3)
MOST_EVENTS = 100
ACTIONS = {
    "created": "CREATE", "changed": "UPDATE", "deleted": "DELETE", "merged": "MERGE", "restored": "RESTORE",
    "associated": "ASSOCIATION_ADDED", "dissociated": "ASSOCIATION_REMOVED", "erased": "GDPR_DELETE",
}  # fmt: skip


@dataclass(frozen=True)
class Page:
    offset: str
    published_at: datetime
    events: tuple[dict[str, Any], ...]


class Journal:
    """Pages in the order in which they were published. Not safe by itself: the sandbox holds its lock."""

    def __init__(self, account: HubSpotAccount) -> None:
        self._account = account
        self.subscriptions: dict[int, dict[str, Any]] = {}
        self._ids, self._published = count(1), count(1)
        self._pages: dict[str, Page] = {}
        self._waiting: list[dict[str, Any]] = []

    def clear(self) -> None:
        """Forgets what happened; subscriptions stay."""
        self._pages, self._waiting = {}, []

    def subscribe(self, wanted: dict[str, Any], now: str) -> dict[str, Any]:
        number = next(self._ids)
        made = {**wanted, "id": number, "appId": self._account.app_id, "createdAt": now, "updatedAt": now, "createdBy": 1}
        self.subscriptions[number] = made
        return made

    def hear(self, happening: Happening) -> None:
        """Writes down what somebody has subscribed to."""
        if happening.vendor != "hubspot" or not self.subscriptions:
            return
        type_id, action = KINDS[happening.kind].type_id, ACTIONS[happening.verb]
        wanted = [row for row in self.subscriptions.values() if row["objectTypeId"] == type_id and action in row["actions"]]
        if not wanted:
            return
        shown = {name for row in wanted for name in row.get("properties") or ()}
        changes = {name: text(value) for name, value in happening.changed.items() if name in shown}
        if action == "UPDATE" and not changes:
            return
        self._waiting.append(_event(happening, type_id, action, changes, self._account.portal_id))
        if len(self._waiting) >= MOST_EVENTS:
            self._publish(happening.at)

    def pages(self, now: datetime) -> list[Page]:
        """All that are kept, the oldest first."""
        if self._waiting:
            self._publish(now)
        for offset in [page.offset for page in self._pages.values() if page.published_at <= now - KEPT]:
            del self._pages[offset]
        return list(self._pages.values())

    def earliest(self, now: datetime) -> Page | None:
        return next(iter(self.pages(now)), None)

    def latest(self, now: datetime) -> Page | None:
        return next(reversed(self.pages(now)), None)

    def following(self, offset: str, now: datetime) -> list[Page]:
        """The pages after one.

        Raises:
            KeyError: there is no such page, or it is no longer kept.
        """
        pages = self.pages(now)
        places = {page.offset: place for place, page in enumerate(pages)}
        return pages[places[offset] + 1 :]

    def page(self, offset: str) -> Page | None:
        return self._pages.get(offset)

    def _publish(self, now: datetime) -> None:
        offset = str(uuid5(NAMESPACE_URL, f"journal/{next(self._published)}"))
        self._pages[offset] = Page(offset, now, tuple(self._waiting))
        self._waiting = []


def _event(happening: Happening, type_id: str, action: str, changes: dict[str, Any], portal_id: int) -> dict[str, Any]:
    linked = action.startswith("ASSOCIATION")
    event = {
        "type": "association" if linked else "crmObject", "portalId": portal_id, "occurredAt": stamp(happening.at),
        "action": action, "objectTypeId": type_id, "objectId": int(happening.id),
    }  # fmt: skip
    if linked:
        (other,) = happening.others
        return {**event, "associatedObjectTypeId": KINDS[other[0]].type_id, "associatedObjectId": int(other[1])}
    if action == "MERGE":
        return {**event, "mergedObjectIds": [int(number) for _, number in happening.others]}
    return {**event, "propertyChanges": changes} if changes else event
