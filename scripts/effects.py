"""What arrived, held against what was played: the demo shows it, the end-to-end tests insist on it."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from automation.destinations.digest import BLOCK_PREFIX
from automation.predictive_enrichments.lead_fields import SCORE_DIGITS
from automation.sources.properties import canonical
from data.errors import BadInput
from data.settings import Scope
from ml.serving.predictor import Predictor, Served
from scripts.play import Script
from scripts.stand import Stand


@dataclass
class Effects:
    """Counts of what is expected and of what arrived."""

    script: Script
    scored: int = 0
    right: int = 0
    """Records whose score equals the one computed offline, from the record's own final properties."""
    hot: int = 0
    alerts: int = 0
    alerted_twice: int = 0
    unalerted: int = 0
    dead_letters: int = 0
    waiting: int = 0
    through: Counter[str] = field(default_factory=Counter)
    crm_seconds: list[float] = field(default_factory=list)
    slack_seconds: list[float] = field(default_factory=list)
    hottest: list[dict[str, Any]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Every contact right, every hot lead alerted exactly once, every malformed item set aside, nothing waiting."""
        return (
            self.right == len(self.script.contacts)
            and not self.alerted_twice
            and not self.unalerted
            and self.dead_letters == self.script.malformed
            and not self.waiting
        )

    @classmethod
    def of(cls, parts: Stand, script: Script, wanted: dict[str, float], headers: dict[str, str]) -> "Effects":
        """Looks at the stand-ins and asks the service."""
        effects = cls(script)
        alerted = Counter(number for message in parts.sandbox.messages() for number in _contacts_of(message))
        for number in script.contacts:
            record = parts.sandbox.get("hubspot", "contacts", number)
            assert record is not None
            writes = list(record.writes)
            if not writes:
                continue
            effects.scored += 1
            effects.right += abs(float(record.properties["predicted_score"]) - wanted[number]) < 10**-SCORE_DIGITS
            effects.through.update(write.through for write in writes)
            turned_hot = any(write.properties.get("predicted_label") == "high" for write in writes)
            effects.hot += turned_hot
            effects.unalerted += turned_hot and not alerted[number]
            effects.crm_seconds += _seconds_to_write(parts.player.played.all_sent[number], [write.at for write in writes])
            if record.properties.get("predicted_label") == "high":
                effects.hottest.append(record.properties)
        effects.alerts = sum(alerted.values())
        effects.alerted_twice = sum(count > 1 for count in alerted.values())
        effects.slack_seconds = _alert_seconds(parts, _get(parts, "/deliveries?destination=slack&limit=1000", headers))
        effects.hottest.sort(key=lambda fields: -float(fields["predicted_score"]))
        letters = _get(parts, "/dead-letters?limit=1000", headers)
        effects.dead_letters = len(letters)
        effects.waiting = sum(len(_get(parts, f"/deliveries?state={state}", headers)) for state in ("pending", "leased"))
        return effects


def served_version(parts: Stand) -> Served:
    """The version that the service serves, loaded here as well: the offline score is made without the loop."""
    settings = parts.settings
    predictor = Predictor(settings.models_dir, hot_threshold=settings.hot_threshold, hot_share=settings.hot_share)
    predictor.refresh()
    return predictor.champion(settings.lead_model)


def expected_scores(parts: Stand, contacts: Iterable[str]) -> dict[str, float]:
    """The score of each contact, computed offline from what its record in the stand-in CRM says in the end."""
    served = served_version(parts)
    inputs = served.card.input_names
    found = {}
    for number in contacts:
        record = parts.sandbox.get("hubspot", "contacts", number)
        if record is None:
            raise BadInput(f"contact {number} was never played")
        found[number] = served.predict([canonical("hubspot", record.properties, inputs)])[0].score
    return found


def settled(parts: Stand, script: Script, wanted: dict[str, float], *, seconds: float) -> Effects:
    """Waits until everything that is expected has arrived, or no longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        effects = Effects.of(parts, script, wanted, parts.headers(Scope.READ))
        if effects.complete or time.monotonic() > deadline:
            return effects
        time.sleep(0.5)


def _seconds_to_write(sent: list[datetime], written: list[datetime]) -> list[float]:
    """From each batch about a contact to the first write of its record after that."""
    firsts = [(moment, next((at for at in written if at >= moment), None)) for moment in sent]
    return [(first - moment).total_seconds() for moment, first in firsts if first is not None]


def _alert_seconds(parts: Stand, alerts: list[dict[str, Any]]) -> list[float]:
    """From each event that made a lead hot (played at `occurred_at`) to its message."""
    arrivals = parts.sandbox.arrivals
    pairs = [(arrivals[row["receipt"]], datetime.fromisoformat(row["occurred_at"])) for row in alerts if row["receipt"] in arrivals]
    return [(arrived - occurred).total_seconds() for arrived, occurred in pairs]


def _contacts_of(message: dict[str, Any]) -> list[str]:
    """The contacts that an alert or a digest is about: the last word of each footer. None in n8n's own failure reports."""
    if not any(str(block.get("block_id", "")).startswith(BLOCK_PREFIX) for block in message["blocks"]):
        return []
    footers = (block for block in message["blocks"] if block["type"] == "context")
    return [str(footer["elements"][0]["text"]).rsplit(" ", 1)[-1] for footer in footers]


def _get(parts: Stand, path: str, headers: dict[str, str]) -> Any:
    return httpx.get(parts.url + path, headers=headers, timeout=20, trust_env=False).raise_for_status().json()
