"""`leadloop rescore`: every open record is scored anew, and what has changed is written back in batches."""

import time
from collections.abc import Callable

from rich.console import Console

from automation import audit, rescoring
from automation.jobs.champions import refresh
from automation.loop import build_loop
from automation.pipeline.context import Loop
from data.domain.audit import Action
from data.migrations import upgrade
from data.settings import Settings
from scripts.terminal import progress_bar

# What a running service has in hand is waited for; it takes seconds.
LOOK_SECONDS = 0.5


def run_rescore(settings: Settings, model: str | None, console: Console) -> None:
    """Works beside a running service, or without one."""
    loop = build_loop(settings)
    upgrade(loop.database)
    refresh(loop)
    wanted = model or settings.lead_model
    loop.predictor.champion(wanted)  # says so if there is none to score by
    run = f"rescore {loop.clock.now().isoformat(timespec='seconds')}"
    with audit.recorded(loop.database, loop.clock, audit.command_line_actor(), Action.RESCORE, wanted) as details:
        with console.status("Looking for what is open ..."):
            details["records"] = total = rescoring.ask_all_open(loop, wanted, run)
        if total:
            with progress_bar(console, f"Scoring by {wanted}", total) as step:
                _work(loop, run, total, step)
    console.print(f"{total:,} open records were scored anew by {wanted}; what says something new goes to the CRM.")
    loop.database.dispose()


def _work(loop: Loop, run: str, total: int, step: Callable[[int], None]) -> None:
    done = 0
    while done < total:
        if not rescoring.work(loop):
            time.sleep(LOOK_SECONDS)
        left = rescoring.waiting(loop, run)
        step(total - left - done)
        done = total - left
    while rescoring.work(loop):
        continue
