"""Plays CRM events as the vendor's own users cause them: the record changes first, then its webhook goes out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from automation.sandbox.hubspot.text import text
from automation.sandbox.hubspot_events import events_of
from automation.sandbox.pipedrive_events import message_of
from automation.sandbox.senders import HubSpotSender, PipedriveSender
from automation.sandbox.world import PEOPLE, Happening

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
ECHO_SECONDS = 0.05
End = tuple[str, str]  # a kind and an id


class HubSpotPlayer(HubSpotSender):
    """Each method changes the stand-in HubSpot and returns the events that tell of it; `deliver` posts them."""

    def define(self, names: set[str]) -> None:
        """Makes the account's custom properties of contacts."""
        for name in names:
            self._sandbox.define_hubspot_property("contacts", name)

    def created(self, number: str, properties: dict[str, Any], kind: str = "contacts") -> list[dict[str, Any]]:
        """A new record: one event, which carries no property."""
        record = self._sandbox.put("hubspot", kind, number, hubspot_properties(properties))
        return self._tell(kind, number, "created", record.updated_at)

    def changed(self, number: str, changed: dict[str, Any], kind: str = "contacts") -> list[dict[str, Any]]:
        """Changed properties: one event each, as HubSpot sends them."""
        theirs = hubspot_properties(changed)
        with self._sandbox.lock:
            record = self._sandbox.get("hubspot", kind, number)
            moment = max(self._sandbox.now(), record.updated_at) if record else self._sandbox.now()
            self._sandbox.put("hubspot", kind, number, theirs, at=moment)
        return self._tell(kind, number, "changed", moment, changed=theirs)

    def deleted(self, number: str, kind: str = "contacts") -> list[dict[str, Any]]:
        self._sandbox.archive("hubspot", kind, number)
        return self._tell(kind, number, "deleted")

    def restored(self, number: str, kind: str = "contacts") -> list[dict[str, Any]]:
        self._sandbox.restore("hubspot", kind, number)
        return self._tell(kind, number, "restored")

    def erased(self, number: str) -> list[dict[str, Any]]:
        """A contact that is deleted for good, as the person asked."""
        self._sandbox.erase("hubspot", "contacts", number)
        return self._tell("contacts", number, "erased")

    def merged(self, primary: str, gone: Sequence[str], *, new: str | None = None, kind: str = "contacts") -> list[dict[str, Any]]:
        """Records become one with the primary one; or all of them, with it, a new one."""
        if new is None:
            self._sandbox.merge("hubspot", kind, primary, gone)
            return self._tell(kind, primary, "merged", others=tuple((kind, number) for number in gone))
        with self._sandbox.lock:
            self._sandbox.put("hubspot", kind, new, {})
            self._sandbox.merge("hubspot", kind, new, [primary, *gone])
        return self._tell(kind, new, "merged", others=tuple((kind, number) for number in (primary, *gone)), primary=True)

    def associated(self, near: End, far: End, *, primary: bool = False) -> list[dict[str, Any]]:
        """Two records are linked: told from both sides."""
        self._sandbox.link(near, far, primary=primary)
        return self._tell(*near, "associated", others=(far,), primary=primary)

    def dissociated(self, near: End, far: End) -> list[dict[str, Any]]:
        self._sandbox.unlink(near, far)
        return self._tell(*near, "dissociated", others=(far,))

    def send_echoes(self) -> int:
        """Delivers the echoes of what was written through the API; returns how many there were."""
        events = self.echoes()
        if events:
            self.deliver(events)
        return len(events)

    def told(self, happening: Happening) -> list[dict[str, Any]]:
        return events_of(happening, self.next_id, self.skew_ms)

    def _tell(self, kind: str, number: str, verb: str, at: Any = None, **more: Any) -> list[dict[str, Any]]:
        return self.told(Happening("hubspot", kind, number, verb, at or self._sandbox.now(), PEOPLE, **more))


class PipedrivePlayer(PipedriveSender):
    """Each method changes the stand-in Pipedrive and returns the message that tells of it; `deliver` posts it."""

    def created(self, number: str, properties: dict[str, Any], kind: str = "persons") -> dict[str, Any]:
        with self._sandbox.lock:
            self._sandbox.put("pipedrive", kind, number, properties)
            return self._tell(kind, number, "created")

    def changed(
        self, number: str, changed: dict[str, Any], kind: str = "persons", *, correlation: int | None = None
    ) -> dict[str, Any]:
        """`correlation`: one of many that were changed at once."""
        with self._sandbox.lock:
            record = self._sandbox.get("pipedrive", kind, number)
            assert record is not None
            before = {name: record.properties.get(name) for name in changed}
            in_bulk = correlation is not None
            self._sandbox.put("pipedrive", kind, number, changed, in_bulk=in_bulk)
            return self._tell(kind, number, "changed", previous=before, correlation=correlation, is_bulk_edit=in_bulk)

    def changed_in_bulk(self, numbers: Sequence[str], changed: dict[str, Any], kind: str = "persons") -> list[dict[str, Any]]:
        """Many records at once: a message for each."""
        correlation = self.next_id()
        return [self.changed(number, changed, kind, correlation=correlation) for number in numbers]

    def deleted(self, number: str, kind: str = "persons") -> dict[str, Any]:
        """A user is not deleted but switched off, which is a change."""
        with self._sandbox.lock:
            self._sandbox.archive("pipedrive", kind, number)
            return self._tell(kind, number, "deleted")

    def restored(self, number: str, kind: str = "persons") -> dict[str, Any]:
        """Out of the recycle bin: told as a change that changes nothing."""
        with self._sandbox.lock:
            self._sandbox.restore("pipedrive", kind, number)
            return self._tell(kind, number, "restored")

    def merged(self, stays: str, gone: str, kind: str = "persons") -> list[dict[str, Any]]:
        """One record becomes one with another: told twice, in no promised order."""
        with self._sandbox.lock:
            record = self._sandbox.get("pipedrive", kind, stays)
            assert record is not None
            before = dict(record.properties)
            after = self._sandbox.merge("pipedrive", kind, stays, [gone]).properties
            moved = {name: before.get(name) for name, value in after.items() if before.get(name) != value}
            return [
                self._tell(kind, gone, "deleted", merged_to_id=stays),
                self._tell(kind, stays, "changed", previous=moved, merged_from_id=gone),
            ]

    def send_echoes(self) -> int:
        """Delivers the echoes of what was written through the API; returns how many there were."""
        messages = self.echoes()
        for message in messages:
            self.deliver(message)
        return len(messages)

    def told(self, happening: Happening) -> list[dict[str, Any]]:
        return [message_of(self._sandbox, happening, self.next_id(), skew_ms=self.skew_ms)]

    def _tell(
        self,
        kind: str,
        number: str,
        verb: str,
        *,
        previous: dict[str, Any] | None = None,
        correlation: int | None = None,
        **meta: Any,
    ) -> dict[str, Any]:
        happening = Happening("pipedrive", kind, number, verb, self._sandbox.now(), PEOPLE, previous=previous or {})
        return message_of(self._sandbox, happening, self.next_id(), skew_ms=self.skew_ms, correlation=correlation, **meta)


@contextmanager
def echoing(*players: HubSpotPlayer | PipedrivePlayer) -> Iterator[None]:
    """Delivers echoes in the background until the block ends."""
    ended = Event()

    def run() -> None:
        while not ended.wait(ECHO_SECONDS):
            for player in players:
                player.send_echoes()

    thread = Thread(target=run, name="echoes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def hubspot_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """The world's properties under HubSpot's names, as text."""
    renamed = {HUBSPOT_NAMES.get(name, name): value for name, value in properties.items() if value is not None}
    if "hs_analytics_source" in renamed:
        renamed["hs_analytics_source"] = HUBSPOT_CHANNELS.get(renamed["hs_analytics_source"], renamed["hs_analytics_source"])
    return {name: text(value) for name, value in renamed.items()}
