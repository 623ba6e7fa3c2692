"""`leadloop backup` and `leadloop restore`. The audit trail has both, as far as there is a database to have it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from automation import audit
from data.backup import Card, back_up, restore
from data.clock import SystemClock
from data.db import opened
from data.domain.audit import Action
from data.settings import SQLITE, Settings


def run_backup(settings: Settings, to: Path, console: Console) -> None:
    with _recorded(settings, Action.BACKUP, to) as details, console.status("Copying ..."):
        card = back_up(settings, to, SystemClock().now())
        details.update(card.rows)
    console.print(f"Wrote {to}: {_counted(card)}.", markup=False, soft_wrap=True)
    console.print("Not in it: .env, n8n's own database and N8N_ENCRYPTION_KEY, an MLflow server's files (docs/operations.md).")


def run_restore(settings: Settings, folder: Path, console: Console) -> None:
    with _recorded(settings, Action.RESTORE, folder) as details, console.status("Putting it back ..."):
        card, alerts = restore(settings, folder, SystemClock().now())
        details.update(card.rows, made_at=card.made_at.isoformat())
    console.print(f"Put back what was there at {card.made_at:%Y-%m-%d %H:%M} UTC: {_counted(card)}.", markup=False, soft_wrap=True)
    if alerts:
        console.print(f"{alerts} alerts waited then; each is looked for in Slack before it is sent.")
    console.print("Start the service. What happened in the CRM since then: leadloop backfill.")


@contextmanager
def _recorded(settings: Settings, action: Action, folder: Path) -> Iterator[dict[str, Any]]:
    """In the database that is copied, or that was put back. What fails where there is none has nowhere to be told."""
    clock, actor, found = SystemClock(), audit.command_line_actor(), dict[str, Any]()
    if settings.is_sqlite and not Path(settings.database_url.removeprefix(SQLITE)).is_file():
        yield found
        with opened(settings.database_url) as database:
            audit.record(database, clock, actor, action, str(folder), **found)
        return
    with opened(settings.database_url) as database, audit.recorded(database, clock, actor, action, str(folder)) as found:
        yield found


def _counted(card: Card) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in card.rows.items())
