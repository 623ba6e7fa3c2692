"""What must be true in the end, computed from the ledger of 2xx answers and from the stand-ins, not from the loop's own word.

The ledger is kept by the senders, in the process that runs the test: nothing that is killed can touch it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from automation.destinations.digest import BLOCK_PREFIX
from automation.predictive_enrichments.lead_fields import SCORE_DIGITS
from automation.sandbox.ledger import Ledger
from automation.sandbox.snapshot import snapshot
from automation.sources import ours
from automation.sources.properties import canonical
from data.db import Database
from data.domain.delivery import DeliveryState
from data.domain.event import EventState
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.payloads import Payload, PayloadState
from ml.serving.predictor import Served
from scripts.stand import Stand
from tests.chaos.load import Load

KINDS = {"hubspot": "contacts", "pipedrive": "persons"}
# These say when, not what: no two runs share them.
TIMED = frozenset({"predicted_scored_at"})
HUBSPOT_VERBS = {"contact.creation": "contact.created", "contact.propertyChange": "contact.changed"}
PIPEDRIVE_VERBS = {"create": "contact.created", "change": "contact.changed"}
Told = tuple[str, str, str, int]
"""An event as both sides name it: source, the record's id, what happened to it, and when, in milliseconds."""


@dataclass
class Findings:
    """One run's end. Everything named `wrong_...` is to be empty."""

    accepted: int = 0
    stored: int = 0
    reconciled: int = 0
    """Events that no webhook told: found by reconciliation."""
    unaccepted: int = 0
    """Events that no 2xx was given for and that their sender gave up: lost by the vendor's own rules."""
    wrong_stored: list[str] = field(default_factory=list)
    scored: int = 0
    wrong_scores: list[str] = field(default_factory=list)
    wrong_pending: dict[str, int] = field(default_factory=dict)
    wrong_dead: list[str] = field(default_factory=list)
    hot: int = 0
    alerted: int = 0
    wrong_unalerted: list[str] = field(default_factory=list)
    alerted_twice: list[str] = field(default_factory=list)
    records: dict[str, Any] = field(default_factory=dict)
    """What our fields say on every record, for holding one run against another."""

    @property
    def wrong(self) -> dict[str, Any]:
        """All that must not be, by name; empty in a good run."""
        return {name: value for name, value in vars(self).items() if name.startswith("wrong_") and value}

    def differences(self, other: "Findings") -> list[str]:
        """Records on which two runs say different things, and which."""
        names = sorted(self.records.keys() | other.records.keys())
        pairs = ((name, self.records.get(name, {}), other.records.get(name, {})) for name in names)
        return [f"{name}: {_apart(mine, theirs)}" for name, mine, theirs in pairs if mine != theirs]


def findings(parts: Stand, load: Load, served: Served, database: Database) -> Findings:
    found = Findings()
    with database.read() as session:
        _check_stored(parts.sandbox.ledgers, session, found)
        found.wrong_pending = pending(session)
        found.wrong_dead = _dead(session)
    _check_scores(parts, load, served, found)
    _check_alerts(parts, found)
    found.records = _our_fields(parts)
    return found


def pending(session: Session) -> dict[str, int]:
    """What has not come to its end, table by table; empty if nothing."""
    waiting = (DeliveryState.PENDING, DeliveryState.LEASED)
    counts = {
        "payloads": session.exec(select(func.count()).where(col(Payload.state) != PayloadState.PARSED)).one(),
        "events": session.exec(select(func.count()).where(EventRow.state == EventState.NEW)).one(),
        "deliveries": session.exec(select(func.count()).where(col(DeliveryRow.state).in_(waiting))).one(),
    }
    return {name: count for name, count in counts.items() if count}


def _check_stored(ledgers: Mapping[str, Ledger], session: Session, found: Findings) -> None:
    """Every distinct accepted event is there exactly once, and nothing is there that no sender ever sent."""
    told = {"hubspot": _of_hubspot, "pipedrive": _of_pipedrive}
    accepted = Counter(each for name, ledger in ledgers.items() for event in ledger.taken().values() if (each := told[name](event)))
    lost = Counter(each for name, ledger in ledgers.items() for event in ledger.untaken().values() if (each := told[name](event)))
    stored = Counter(_stored(session))
    found.accepted, found.stored, found.unaccepted = accepted.total(), stored.total(), lost.total()
    missed = select(func.count()).select_from(EventRow).join(Payload, col(Payload.id) == EventRow.payload_id)
    found.reconciled = session.exec(missed.where(Payload.source == ours.NAME)).one()
    found.wrong_stored = [
        f"{each}: accepted {number}, stored {stored[each]}" for each, number in accepted.items() if stored[each] != number
    ]
    # What was stored and not acknowledged is no fault; that it was sent is what counts.
    found.wrong_stored += [f"{each}: never sent" for each in stored.keys() - accepted.keys() - lost.keys()]


def _of_hubspot(event: Any) -> Told | None:
    """None for what is malformed: that is set aside."""
    if not isinstance(event, dict) or not isinstance(event.get("objectId"), int):
        return None
    if (verb := HUBSPOT_VERBS.get(event["subscriptionType"])) is None or "\x00" in str(event.get("propertyValue")):
        return None
    changed = {event["propertyName"]: event["propertyValue"]} if "propertyName" in event else {}
    return ("hubspot", str(event["objectId"]), f"{verb} {changed}", event["occurredAt"])


def _of_pipedrive(message: Any) -> Told:
    meta = message["meta"]
    moment = datetime.fromisoformat(meta["timestamp"])
    return ("pipedrive", str(meta["entity_id"]), PIPEDRIVE_VERBS[meta["action"]], _milliseconds(moment))


def _stored(session: Session) -> list[Told]:
    query = (
        select(EventRow.source, EntityRow.vendor_id, EventRow.type, EventRow.properties, EventRow.occurred_at)
        .join(EntityRow, col(EntityRow.id) == EventRow.entity_id)
        .join(Payload, col(Payload.id) == EventRow.payload_id)
        .where(Payload.source != ours.NAME)  # what reconciliation found, and reviews
    )
    return [
        (source, number, f"{type_} {properties}" if source == "hubspot" else type_, _milliseconds(at))
        for source, number, type_, properties, at in session.exec(query)
    ]


def _check_scores(parts: Stand, load: Load, served: Served, found: Findings) -> None:
    """Every person's record carries the score of its own last properties, made here without the loop."""
    inputs = served.card.input_names
    for source, numbers in load.people.items():
        for number in sorted(numbers):
            record = parts.sandbox.get(source, KINDS[source], number)
            assert record is not None
            wanted = served.predict([canonical(source, record.properties, inputs)])[0]
            written = record.properties.get("predicted_score")
            found.scored += written is not None
            found.hot += wanted.label == "high"
            if written is None or abs(float(written) - wanted.score) >= 10**-SCORE_DIGITS:
                found.wrong_scores.append(f"{source} {number}: {written} instead of {wanted.score:.6f}")


def _check_alerts(parts: Stand, found: Findings) -> None:
    """Who is hot in the end was alerted once; nobody twice, for within the quiet days no second alert is due to anybody."""
    alerts = Counter(who for message in parts.sandbox.messages() for who in _whom(message))
    found.alerted = len(alerts)
    found.alerted_twice = sorted(who for who, count in alerts.items() if count > 1)
    hot = {
        f"{source} {number}"
        for source, kind in KINDS.items()
        for number, record in ((each.id, each) for each in parts.sandbox.records(source, kind))
        if record.properties.get("predicted_label") == "high"
    }
    found.wrong_unalerted = sorted(hot - alerts.keys())


def _whom(message: dict[str, Any]) -> list[str]:
    """Source and id of those that a message is about: its footers name them."""
    if not any(str(block.get("block_id", "")).startswith(BLOCK_PREFIX) for block in message["blocks"]):
        return []
    footers = [str(block["elements"][0]["text"]).split() for block in message["blocks"] if block["type"] == "context"]
    return [f"{words[-3]} {words[-1]}" for words in footers]


def _dead(session: Session) -> list[str]:
    """Dead letters of anything but malformed items: in these runs nothing else has a reason to be given up."""
    rows = session.exec(select(DeadLetter).where(col(DeadLetter.stage).not_in(("parse", "validate"))))
    return [f"{row.source} {row.stage}: {row.reason}" for row in rows]


def _our_fields(parts: Stand) -> dict[str, Any]:
    held = snapshot(parts.sandbox)
    return {
        f"{source} {number}": {name: value for name, value in record["properties"].items() if name not in TIMED}
        for source, kind in KINDS.items()
        for number, record in held[source][kind].items()
    }


def _apart(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    names = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    return ", ".join(f"{name} {ours.get(name)!r} and {theirs.get(name)!r}" for name in names)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
