"""A user's file as a frame, whatever it is packed, encoded and separated with; what was found is said.

Text files come back as columns of text, Parquet files in their own types (the few that can be learnt from).
"""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from data.errors import BadInput
from ml.tables.dialect import SAMPLE_CHARACTERS, Dialect, find_dialect, records
from ml.tables.unpack import decoded, unpacked

PARQUET_MAGIC = b"PAR1"
MOST_NAMES_SHOWN = 20
# A duration and a time of day become seconds.
MICROSECONDS_PER_SECOND, NANOSECONDS_PER_SECOND = 1e6, 1e9
UNREAD = (pl.Binary, pl.Object, pl.Unknown)


def read_frame(path: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table in a file, and a note on how it was read.

    Raises:
        BadInput: no such file, damaged, no table, without rows; names the file, the line where it can, and the remedy.
    """
    content, packing = unpacked(path)
    if content.startswith(PARQUET_MAGIC):
        frame, notes = _parquet(path, content)
    else:
        frame, notes = _text(path, content)
    if frame.is_empty():
        raise BadInput(
            f"{path}: the table has no rows, only the names of {len(frame.columns)} columns; export it again with its rows"
        )
    size = f"{len(frame):,} rows, {len(frame.columns):,} columns"
    first, *rest = notes
    return frame, (f"{size}; {', '.join(filter(None, [packing, first]))}", *rest)


def shown_names(names: Sequence[str]) -> str:
    """Names for a message: all of them, or the first and how many more."""
    more = len(names) - MOST_NAMES_SHOWN
    return ", ".join(names[:MOST_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _text(path: Path, content: bytes) -> tuple[pl.DataFrame, list[str]]:
    text, encoding, damage = decoded(path, content)
    del content
    dialect, start = find_dialect(text)
    names, renamed = _names(path, text[start : start + SAMPLE_CHARACTERS], dialect)
    frame = _cells(path, text[start:], text.count("\n", 0, start), names, dialect)
    frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return frame, [f"{dialect.words}, {encoding}", *damage, *renamed]


def _names(path: Path, sample: str, dialect: Dialect) -> tuple[list[str], list[str]]:
    """The names of the columns, from the first line; and a note where some have none."""
    try:
        first = next(row for _, row in records(sample, dialect) if row)
    except (csv.Error, StopIteration):
        first = []
    if not any(cell.strip() for cell in first):
        raise BadInput(f"{path}: the file is empty; its first line must hold the names of the columns")
    names = [name.strip() or f"column_{place}" for place, name in enumerate(first, 1)]
    _refuse_twins(path, names)
    nameless = [name for name, given in zip(names, first, strict=True) if not given.strip()]
    return names, [f"without a name in the first line, so called {shown_names(nameless)}"] if nameless else []


def _refuse_twins(path: Path, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadInput(f"{path}: two columns are called {name!r}; rename or remove one", field=name)
        seen.add(name)


def _cells(path: Path, text: str, skipped: int, names: list[str], dialect: Dialect) -> pl.DataFrame:
    """All cells as text. What Polars cannot read goes through Python's reader, which says where a line is ragged.

    Polars fills a line that is too short with nulls; so where the last column has some, the lines are counted too.
    """
    if dialect.is_plain:
        try:
            frame = _by_polars(text.encode(), dialect.separator, dialect.quote)
        except pl.exceptions.PolarsError:
            frame = None
        if frame is not None and len(frame.columns) == len(names):
            frame.columns = names
            if frame.to_series(-1).null_count():
                for _ in _checked(path, text, skipped, len(names), dialect):
                    pass
            return frame
    rewritten = io.StringIO()
    csv.writer(rewritten, lineterminator="\n").writerows(_checked(path, text, skipped, len(names), dialect))
    try:
        frame = _by_polars(rewritten.getvalue().encode(), ",", '"')
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{path}: not a table: {str(error).splitlines()[0]}") from None
    frame.columns = names
    return frame


def _by_polars(content: bytes, separator: str, quote: str) -> pl.DataFrame:
    return pl.read_csv(content, separator=separator, quote_char=quote, infer_schema=False, truncate_ragged_lines=False)


def _checked(path: Path, text: str, skipped: int, width: int, dialect: Dialect) -> Iterator[list[str]]:
    """The lines' cells, header included; blank lines are passed over.

    Raises:
        BadInput: a line has more cells than the header, or fewer.
    """
    try:
        for begin, row in records(text, dialect):
            while len(row) > width and not row[-1].strip():
                row.pop()
            if len(row) == width:
                yield row
            elif any(row):
                raise BadInput(
                    f"{path}: line {begin + skipped:,} has {len(row):,} cells where the first line names {width:,} columns"
                    f" ({dialect.words}); close quotation marks, and put them around cells with a {dialect.separator_word} inside"
                )
    except csv.Error as error:
        raise BadInput(f"{path}: not a table: {error}") from None


def _parquet(path: Path, content: bytes) -> tuple[pl.DataFrame, list[str]]:
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise BadInput(f"{path}: the Parquet file is damaged ({str(error).splitlines()[0]}); copy or export it again") from None
    names = [name.strip() or f"column_{place}" for place, name in enumerate(frame.columns, 1)]
    _refuse_twins(path, names)
    frame.columns = names
    unread = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype in UNREAD]
    notes = [f"{shown_names(unread)} left out: lists, structures and bytes are not read"] if unread else []
    return frame.drop(unread).select(_simple(name, dtype) for name, dtype in frame.schema.items() if name not in unread), [
        "Parquet",
        *notes,
    ]


def _simple(name: str, dtype: pl.DataType) -> pl.Expr:
    """Text, truths, numbers and dates stay; what else means one of them becomes it."""
    column = pl.col(name)
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if dtype == pl.Duration:
        return column.dt.total_microseconds() / MICROSECONDS_PER_SECOND
    if dtype == pl.Time:
        return column.cast(pl.Int64) / NANOSECONDS_PER_SECOND
    return column.cast(pl.Float64) if dtype.is_decimal() else column
