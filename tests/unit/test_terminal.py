"""Progress: bars on a terminal, plain lines that say the same elsewhere."""

import io
import re

from rich.console import Console

from scripts.terminal import counting, progress_bar


def shown(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None, _environ={"TERM": "xterm"})


def test_elsewhere_a_line_tells_each_quarter() -> None:
    log = console(terminal=False)
    with progress_bar(log, "Sending", 8) as step:
        for _ in range(8):
            step(1)
    assert shown(log).splitlines() == [f"Sending: {done} of 8" for done in (2, 4, 6, 8)]


def test_on_a_terminal_a_bar_does() -> None:
    screen = console(terminal=True)
    with progress_bar(screen, "Sending", 8) as step:
        step(3)
        step(5)
    assert re.search("Sending ━+ 8/8", shown(screen))


def test_elsewhere_a_line_tells_whenever_a_count_has_doubled_and_at_its_end() -> None:
    log = console(terminal=False)
    with counting(log, "Reading") as tell:
        for done in range(1, 7):
            tell("contacts", done, 6)
        for done in (1_000, 1_500, 2_000):
            tell("deals", done, None)
    assert shown(log).splitlines() == [
        *(f"Reading: {done} contacts of 6" for done in (1, 2, 4, 6)),
        "Reading: 1,000 deals",
        "Reading: 2,000 deals",
    ]


def test_on_a_terminal_each_kind_has_its_bar() -> None:
    screen = console(terminal=True)
    with counting(screen, "Reading") as tell:
        tell("contacts", 3, 6)
        tell("deals", 70, None)
        tell("contacts", 6, 6)
    assert re.search("Reading: contacts ━+ 6/6", shown(screen))
    assert re.search("Reading: deals +━+ 70/[?]", shown(screen))
