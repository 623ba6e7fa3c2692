"""Runs the tasks that have no result yet, one at a time, and shows how far it is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from data.errors import LeadloopError
from tests.bench.models.tasks import Outcome, Task, forget, run, was_disturbed


class Shown(Protocol):
    """What is told of the progress."""

    def begin(self, name: str) -> None: ...

    def say(self, line: str) -> None: ...


def work_through(
    tasks: Sequence[Task],
    *,
    fresh: frozenset[str] = frozenset(),
    undisturbed: float | None = None,
    console: Console | None = None,
) -> list[str]:
    """Computes what is missing, the tasks without a budget first; returns what failed, one line each.

    A failure does not stop the others, and is tried again in the next run.
    """
    for task in tasks:
        if task.peer.name in fresh or (undisturbed is not None and was_disturbed(task, undisturbed)):
            forget(task)
    missing = sorted((task for task in tasks if not task.path.is_file()), key=lambda task: task.peer.has_budget)
    failed: list[str] = []
    console = console or Console()
    console.print(f"{len(tasks) - len(missing)} results are there, {len(missing)} are missing")
    with _shown(console, len(missing)) as shown:
        for task in missing:
            shown.begin(task.name)
            try:
                shown.say(_line(task, run(task, shown.say)))
            except LeadloopError as error:
                failed.append(error.detail)
                shown.say(f"FAILED {error.detail}")
    return failed


def _line(task: Task, outcome: Outcome) -> str:
    cost = f"{sum(outcome.seconds):.1f} s, {outcome.cpu_seconds:.1f} s of CPU, {outcome.peak_megabytes:.0f} MB"
    return f"{task.name}: {cost}, others {outcome.others_share:.0%}"


@contextmanager
def _shown(console: Console, tasks: int) -> Iterator[Shown]:
    """A bar on a terminal, numbered lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console, tasks)
        return
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console) as bar:
        shown = Bar(bar, bar.add_task("", total=tasks))
        yield shown
        bar.update(shown.row, completed=tasks)


class Lines:
    """One line for each thing said, with the number of the task."""

    def __init__(self, console: Console, tasks: int) -> None:
        self.console, self.tasks, self.begun = console, tasks, 0

    def begin(self, name: str) -> None:
        self.begun += 1

    def say(self, line: str) -> None:
        print(f"[{self.begun}/{self.tasks}] {line}", file=self.console.file, flush=True)


class Bar:
    """A bar that names the task in work; what is said scrolls by above it."""

    def __init__(self, bar: Progress, row: TaskID) -> None:
        self.bar, self.row, self.begun = bar, row, 0

    def begin(self, name: str) -> None:
        self.bar.update(self.row, description=name, completed=self.begun)
        self.begun += 1

    def say(self, line: str) -> None:
        self.bar.console.print(line, markup=False, highlight=False)
