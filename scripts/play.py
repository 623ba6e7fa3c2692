"""What the demo and the end-to-end tests play: batches of CRM events, repeats and malformed items among them."""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automation.sandbox.player import HubSpotPlayer, hubspot_properties
from automation.sandbox.state import Sandbox
from data.samples import world

REPEAT_SHARE = 0.10
MALFORMED_SHARE = 0.03
LARGEST_BATCH = 8
PAST_CONTACTS = 300
# Each of these is wrong in another way: an unknown type, a missing field, a wrong type, a NUL, no object at all.
MALFORMED: tuple[Any, ...] = (
    {"subscriptionType": "contact.teleportation", "objectId": 1, "occurredAt": 1, "portalId": 1, "eventId": 1},
    {"subscriptionType": "contact.propertyChange", "occurredAt": 1_700_000_000_000, "portalId": 1, "eventId": 2},
    {"subscriptionType": "contact.creation", "objectId": "seven", "occurredAt": 1_700_000_000_000, "portalId": 1, "eventId": 3},
    {"subscriptionType": "contact.propertyChange", "objectId": 4, "occurredAt": 1_700_000_000_000, "portalId": 1, "eventId": 4,
     "propertyName": "company", "propertyValue": "Nul\u0000 Ltd"},
    "not an object",
)  # fmt: skip


@dataclass
class Script:
    """What was played, so that what arrived can be held against it."""

    good: int = 0
    repeats: int = 0
    malformed: int = 0
    contacts: set[str] = field(default_factory=set)

    def add(self, other: "Script") -> None:
        self.good += other.good
        self.repeats += other.repeats
        self.malformed += other.malformed
        self.contacts |= other.contacts


def seed_history(sandbox: Sandbox, *, seed: int) -> None:
    """Fills the stand-in HubSpot with months of the synthetic CRM's past, so that the account is not empty."""
    past = world.history(PAST_CONTACTS, seed)
    for company in past.companies:
        sandbox.put("hubspot", "companies", str(company.id), {"name": company.name, "domain": company.domain})
    for person in past.contacts:
        sandbox.put("hubspot", "contacts", str(person.id), hubspot_properties({**person.properties, **person.custom}))
    for deal in past.deals:
        stage, _ = deal.stages[-1]
        sandbox.put(
            "hubspot",
            "deals",
            str(deal.id),
            {"dealname": f"Deal {deal.id}", "dealstage": stage, "amount": f"{deal.amount_cents / 100:.2f}"},
        )


def play_world(
    player: HubSpotPlayer, *, events: int, seed: int, progress: Callable[[int], None] = lambda _n: None,
    pause_seconds: float = 0.0,
) -> Script:  # fmt: skip
    """Plays `events` distinct good HubSpot events of the synthetic CRM, with repeats and malformed items on top."""
    generator = np.random.default_rng([seed, 3])
    player.define({"engaged_sessions", "is_first_visit", "job_title", "team_size", "newsletter"})
    script, sent = Script(), list[dict[str, Any]]()
    broken = itertools.cycle(MALFORMED)
    for batch in _batches(player, world.live(seed, warm=True), events, generator, script):
        extra: list[Any] = []
        for _ in batch:
            if sent and generator.random() < REPEAT_SHARE:
                extra.append(sent[int(generator.integers(len(sent)))])
                script.repeats += 1
            if generator.random() < MALFORMED_SHARE:
                extra.append(next(broken))
                script.malformed += 1
        sent += batch
        script.good += len(batch)
        player.deliver(batch, extra)
        progress(len(batch))
        if pause_seconds:
            time.sleep(pause_seconds)
    player.flush()
    return script


def play_rows(
    player: HubSpotPlayer,
    rows: Sequence[dict[str, Any]],
    *,
    first_id: int,
    generator: np.random.Generator,
    progress: Callable[[int], None],
) -> None:
    """Plays rows of a table as new contacts, a few to a batch."""
    place = 0
    while place < len(rows):
        size = int(generator.integers(1, LARGEST_BATCH + 1))
        batch = [
            event
            for number, row in enumerate(rows[place : place + size], first_id + place)
            for event in player.created(str(number), row)
        ]
        player.deliver(batch)
        progress(len(batch))
        place += size


def _batches(
    player: HubSpotPlayer, changes: Iterable[world.Change], events: int, generator: np.random.Generator, script: Script
) -> Iterable[list[dict[str, Any]]]:
    """Changes as batches of HubSpot events; the last one is cut to the number asked for."""
    batch: list[dict[str, Any]] = []
    wanted, total = int(generator.integers(1, LARGEST_BATCH + 1)), 0
    for change in changes:
        number = str(change.contact.id)
        # No more properties change than there are events left to say so.
        changed = dict(list(change.changed.items())[: events - total])
        made = player.created(number, change.current) if change.verb == "created" else player.changed(number, changed)
        script.contacts.add(number)
        batch += made
        total += len(made)
        if len(batch) >= wanted or total >= events:
            yield batch
            batch, wanted = [], int(generator.integers(1, LARGEST_BATCH + 1))
        if total >= events:
            return
