"""`python -m tests.bench rungs`: what a model is worth after 12, 40, 100 and 400 rows, against knowing the base rate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from tests.bench.models import figures, report
from tests.bench.models.figures import Difference
from tests.bench.models.options import Options, parse
from tests.bench.models.queue import work_through
from tests.bench.models.registry import OURS, PEERS
from tests.bench.models.splits import draws
from tests.bench.models.tables import REAL, Table, load
from tests.bench.models.tasks import Outcome, Task, stored

BENCH = "rungs"
ROWS = (12, 40, 100, 400)
DRAWS = 50
BUDGET_SECONDS = 5  # hundreds of rows are tuned in less, and there are 800 fits


@dataclass(frozen=True)
class Rung:
    """Mean log-loss over the draws; `ratio` to the prior's, and the mean difference with its interval over draws."""

    table: str
    rows: int
    peer: str
    log_loss: float
    prior_log_loss: float
    ratio: float
    difference: Difference
    worse_draws: int
    seconds: float  # mean of one fit


def main(arguments: Sequence[str]) -> int:
    """Computes what is missing, writes `rungs.md` and `rungs.json`; 1 if a peer failed."""
    options, console = parse(BENCH, arguments, peers=(OURS,), tables=tuple(REAL), budget=BUDGET_SECONDS), Console()
    tasks = tasks_of(load(options.tables, console.print), options)
    wanted = [task for task in tasks if task.peer in options.peers]
    failed = (
        [] if options.only_report else work_through(wanted, fresh=options.fresh, undisturbed=options.undisturbed, console=console)
    )
    found = [rung_of(task, outcome) for task in tasks if (outcome := stored(task))]
    written = report.write(options.how, BENCH, report.rungs(found), found)
    console.print(f"Wrote {written}")
    return report.say_failures(console, failed)


def tasks_of(tables: Sequence[Table], options: Options) -> list[Task]:
    """One task for each table, number of rows and peer; its parts are the draws."""
    return [
        Task(peer, table, parts, f"{BENCH}/{table.name}/rows-{rows}", options.how, digest)
        for table in tables
        for digest in [table.digest]
        for rows in ROWS
        for parts in [tuple(draws(table.labels, rows, DRAWS, seed=options.how.seed, groups=_groups(table)))]
        for peer in PEERS.values()
    ]


def rung_of(task: Task, outcome: Outcome) -> Rung:
    """The peer's mean log-loss beside that of the base rate of the same draws."""
    labels = task.table.labels
    ours = [
        figures.log_loss(labels[part.test], outcome.probability[outcome.part == number]) for number, part in enumerate(task.parts)
    ]
    prior = [prior_loss(labels[part.train], labels[part.test]) for part in task.parts]
    gaps = np.subtract(ours, prior)
    return Rung(
        table=task.table.name,
        rows=len(task.parts[0].train),
        peer=task.peer.name,
        log_loss=float(np.mean(ours)),
        prior_log_loss=float(np.mean(prior)),
        ratio=float(np.mean(ours) / np.mean(prior)),
        difference=figures.mean_difference(gaps.tolist()),
        worse_draws=int((gaps > 0).sum()),
        seconds=float(np.mean(outcome.seconds)),
    )


def prior_loss(taught: figures.Ints, judged: figures.Ints) -> float:
    """The log-loss of answering the base rate, with one row of each class added so that it is never 0 or 1."""
    rate = (taught.sum() + 1) / (len(taught) + 2)
    return figures.log_loss(judged, np.full(len(judged), rate))


def _groups(table: Table) -> figures.Ints | None:
    return table.twins() if table.no_twins_across else None
