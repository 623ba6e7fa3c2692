"""The results as Markdown for people and JSON for programs."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tests.bench.models.judged import TRUTH, Duel, Figures, Section
from tests.bench.models.registry import OURS, PEERS
from tests.bench.models.tasks import How

if TYPE_CHECKING:
    from tests.bench.models.noise import Noise
    from tests.bench.models.rungs import Rung

MOST_ABOVE_PRIOR = 0.01  # on few rows, the mean over draws
MOST_NOISE = 0.005  # on shuffled labels
SPLITS = {"random": "5 random folds", "newest": "newest 20 %"}
MEASURES = {"log_loss": "log-loss", "auc": "AUC"}


def write(how: How, bench: str, markdown: str, found: Sequence[Any]) -> Path:
    """Writes `<bench>.md` and `<bench>.json` into the results folder; returns the Markdown's path."""
    how.results.mkdir(parents=True, exist_ok=True)
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    document = {"how": asdict(how), "machine": machine, "results": [asdict(row) for row in found]}
    (how.results / f"{bench}.json").write_text(json.dumps(document, indent=1, default=str))
    path = how.results / f"{bench}.md"
    path.write_text(markdown)
    return path


def say_failures(console: Console, failed: Sequence[str]) -> int:
    """Names what failed; the exit status of the bench."""
    for line in failed:
        console.print(f"FAILED {line}", markup=False, highlight=False)
    return 1 if failed else 0


def models(sections: Sequence[Section], how: How) -> str:
    """A summary of ours against the best peers, then a table for each table and split."""
    setups = _grid(["peer", "set-up"], [[name, peer.setup] for name, peer in PEERS.items()])
    budget = f"Budget {how.budget_seconds:g} s a fit for {', '.join(name for name, peer in PEERS.items() if peer.has_budget)}"
    notes = (
        f"{budget}; {how.threads} threads, one fit at a time. Others: the largest share of the processors that other programs had."
    )
    lines = [notes, "", *setups, "", *_duels(sections)]
    for section in sections:
        lines += ["", *_section(section)]
    return "\n".join(lines) + "\n"


def rungs(found: Sequence["Rung"]) -> str:
    """One row for each table, number of rows and peer."""
    head = ["table", "rows", "peer", "log-loss", "prior's", "ratio", "difference (95 %)", "worse draws", "s a fit", "verdict"]
    return "\n".join(_grid(head, [_rung(row) for row in found])) + "\n"


def noise(found: Sequence["Noise"]) -> str:
    """One row for each table and peer."""
    head = ["table, labels shuffled", "peer", "log-loss", "prior's", "excess", "AUC", f"within {MOST_NOISE:.1%}"]
    rows = [
        [row.table, row.peer, f"{row.log_loss:.5f}", f"{row.prior_log_loss:.5f}", f"{row.excess:+.2%}", f"{row.auc:.3f}",
         "yes" if abs(row.excess) <= MOST_NOISE else "no"]
        for row in found
    ]  # fmt: skip
    return "\n".join(_grid(head, rows)) + "\n"


def _duels(sections: Sequence[Section]) -> list[str]:
    rows = [_duel(section, duel) for section in sections for duel in section.duels]
    return _grid(["table", "split", "by", "best peer", "ours less peer (95 %)", "verdict"], rows) if rows else []


def _duel(section: Section, duel: Duel) -> list[str]:
    gap = duel.difference
    interval = f"{gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})"
    return [section.table, SPLITS[section.split], MEASURES[duel.measure], duel.peer, interval, duel.verdict]


def _section(section: Section) -> list[str]:
    title = f"### {section.table}, {SPLITS[section.split]}: {section.rows:,} rows judged, base rate {section.base_rate:.1%}"
    order = sorted(section.peers, key=lambda row: (row.peer == TRUTH, row.log_loss))
    lines = [
        title,
        "",
        *_grid(
            ["peer", "AUC", "log-loss", "ECE 10", "ECE 15", "s a fit", "CPU s", "others", "peak MB"], [_row(row) for row in order]
        ),
    ]
    if section.unfinished:
        missing = ", ".join(f"{peer} {done} of {section.parts}" for peer, done in section.unfinished.items())
        lines += ["", f"Not finished: {missing}."]
    return lines


def _row(row: Figures) -> list[str]:
    name = f"**{row.peer}**" if row.peer == OURS else row.peer
    cost = ["" if value is None else form.format(value) for value, form in _cost(row)]
    return [name, f"{row.auc:.4f}", f"{row.log_loss:.4f}", f"{row.ece_10:.4f}", f"{row.ece_15:.4f}", *cost]


def _cost(row: Figures) -> list[tuple[float | None, str]]:
    """Each with how it is written."""
    return [
        (row.seconds, "{:.1f}"),
        (row.cpu_seconds, "{:.1f}"),
        (row.others_share, "{:.0%}"),
        (row.peak_megabytes, "{:.0f}"),
    ]


def _rung(row: "Rung") -> list[str]:
    gap = row.difference
    interval = f"{gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})"
    figures = [f"{row.log_loss:.4f}", f"{row.prior_log_loss:.4f}", f"{row.ratio:.3f}", interval, str(row.worse_draws)]
    return [row.table, str(row.rows), row.peer, *figures, f"{row.seconds:.2f}", rung_verdict(row)]


def rung_verdict(row: "Rung") -> str:
    """Worse than the aim allows, below the prior by more than chance, or neither."""
    if row.ratio > 1 + MOST_ABOVE_PRIOR:
        return "above the prior"
    return "below the prior" if row.difference.high < 0 else "at the prior"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
