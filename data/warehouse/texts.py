"""Every column that can hold a text, over all tables: searched by the database, changed row by row.

The columns come from the metadata, so that a new table is searched without anybody's thinking of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, LargeBinary, String, Table, and_, cast, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, SQLModel
from sqlmodel.sql.sqltypes import AutoString

from data.column_types import JsonValue
from data.domain.mention import in_json, texts_in
from data.warehouse.erasure_keys import TOKEN_LENGTH, digests

CHUNK_ROWS = 200
# A text in which ASCII characters are written as in JSON, `\u0040` for @, can't be compared letter by letter: it is read.
ESCAPED = r"\u00[2-7]"
ESCAPE = "~"  # in patterns; PostgreSQL's own, the backslash, is in what is looked for
Needle = tuple[str, ...]
TEXTS = (String, AutoString, JsonValue, LargeBinary)


@dataclass(frozen=True)
class Hit:
    """A row in which something was found: all of it, and the columns it was found in."""

    table: Table
    row: Mapping[str, Any]
    columns: tuple[str, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        return tuple(self.row[column.name] for column in self.table.primary_key)


def tables() -> list[Table]:
    """Those that have a column for texts, in the order in which they refer to each other."""
    return [table for table in SQLModel.metadata.sorted_tables if columns_of(table)]


def columns_of(table: Table) -> list[Column[Any]]:
    """The columns that can hold a text: text, JSON and bytes."""
    return [column for column in table.columns if isinstance(column.type, TEXTS)]


def search(
    session: Session, table: Table, needles: Sequence[Needle], holds: Callable[[str], bool], *, escaped: bool = True
) -> Iterator[Hit]:
    """The rows of a table that hold what is looked for.

    Parameters:
        needles: what it may look like; the database picks the rows in which the parts of one stand in this order.
        holds: whether a text that was picked does hold it.
        escaped: rows with JSON's escapes of ASCII characters are read too.
    """
    if not needles:
        return
    dialect = session.get_bind().dialect.name
    columns = columns_of(table)
    holding = or_(*(_has(column, needles, dialect, escaped=escaped) for column in columns))
    result = session.connection().execution_options(stream_results=True).execute(select(table).where(holding))
    for rows in result.mappings().partitions(CHUNK_ROWS):
        for row in rows:
            found = tuple(column.name for column in columns if any(map(holds, texts_of(row[column.name]))))
            if found:
                yield Hit(table, dict(row), found)


def at(session: Session, table: Table, keys: Iterable[tuple[Any, ...]]) -> list[Hit]:
    """The rows with these keys that are still there."""
    found = []
    for key in keys:
        mine = and_(*(column == value for column, value in zip(table.primary_key, key, strict=True)))
        row = session.execute(select(table).where(mine)).mappings().first()
        found += [] if row is None else [Hit(table, dict(row), ())]
    return found


def texts_of(value: Any) -> Iterator[str]:
    """The texts in a cell. Bytes are read as UTF-8, and once more without the NULs that other encodings have."""
    if isinstance(value, bytes | memoryview):
        text = bytes(value).decode("utf-8", "replace")
        yield text
        if "\x00" in text:
            yield text.replace("\x00", "")
    else:
        yield from texts_in(value)


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """A cell with its texts changed. Bytes of which no text can be made are emptied."""
    if not isinstance(value, bytes | memoryview):
        return in_json(value, change)
    try:
        return change(bytes(value).decode("utf-8")).encode() if b"\x00" not in bytes(value) else b""
    except UnicodeDecodeError:
        return b""


def rewrite(session: Session, hit: Hit, values: Mapping[str, Any]) -> None:
    """Stores other values in a row. Where that would be there twice and must not, a digest of the old one tells them apart."""
    mine = and_(*(column == value for column, value in zip(hit.table.primary_key, hit.key, strict=True)))
    try:
        with session.begin_nested():
            session.execute(update(hit.table).where(mine).values(dict(values)))
    except IntegrityError:
        made = digests(session)
        apart = {name: f"-{made.of_text(str(hit.row[name]))[:TOKEN_LENGTH]}" for name in values}
        new = {name: value + apart[name] if isinstance(value, str) else value for name, value in values.items()}
        session.execute(update(hit.table).where(mine).values(new))


def _has(column: Column[Any], needles: Iterable[Needle], dialect: str, *, escaped: bool) -> ColumnElement[bool]:
    text = _as_text(column, dialect)
    is_bytes = isinstance(column.type, LargeBinary)
    patterns = ["%".join(_literally(_as_stored(part, dialect, is_bytes=is_bytes)) for part in needle) for needle in needles]
    found: list[ColumnElement[bool]] = [text.like(f"%{pattern}%", escape=ESCAPE) for pattern in patterns]
    if escaped:
        found.append(text.op("GLOB")(f"*{ESCAPED}*") if dialect == "sqlite" else text.op("~")(ESCAPED.lstrip("\\")))
    return or_(*found)


def _as_text(column: Column[Any], dialect: str) -> Any:
    """SQLite compares ASCII letters whatever their case; PostgreSQL is given small ones."""
    if dialect == "sqlite":
        return cast(column, String)
    if isinstance(column.type, LargeBinary):
        return func.lower(func.encode(column, "escape"), type_=String)
    return func.lower(cast(column, String), type_=String)


def _as_stored(part: str, dialect: str, *, is_bytes: bool) -> str:
    if dialect == "sqlite":
        return part
    if is_bytes:  # as `encode(..., 'escape')` writes them
        part = "".join(chr(one) if one < 128 else f"\\{one:03o}" for one in part.replace("\\", "\\\\").encode())
    return part.lower()


def _literally(part: str) -> str:
    for mark in (ESCAPE, "%", "_"):
        part = part.replace(mark, ESCAPE + mark)
    return part
