"""What was found out about the columns of a table, and how it is said to people."""

from collections.abc import Iterable
from dataclasses import dataclass

from ml.features.inputs import Input, InputKind

NAMES_SHOWN = 12
PLURALS = {
    InputKind.NUMBER: "numbers", InputKind.BOOLEAN: "booleans", InputKind.CATEGORY: "categories", InputKind.DATE: "dates",
    InputKind.TEXT: "texts",
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a column holds, or the reason to leave it out; `note` where a person should know how it is read."""

    name: str
    input: Input | None = None
    reason: str = ""
    note: str = ""


def told(found: Iterable[Found]) -> tuple[str, ...]:
    """Notes for people: what there is of each kind, what is read in a way of its own, what is left out and why."""
    found = list(found)
    lines = []
    for kind, plural in PLURALS.items():
        if names := [one.name for one in found if one.input is not None and one.input.kind is kind]:
            more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
            lines.append(f"{len(names):,} {plural if len(names) > 1 else kind}: {', '.join(names[:NAMES_SHOWN])}{more}")
    lines += [f"{', '.join(names)}: {note}" for note, names in _grouped((one.note, one.name) for one in found)]
    lines += [f"{', '.join(names)} left out: {reason}" for reason, names in _grouped((one.reason, one.name) for one in found)]
    return tuple(lines)


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for words, name in pairs:
        if words:
            groups.setdefault(words, []).append(name)
    return list(groups.items())
