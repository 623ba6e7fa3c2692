"""What must be true in the end, computed from the ledger of 2xx answers and from the stand-ins, not from the loop's own word.

The ledger is kept by the senders, in the process that runs the test: nothing that is killed can touch it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.events import EventRow
from data.warehouse.payloads import Payload, PayloadState
from ml.serving.predictor import Served
from scripts.stand import Stand
from tests.chaos.deals import wrong_endings, wrong_outcomes
from tests.chaos.gone import dead_letters, wrong_gone, wrong_merges
from tests.chaos.known import wrong_known
from tests.chaos.load import Load
from tests.chaos.told import losses, of_ledger, stored

KINDS = {"hubspot": "contacts", "pipedrive": "persons"}
# These say when, not what: no two runs share them.
TIMED = frozenset({"predicted_scored_at"})
# What a person's deals are worth is told with the person's next score: a deal that changes asks no model. So where a deal names
# somebody, it depends on which of two webhooks came first.
OF_DEALS = frozenset({"predicted_expected_value", "predicted_currency", "predicted_expected_value_text"})
OURS = "predicted_"
REVIEWS = "%.reviewed"  # of whoever is the same as somebody of whom there is news


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
    gone: int = 0
    """People who are deleted or merged in the end."""
    wrong_gone: list[str] = field(default_factory=list)
    wrong_merges: list[str] = field(default_factory=list)
    wrong_known: list[str] = field(default_factory=list)
    ended: int = 0
    """Deals that were ever won or lost."""
    wrong_outcomes: list[str] = field(default_factory=list)
    wrong_endings: list[str] = field(default_factory=list)
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


def findings(parts: Stand, load: Load, served: Served, database: Database, *, asked_for: bool) -> Findings:
    """`asked_for`: rounds have asked for everybody since all was sent, so that it is known, too, who is gone without a message."""
    found = Findings()
    lost = {source: losses(ledger, source) for source, ledger in parts.sandbox.ledgers.items()}
    with database.read() as session:
        _check_stored(parts.sandbox.ledgers, session, found)
        found.wrong_pending = pending(session)
        found.wrong_dead = dead_letters(session, load)
        found.wrong_gone = wrong_gone(session, parts.sandbox, load, {} if asked_for else lost)
        found.wrong_merges = wrong_merges(session, load, lost)
        found.wrong_outcomes = wrong_outcomes(session, parts.sandbox, load, lost)
        found.wrong_known = wrong_known(session, parts.sandbox, load, served.card.input_names, lost)
    found.wrong_endings = wrong_endings(parts.sandbox, load)
    _check_scores(parts, load, served, found)
    _check_alerts(parts, load, found)
    found.records = _our_fields(parts, load)
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
    accepted = Counter(each for source, ledger in ledgers.items() for each in of_ledger(source, ledger.taken().values()))
    lost = Counter(each for source, ledger in ledgers.items() for each in of_ledger(source, ledger.untaken().values()))
    here = Counter(stored(session))
    found.accepted, found.stored, found.unaccepted = accepted.total(), here.total(), lost.total()
    missed = select(func.count()).select_from(EventRow).join(Payload, col(Payload.id) == EventRow.payload_id)
    found.reconciled = session.exec(missed.where(Payload.source == ours.NAME, col(EventRow.type).not_like(REVIEWS))).one()
    found.wrong_stored = [
        f"{each}: accepted {number}, stored {here[each]}" for each, number in accepted.items() if here[each] != number
    ]
    # What was stored and not acknowledged is no fault; that it was sent is what counts.
    found.wrong_stored += [f"{each}: never sent" for each in here.keys() - accepted.keys() - lost.keys()]


def _check_scores(parts: Stand, load: Load, served: Served, found: Findings) -> None:
    """The record of everybody who is there carries the score of its own last properties, made here without the loop.

    Also of those who were back from the recycle bin, and of those whom others have gone into.
    """
    inputs = served.card.input_names
    for source, numbers in load.people.items():
        for number in sorted(numbers):
            if (record := parts.sandbox.get(source, KINDS[source], number)) is None:
                found.gone += 1
                continue
            wanted = served.predict([canonical(source, record.properties, inputs)])[0]
            written = record.properties.get("predicted_score")
            found.scored += written is not None
            found.hot += wanted.label == "high"
            if written is None or abs(float(written) - wanted.score) >= 10**-SCORE_DIGITS:
                found.wrong_scores.append(f"{source} {number}: {written} instead of {wanted.score:.6f}")


def _check_alerts(parts: Stand, load: Load, found: Findings) -> None:
    """Who is hot in the end was alerted once; nobody twice, for within the quiet days no second alert is due to anybody.

    Who was merged was alerted under either number. An alert that still waits when a deal of the person ends is no news any more.
    """
    alerts = Counter(who for message in parts.sandbox.messages() for who in _whom(message))
    found.alerted = len(alerts)
    found.alerted_twice = sorted(who for who, count in alerts.items() if count > 1)
    found.ended = sum(
        deal.standing != "open" for stories in load.stories.values() for each in stories for deal in each.deals.values()
    )
    hot = {
        f"{source} {number}"
        for source, kind in KINDS.items()
        for number, record in ((each.id, each) for each in parts.sandbox.records(source, kind))
        if record.properties.get("predicted_label") == "high" and number in load.people[source]
    }
    told = {f"{source} {load.now(source, number)}" for source, number in map(str.split, alerts)}
    found.wrong_unalerted = sorted(hot - told - load.whose_deals_ended())


def _whom(message: dict[str, Any]) -> list[str]:
    """Source and id of those that a message is about: its footers name them."""
    if not any(str(block.get("block_id", "")).startswith(BLOCK_PREFIX) for block in message["blocks"]):
        return []
    footers = [str(block["elements"][0]["text"]).split() for block in message["blocks"] if block["type"] == "context"]
    return [f"{words[-3]} {words[-1]}" for words in footers]


def _our_fields(parts: Stand, load: Load) -> dict[str, Any]:
    """Of who is gone without what we said last: that depends on how soon we heard of it."""
    held = snapshot(parts.sandbox)
    found: dict[str, Any] = {}
    for source, kind in KINDS.items():
        named = {load.now(source, number) for story in load.stories[source] for people in story.named.values() for number in people}
        for number in sorted(load.people[source] & held[source][kind].keys()):
            record = held[source][kind][number]
            silent = TIMED | (OF_DEALS if number in named else frozenset())
            said = {name: value for name, value in record["properties"].items() if name not in silent}
            if record["archived"]:
                said = {name: value for name, value in said.items() if not name.startswith(OURS)}
            found[f"{source} {number}"] = said
    return found


def _apart(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    names = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    return ", ".join(f"{name} {ours.get(name)!r} and {theirs.get(name)!r}" for name in names)
