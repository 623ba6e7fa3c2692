"""`make chaos`: a long run under fire, held against a calm one of the same events.

make chaos ARGS="--database sqlite --events 5000 --kills 8 --seed 3"
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data import log
from tests.chaos.run import Outcome, Plan, bad_habits, run

DATABASES = ("postgres", "sqlite")
SHOWN = 10
# A message whose answer got lost is looked for; where the history cannot be read at that moment either, there is no way to know.
MOST_TWICE = 5
MEBIBYTE = 1024 * 1024
TELL_SECONDS = 5.0


def main() -> int:
    wanted = _arguments()
    log.configure(json=True, level="CRITICAL")
    console = Console(soft_wrap=True, highlight=False)
    wrong = False
    for database in (wanted.database,) if wanted.database else DATABASES:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            wrong |= _is_wrong(console, wanted, Path(wanted.keep or folder) / database, database)
    return 1 if wrong else 0


def _is_wrong(console: Console, wanted: argparse.Namespace, place: Path, database: str) -> bool:
    """Both runs on one database, told as they go on, and what is not as it must be."""
    console.rule(database)
    postgres = database == "postgres"
    under_fire = Plan(
        wanted.events, wanted.seed, wanted.kills, habits=bad_habits(wanted.seed), misbehaving_n8n=True, apis=2 if postgres else 1,
        workers=2 if postgres else 0, per_second=wanted.per_second, patience_seconds=wanted.patience,
    )  # fmt: skip
    fired = run(under_fire, place / "fire", postgres=postgres, say=_teller(console, "under fire"))
    show(console, "Under fire", fired)
    quiet = run(under_fire.calm(), place / "calm", postgres=postgres, say=_teller(console, "calm"))
    show(console, "Calm", quiet)
    differences = fired.found.differences(quiet.found)
    console.print(f"records on which the two runs differ: {len(differences)} of {len(quiet.found.records):,}")
    for difference in differences[:SHOWN]:
        console.print(f"  {difference}", markup=False)
    twice = len(fired.found.alerted_twice) > MOST_TWICE or quiet.found.alerted_twice
    wrong = bool(fired.found.wrong or quiet.found.wrong or differences or twice)
    console.print("Everything is as it must be." if not wrong else "NOT as it must be.")
    return wrong


def show(console: Console, title: str, outcome: Outcome) -> None:
    found = outcome.found
    table = Table(title=title, show_header=False)
    rows = {
        "events accepted, stored": f"{found.accepted:,}, {found.stored:,}",
        "given up by their sender, reconciled": f"{found.unaccepted:,}, {found.reconciled:,}",
        "people scored": f"{found.scored:,}",
        "hot at the end, alerted": f"{found.hot:,}, {found.alerted:,}",
        "people gone at the end": f"{found.gone:,}",
        "deals ever won or lost": f"{found.ended:,}",
        "alerted twice": f"{len(found.alerted_twice)} {found.alerted_twice[:SHOWN]}",
        "killed": f"{len(outcome.killed)}: {', '.join(outcome.killed)}",
        "n8n's mishaps": ", ".join(f"{name} {count}" for name, count in sorted(outcome.mishaps.items()) if count),
        "seconds to send, to settle": f"{outcome.sent_in_seconds:.0f}, {outcome.seconds:.0f}",
        "most memory, MiB": ", ".join(f"{name} {size / MEBIBYTE:.0f}" for name, size in sorted(outcome.peak_bytes.items())),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    for name, value in found.wrong.items():
        table.add_row(f"[red]{name}", f"{len(value)}: {', '.join(value[:SHOWN]) if isinstance(value, list) else value}")
    console.print(table)


def _teller(console: Console, name: str) -> Callable[[str], None]:
    """Says what has changed, no more than every few seconds."""
    told: dict[str, Any] = {"line": "", "at": 0.0}

    def tell(line: str) -> None:
        if line != told["line"] and time.monotonic() - told["at"] >= TELL_SECONDS:
            told.update(line=line, at=time.monotonic())
            console.print(f"{name}: {line}")

    return tell


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description="The loop under fire, held against a calm run.")
    parser.add_argument("--database", choices=DATABASES, help="one of them; default: one after the other")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-second", type=float, default=None, help="send no faster; default: as fast as they are taken")
    parser.add_argument("--patience", type=float, default=3600, help="seconds to wait for the end once all is sent")
    parser.add_argument("--keep", help="a folder for databases and logs, which stay there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
