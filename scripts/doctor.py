"""`leadloop doctor`: what works, what does not, and what to do."""

import json
from dataclasses import asdict

from rich.console import Console

from automation.doctor.findings import Health
from automation.doctor.run import examine
from automation.jobs.champions import refresh
from automation.loop import build_loop
from data.settings import Settings
from scripts.terminal import plain

STYLES = {Health.OK: "green", Health.WARNING: "yellow", Health.BAD: "red", Health.ABSENT: "dim"}


def run_doctor(settings: Settings, console: Console, *, as_json: bool) -> bool:
    """Whether nothing is bad. Each finding is told as it comes: some vendors take seconds to answer."""
    loop = build_loop(settings)
    try:
        refresh(loop)
    except Exception:  # noqa: BLE001 the checks tell what it was
        console.print("The models could not be looked at before the checks.", style="dim") if not as_json else None
    found = []
    for finding in examine(loop):
        found.append(finding)
        if not as_json:
            console.print(f"[{STYLES[finding.health]}]{finding.health:>8}[/]  ", end="")
            console.print(plain(f"{finding.check}: {finding.said}"), markup=False, highlight=False, soft_wrap=True)
            if finding.remedy and finding.health is not Health.OK:
                console.print(plain(f"          -> {finding.remedy}"), markup=False, highlight=False, soft_wrap=True)
    loop.database.dispose()
    bad = sum(finding.health is Health.BAD for finding in found)
    if as_json:
        console.print_json(json.dumps([asdict(finding) for finding in found]))
    else:
        console.print(f"{bad} of {len(found)} are bad." if bad else f"All {len(found)} are in order, or can wait.")
    return not bad
