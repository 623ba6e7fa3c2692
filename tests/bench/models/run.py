"""`python -m tests.bench models`: ours and every peer on every table and split, with what is missing computed first."""

from collections.abc import Sequence

from rich.console import Console

from tests.bench.models import report
from tests.bench.models.judged import Section, judge
from tests.bench.models.options import Options, parse
from tests.bench.models.queue import work_through
from tests.bench.models.registry import PEERS
from tests.bench.models.splits import parts_of
from tests.bench.models.tables import Table, load
from tests.bench.models.tasks import Task, stored

BENCH = "models"


def main(arguments: Sequence[str]) -> int:
    """Computes what is missing, writes `models.md` and `models.json` beside the results; 1 if a peer failed."""
    options, console = parse(BENCH, arguments), Console()
    tasks = tasks_of(load(options.tables, console.print), options)
    wanted = [task for task in tasks if task.peer in options.peers]
    failed = (
        [] if options.only_report else work_through(wanted, fresh=options.fresh, undisturbed=options.undisturbed, console=console)
    )
    sections = sections_of(tasks)
    written = report.write(options.how, BENCH, report.models(sections, options.how), sections)
    console.print(f"Wrote {written}")
    return report.say_failures(console, failed)


def tasks_of(tables: Sequence[Table], options: Options) -> list[Task]:
    """One task for each table, split, part and peer. All peers: what was computed before belongs in the report."""
    return [
        Task(peer, table, (part,), f"{BENCH}/{table.name}/{split}-{number}", options.how, digest)
        for table in tables
        for digest in [table.digest]
        for split in options.splits
        for number, part in enumerate(parts_of(table, split, options.how.seed))
        for peer in PEERS.values()
    ]


def sections_of(tasks: Sequence[Task]) -> list[Section]:
    """The figures of each table and split that a peer has finished."""
    groups: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        groups.setdefault((task.table.name, task.place.split("/")[-1].split("-")[0]), []).append(task)
    found = []
    for (_, split), group in groups.items():
        outcomes = {peer: [done for task in group if task.peer.name == peer and (done := stored(task))] for peer in PEERS}
        found.append(judge(group[0].table, split, len(group) // len(PEERS), outcomes))
    return [section for section in found if section is not None]
