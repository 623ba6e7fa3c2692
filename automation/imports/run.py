"""Stores the records of a file, some at a time. What does not fit is set aside with its reason; a second run changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from automation import past
from automation.imports.mapping import Mapping
from automation.imports.rows import Row, record_of
from automation.pipeline.context import Loop
from data.errors import BadInput

BATCH = 500


@dataclass(frozen=True)
class Rejected:
    """A row that does not fit, and why."""

    row: Row
    reason: str


@dataclass
class Imported:
    records: int = 0
    facts: int = 0
    rejected: list[Rejected] = field(default_factory=list)


def import_rows(loop: Loop, rows: Iterable[Row], columns: Mapping, progress: Callable[[int], None] = lambda _n: None) -> Imported:
    """Stores every row that fits; each batch is one transaction."""
    done = Imported()
    for batch in _batches(iter(rows)):
        records = []
        for row in batch:
            try:
                records.append(record_of(row, columns, loop.clock.now()))
            except BadInput as error:
                done.rejected.append(Rejected(row, error.detail))
        with loop.database.write() as session:
            stored = past.store(session, records, loop.clock.now())
        done.records, done.facts = done.records + stored.records, done.facts + stored.facts
        progress(len(batch))
    return done


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
