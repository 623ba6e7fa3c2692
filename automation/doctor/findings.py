"""What a check comes to."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"  # it works, and may soon not
    BAD = "bad"  # it does not work until somebody does something
    ABSENT = "absent"  # not set up; fine if it is not wanted


@dataclass(frozen=True)
class Finding:
    """`said` is what was seen; `remedy` what to do about it, where there is something to do."""

    check: str
    health: Health
    said: str
    remedy: str = ""


def ok(check: str, said: str) -> Finding:
    return Finding(check, Health.OK, said)


def warning(check: str, said: str, remedy: str) -> Finding:
    return Finding(check, Health.WARNING, said, remedy)


def bad(check: str, said: str, remedy: str) -> Finding:
    return Finding(check, Health.BAD, said, remedy)


def absent(check: str, said: str, remedy: str = "") -> Finding:
    return Finding(check, Health.ABSENT, said, remedy)


def in_words(span: timedelta) -> str:
    """A span as people say it.

    >>> in_words(timedelta(seconds=75)), in_words(timedelta(hours=50))
    ('75 s', '50 h')
    """
    seconds = span.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.0f} h"
