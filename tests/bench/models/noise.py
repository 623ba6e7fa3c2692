"""`python -m tests.bench noise`: labels shuffled, so that there is nothing to learn. Who claims more than the base rate?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from tests.bench.models import figures, report
from tests.bench.models.judged import joined
from tests.bench.models.options import Options, parse
from tests.bench.models.queue import work_through
from tests.bench.models.registry import OURS, PEERS
from tests.bench.models.splits import Part, Split, parts_of
from tests.bench.models.tables import TABLES, Table, load
from tests.bench.models.tasks import Outcome, Task, stored

BENCH = "noise"
# The large synthetic table is left out: on more rows honesty is easier, and takes longer.
NOISY = tuple(name for name in TABLES if name != "leads")


@dataclass(frozen=True)
class Noise:
    """`excess`: how much worse than the prior's the log-loss is, as a share of it."""

    table: str
    peer: str
    log_loss: float
    prior_log_loss: float
    excess: float
    auc: float


def main(arguments: Sequence[str]) -> int:
    """Computes what is missing, writes `noise.md` and `noise.json`; 1 if a peer failed."""
    options, console = parse(BENCH, arguments, peers=(OURS,), tables=NOISY), Console()
    tasks = tasks_of([shuffled(table, options.how.seed) for table in load(options.tables, console.print)], options)
    wanted = [task for task in tasks if task.peer in options.peers]
    failed = (
        [] if options.only_report else work_through(wanted, fresh=options.fresh, undisturbed=options.undisturbed, console=console)
    )
    found = noise_of(tasks)
    written = report.write(options.how, BENCH, report.noise(found), found)
    console.print(f"Wrote {written}")
    return report.say_failures(console, failed)


def shuffled(table: Table, seed: int) -> Table:
    """The same table with its labels dealt out by chance."""
    return table.with_labels(np.random.default_rng(seed).permutation(table.labels))


def tasks_of(tables: Sequence[Table], options: Options) -> list[Task]:
    return [
        Task(peer, table, (part,), f"{BENCH}/{table.name}/{Split.RANDOM}-{number}", options.how, digest)
        for table in tables
        for digest in [table.digest]
        for number, part in enumerate(parts_of(table, Split.RANDOM, options.how.seed))
        for peer in PEERS.values()
    ]


def noise_of(tasks: Sequence[Task]) -> list[Noise]:
    """One row for each table and peer that has all folds."""
    groups: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        groups.setdefault((task.table.name, task.peer.name), []).append(task)
    found = []
    for group in groups.values():
        outcomes = [outcome for task in group if (outcome := stored(task))]
        if len(outcomes) == len(group):
            found.append(_noise(group[0].table, group[0].peer.name, [task.parts[0] for task in group], outcomes))
    return found


def _noise(table: Table, peer: str, parts: Sequence[Part], outcomes: Sequence[Outcome]) -> Noise:
    scored = joined(peer, outcomes)
    labels = table.labels[scored.row]
    rates = np.array([table.labels[part.train].mean() for part in parts])
    prior = figures.log_loss(labels, rates[scored.fold])
    loss = figures.log_loss(labels, scored.probability)
    return Noise(table.name, peer, loss, prior, loss / prior - 1, figures.fold_auc(labels, scored.probability, scored.fold))
