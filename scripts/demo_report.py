"""What arrived, held against what was played; and how the demo says it."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from automation.destinations.slack import BLOCK_PREFIX
from automation.predictive_enrichments.lead_fields import SCORE_DIGITS
from data.settings import Scope
from scripts.play import Script
from scripts.stand import Stand

SHOWN_HOT = 5


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
            and self.alerts >= 1
            and not self.alerted_twice
            and not self.unalerted
            and self.dead_letters == self.script.malformed
            and not self.waiting
        )

    @classmethod
    def of(cls, parts: Stand, script: Script, wanted: dict[str, float], headers: dict[str, str]) -> "Effects":
        """Looks at the stand-ins and asks the service."""
        effects = cls(script)
        alerted = Counter(_contact_of(message) for message in parts.sandbox.messages())
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


@dataclass(frozen=True)
class OwnTableEffects:
    """What the alerts would have been worth on the newest fifth of the user's own table."""

    rows: int
    base_rate: float
    auc: float
    threshold: float
    hot_rows: int
    precision: float
    lift: float
    lift_low: float
    lift_high: float
    played: int
    played_hot: int
    played_won: int
    played_base_rate: float


def show(console: Console, effects: Effects) -> None:
    """The terminal summary."""
    script = effects.script
    grid = Table(title="What arrived", title_justify="left", show_header=False)
    grid.add_column(justify="left")
    grid.add_column(justify="right")
    grid.add_column(justify="left")
    repeats = f"+ {script.repeats} repeats, {script.malformed} malformed" if script.repeats or script.malformed else ""
    grid.add_row("CRM events played", str(script.good), repeats)
    grid.add_row(
        "Contacts with their newest score",
        f"{effects.right} of {len(script.contacts)}",
        _mark(effects.right == len(script.contacts)),
    )
    once = not effects.alerted_twice and not effects.unalerted
    grid.add_row("Hot leads in Slack", f"{effects.alerts}", "each exactly once " + _mark(once) if once else _mark(once))
    grid.add_row(
        "Set aside as dead letters",
        f"{effects.dead_letters} of {script.malformed}",
        _mark(effects.dead_letters == script.malformed),
    )
    grid.add_row("Event to CRM record", *_latency(effects.crm_seconds))
    grid.add_row("Event to Slack", *_latency(effects.slack_seconds))
    grid.add_row("Written by", "", ", ".join(f"{_carrier(name)} {count}" for name, count in effects.through.most_common()))
    console.print(grid)
    for fields in effects.hottest[:SHOWN_HOT]:
        who = " ".join(str(fields.get(part, "")) for part in ("firstname", "lastname"))
        score, company = float(fields["predicted_score"]), fields.get("company")
        where = f", {company}" if company else ""
        console.print(f"  [bold red]{score:.0%}[/] {who}{where}: {fields['predicted_factors']}", highlight=False)


def show_own_table(console: Console, effects: OwnTableEffects) -> None:
    grid = Table(title="On your own newest rows, which the model has not seen", title_justify="left", show_header=False)
    grid.add_column(justify="left")
    grid.add_column(justify="right")
    grid.add_column(justify="left")
    grid.add_row("Rows", f"{effects.rows:,}", f"base rate {effects.base_rate:.1%}, AUC {effects.auc:.3f}")
    grid.add_row(
        "Hot", f"{effects.hot_rows:,}", f"{effects.hot_rows / effects.rows:.1%} of all, score above {effects.threshold:.3f}"
    )
    grid.add_row("Precision among the hot", f"{effects.precision:.1%}", "")
    grid.add_row(
        "Lift against the base rate", f"{effects.lift:.2f}", f"95 % interval {effects.lift_low:.2f} to {effects.lift_high:.2f}"
    )
    precision = f"{effects.played_won / effects.played_hot:.1%}" if effects.played_hot else "none was hot"
    lift = (
        effects.played_won / effects.played_hot / effects.played_base_rate
        if effects.played_hot and effects.played_base_rate
        else float("nan")
    )
    grid.add_row(
        "Played through the loop", f"{effects.played:,}", f"{effects.played_hot} alerts, precision {precision}, lift {lift:.2f}"
    )
    console.print(grid)


def show_addresses(console: Console, parts: Stand, mlflow_url: str) -> None:
    read = parts.tokens[Scope.READ]
    console.print("\n[bold]Open[/bold] (Ctrl-C ends everything)")
    for name, url in (
        ("First page", f"http://demo:{read}@127.0.0.1:{parts.port}/"),
        ("What Slack and the CRM received", f"{parts.addresses.base_url}/"),
        ("n8n", parts.place.url),
        ("MLflow", mlflow_url),
        ("API docs", f"{parts.url}/docs"),
    ):
        console.print(f"  {name:32} {url}", highlight=False, soft_wrap=True)
    console.print(f"  {'Read token':32} {read}", highlight=False)


def _mark(good: object) -> str:
    return "[green]yes[/]" if good else "[red]NO[/]"


def _carrier(through: str) -> str:
    return {"v1": "n8n's HubSpot node", "batch": "the worker's batches"}.get(through, through)


def _latency(seconds: list[float]) -> tuple[str, str]:
    if not seconds:
        return "", "nothing arrived"
    p50, p95 = np.quantile(seconds, [0.5, 0.95])
    return f"p50 {p50:.2f} s", f"p95 {p95:.2f} s, of {len(seconds)}"


def _seconds_to_write(sent: list[datetime], written: list[datetime]) -> list[float]:
    """From each batch about a contact to the first write of its record after that."""
    firsts = [(moment, next((at for at in written if at >= moment), None)) for moment in sent]
    return [(first - moment).total_seconds() for moment, first in firsts if first is not None]


def _alert_seconds(parts: Stand, alerts: list[dict[str, Any]]) -> list[float]:
    """From each event that made a lead hot (played at `occurred_at`) to its message."""
    arrivals = parts.sandbox.arrivals
    pairs = [(arrivals[row["receipt"]], datetime.fromisoformat(row["occurred_at"])) for row in alerts if row["receipt"] in arrivals]
    return [(arrived - occurred).total_seconds() for arrived, occurred in pairs]


def _contact_of(message: dict[str, Any]) -> str:
    """The contact that an alert is about: the last word of its footer."""
    if not any(str(block.get("block_id", "")).startswith(BLOCK_PREFIX) for block in message["blocks"]):
        return ""
    footer = next(block for block in message["blocks"] if block["type"] == "context")
    return str(footer["elements"][0]["text"]).rsplit(" ", 1)[-1]


def _get(parts: Stand, path: str, headers: dict[str, str]) -> Any:
    return httpx.get(parts.url + path, headers=headers, timeout=20, trust_env=False).raise_for_status().json()
