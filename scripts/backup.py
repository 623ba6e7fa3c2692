"""`leadloop backup` and `leadloop restore`."""

from pathlib import Path

from rich.console import Console

from data.backup import Card, back_up, restore
from data.clock import SystemClock
from data.settings import Settings


def run_backup(settings: Settings, to: Path, console: Console) -> None:
    with console.status("Copying ..."):
        card = back_up(settings, to, SystemClock().now())
    console.print(f"Wrote {to}: {_counted(card)}.", markup=False, soft_wrap=True)
    console.print("Not in it: .env, n8n's own database and N8N_ENCRYPTION_KEY, an MLflow server's files (docs/operations.md).")


def run_restore(settings: Settings, folder: Path, console: Console) -> None:
    with console.status("Putting it back ..."):
        card, alerts = restore(settings, folder, SystemClock().now())
    console.print(f"Put back what was there at {card.made_at:%Y-%m-%d %H:%M} UTC: {_counted(card)}.", markup=False, soft_wrap=True)
    if alerts:
        console.print(f"{alerts} alerts waited then; each is looked for in Slack before it is sent.")
    console.print("Start the service. What happened in the CRM since then: leadloop backfill.")


def _counted(card: Card) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in card.rows.items())
