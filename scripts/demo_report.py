"""How the demo says what arrived."""

from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from data.domain.prediction import percent
from data.settings import Scope
from scripts.effects import Effects
from scripts.stand import Stand

SHOWN_HOT = 5


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
        console.print(f"  [bold red]{percent(score)}[/] {who}{where}: {fields['predicted_factors']}", highlight=False)


def show_own_table(console: Console, effects: OwnTableEffects) -> None:
    """How the hot leads of a user's own newest rows turned out, against the base rate."""
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
