"""Reads a user's table: finds the separator, the compression and the kind of each column by itself, and says so.

Every cell is read as text first and typed by the same function that serving uses, so that a value played through a
CRM (which keeps everything as text) means exactly what it meant in the file.
"""

import csv
import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import BadInput
from ml.features.inputs import FALSE_WORDS, TRUE_WORDS, Input, InputKind

GZIP_MAGIC = b"\x1f\x8b"
SNIFFED_BYTES = 64 * 1024
SEPARATORS = ",;\t|"
# A category seen this seldom teaches nothing; a column with more of them than this is a name, not a category.
RAREST_CATEGORY = 10
MOST_CATEGORIES = 200
NUMERIC_SHARE = 0.95
# Days before months where a slash or dot could mean either: 31.12.2025 and 31/12/2025 are the world's usage outside the US.
DATE_FORMS = (
    "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M",
)  # fmt: skip
WON_WORDS = TRUE_WORDS | {"won", "closedwon", "closed won", "converted", "customer", "churned", "success"}
LOST_WORDS = FALSE_WORDS | {"lost", "closedlost", "closed lost", "not converted", "none", "retained", "failure"}


@dataclass(frozen=True)
class Table:
    """A user's rows in time order: text columns, labels 0/1, and what was found out about them."""

    rows: pl.DataFrame
    labels: NDArray[np.int64]
    target: str
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    data_hash: str

    def cut(self, share: float) -> int:
        """The row at which the newest part begins."""
        return int(len(self.rows) * share)


def read_text(path: Path) -> tuple[pl.DataFrame, str]:
    """The file as a frame of text columns, and the separator that was found.

    Raises:
        BadInput: no such file, no rows, or not a table.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    content = path.read_bytes()
    content = _unpacked(path, content)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        content = content.decode("latin-1").encode("utf-8")
    separator = _separator(content[:SNIFFED_BYTES].decode("utf-8", "ignore"))
    try:
        frame = pl.read_csv(content, separator=separator, infer_schema=False, truncate_ragged_lines=False)
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{path}: not a table with {separator!r} between the columns: {str(error).splitlines()[0]}") from None
    names = [name.strip().strip('"') for name in frame.columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"{path}: two columns are called {twice[0]!r}", field=twice[0])
    frame.columns = names
    if frame.is_empty():
        raise BadInput(f"{path}: the table has no rows")
    return frame, separator


def _unpacked(path: Path, content: bytes) -> bytes:
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path}: the gzip file is damaged: {error}") from None


def read_labelled(path: Path, *, target: str, time: str | None = None, drop: Sequence[str] = ()) -> Table:
    """Reads a table to train on, oldest row first. Without `time` the order of the rows is the time.

    Raises:
        BadInput: names the column and what to do.
    """
    frame, separator = read_text(path)
    for name in (target, *([time] if time else []), *drop):
        if name not in frame.columns:
            raise BadInput(f"{path}: no column {name!r}; the columns are {', '.join(frame.columns)}", field=name)
    notes = [f"separator {separator!r}, {len(frame):,} rows, {len(frame.columns)} columns"]
    if time:
        frame = frame.with_columns(_sortable(frame[time]).alias("__time")).sort("__time", maintain_order=True).drop("__time")
        notes.append(f"in the order of {time}")
    labels, meaning = _labels(frame[target])
    notes.append(meaning)
    columns = tuple(name for name in frame.columns if name not in {target, time, *drop})
    digest = hashlib.sha256(frame.write_csv().encode()).hexdigest()
    return Table(frame, labels, target, columns, tuple(notes), digest)


def infer_inputs(table: Table, upto: int) -> tuple[tuple[Input, ...], tuple[str, ...]]:
    """The input schema from the first `upto` rows, and a note for each column that is left out.

    Only the training part is looked at: a category that first shows up later is unseen then, as it would have been.
    """
    found: list[Input] = []
    notes: list[str] = []
    for name in table.columns:
        column = _input(name, table.rows[name][:upto])
        if isinstance(column, Input):
            found.append(column)
        else:
            notes.append(f"{name} left out: {column}")
    if not found:
        raise BadInput("no column is left to learn from: " + "; ".join(notes))
    return tuple(found), tuple(notes)


def _input(name: str, series: pl.Series) -> Input | str:
    cells = series.str.strip_chars().drop_nulls()
    cells = cells.filter(cells != "")
    if cells.is_empty() or cells.n_unique() == 1:
        return "it has one value only"
    words = set(cells.str.to_lowercase().unique())
    if words <= TRUE_WORDS | FALSE_WORDS and not words <= {"0", "1", "0.0", "1.0"}:
        return Input(name=name, kind=InputKind.BOOLEAN)
    numbers = cells.cast(pl.Float64, strict=False)
    if numbers.is_not_null().mean() >= NUMERIC_SHARE:  # type: ignore[operator]
        return Input(name=name, kind=InputKind.NUMBER)
    counts = Counter(cells.to_list())
    rarest = min(RAREST_CATEGORY, max(2, len(cells) // 100))
    common = sorted(text for text, count in counts.items() if count >= rarest)
    if not 2 <= len(common) <= MOST_CATEGORIES:
        return f"{len(counts):,} different texts: a name or free text, not a category"
    return Input(name=name, kind=InputKind.CATEGORY, categories=tuple(common))


def _labels(series: pl.Series) -> tuple[NDArray[np.int64], str]:
    cells = series.fill_null("").str.strip_chars().str.to_lowercase()
    words = set(cells.unique())
    won, lost = words & WON_WORDS, words & LOST_WORDS
    if words - won - lost or not won or not lost:
        shown = ", ".join(sorted(words)[:5])
        raise BadInput(
            f"{series.name}: cannot tell the two classes apart (found {shown}); use 1/0, yes/no, true/false or won/lost",
            field=series.name,
        )
    meaning = f"{series.name}: {', '.join(sorted(won))} is 1, {', '.join(sorted(lost))} is 0"
    return cells.is_in(list(won)).cast(pl.Int64).to_numpy(), meaning


def _sortable(series: pl.Series) -> pl.Series:
    """Numbers as numbers, dates as dates.

    Raises:
        BadInput: some cells are neither; an order of texts would let the future into the past.
    """
    numbers = series.cast(pl.Float64, strict=False)
    if numbers.is_not_null().all():
        return numbers
    for form in DATE_FORMS:
        dates = series.str.strip_chars().str.to_datetime(form, strict=False, time_zone="UTC", time_unit="us")
        if dates.is_not_null().all():
            return dates
    raise BadInput(
        f"{series.name}: neither numbers nor dates that can be told apart; write them as 2026-01-31 or 2026-01-31T12:00:00",
        field=str(series.name),
    )


def _separator(sample: str) -> str:
    try:
        return csv.Sniffer().sniff(sample, delimiters=SEPARATORS).delimiter
    except csv.Error:
        return ","


def as_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dicts()
