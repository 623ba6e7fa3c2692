"""What several commands show on a terminal."""

import signal
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

# Control characters, line and paragraph ends, and what turns the direction of writing (Unicode's categories).
STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def plain(text: str) -> str:
    """A text on one line and without characters that steer a terminal: names and cells of a table may hold anything."""
    return " ".join("".join(" " if unicodedata.category(one) in STEERING else one for one in text).split(" "))


@contextmanager
def progress_bar(console: Console, title: str, total: int) -> Iterator[Any]:
    """A bar on a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        done, told = 0, 0

        def plain(step: int) -> None:
            nonlocal done, told
            done += step
            if done - told >= max(1, total // 4) or done >= total:
                told = done
                console.print(f"{title}: {done} of {total}")

        yield plain
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total)
        yield lambda step: bar.advance(task, step)


@contextmanager
def counting(console: Console, title: str) -> Iterator[Callable[[str, int, int | None], None]]:
    """Bars for things of several kinds, of which there may be nobody knows how many; plain lines elsewhere."""
    if not console.is_terminal:
        told: dict[str, int] = {}

        def plain(what: str, done: int, total: int | None) -> None:
            if done >= 2 * told.get(what, 0) or done == total:
                told[what] = max(done, 1)
                console.print(f"{title}: {done:,} {what}" + (f" of {total:,}" if total is not None else ""))

        yield plain
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, TaskID] = {}

        def shown(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(f"{title}: {what}", total=total)
            bar.update(tasks[what], completed=done)

        yield shown


@contextmanager
def telling(console: Console, title: str, budget_seconds: float) -> Iterator[Callable[[str], None]]:
    """A line that says what a training is at: on a terminal it changes in place, elsewhere each stage is told once."""
    shown = f"{title} (tuning for up to {budget_seconds:g} s)" if budget_seconds else title
    if not console.is_terminal:
        console.print(f"{shown} ...")
        yield lambda stage: None  # noqa: ARG005 a log wants no line per trial
        return
    with console.status(f"{shown} ...") as status:
        yield lambda stage: status.update(f"{shown}: {stage} ...")


def end_tidily() -> None:
    """Lets SIGTERM end a command as Ctrl-C does, so that what it started is stopped with it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)


def until_interrupted() -> None:
    """Returns at Ctrl-C."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
