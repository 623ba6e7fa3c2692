"""The rows of a CSV, Parquet or JSONL file as records with their past."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from automation.imports.mapping import Mapping as Columns
from automation.imports.mapping import check_columns
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import EARLIEST
from data.domain.fact import text_of
from data.domain.past import Change, PastRecord
from data.errors import BadInput
from ml.features.date_text import DateForm, datetime_of_days, parse_date
from ml.tables.table_file import read_frame
from ml.tables.unpack import unpacked

LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
ZONED = re.compile(r"(z|utc|gmt|:[0-9]{2}[+-][0-9]{2}(:?[0-9]{2})?|:[0-9]{2}\.[0-9]+[+-][0-9]{2}(:?[0-9]{2})?)$", re.IGNORECASE)
MILLISECONDS = re.compile("[0-9]{12,14}")


@dataclass(frozen=True)
class Row:
    """One row and where it stands; the first is 1. `problem`: why it is none."""

    number: int
    values: Mapping[str, Any]
    problem: str | None = None


def read_rows(path: Path, columns: Columns) -> tuple[int, Iterator[Row]]:
    """How many rows there are, and each of them.

    Raises:
        BadInput: no such file, damaged, or without a column that the mapping speaks of.
    """
    if path.name.lower().endswith(LINES):
        lines = [line for line in _text(path).split("\n") if line.strip()]
        return len(lines), (_json_row(number, line) for number, line in enumerate(lines, 1))
    frame, _ = read_frame(path)
    check_columns(columns, frame.columns, path)
    return len(frame), (Row(number, values) for number, values in enumerate(frame.iter_rows(named=True), 1))


def record_of(row: Row, columns: Columns, now: datetime) -> PastRecord:
    """The record of a row.

    Raises:
        BadInput: something in it does not fit; names the column.
    """
    if row.problem is not None:
        raise BadInput(row.problem)
    number = text_of(row.values.get(columns.id))
    if number is None:
        raise BadInput(f"{columns.id}: empty, and so nobody knows whose row this is", field=columns.id)
    created_at, changed_at = (_moment(row, name, columns, now) for name in (columns.created_at, columns.changed_at))
    since = changed_at or created_at
    if since is None:
        raise BadInput(f"{columns.created_at or columns.changed_at}: empty: nothing is learned from what has no time")
    changes = [Change(name, text_of(row.values.get(column)), since) for column, name in columns.properties_of(row.values).items()]
    changes += [change for column in columns.history for change in _history(row, column, columns, now)]
    links = tuple(_ref(columns, kind, each) for kind, column in columns.links.items() for each in _ids(row.values.get(column)))
    return PastRecord(_ref(columns, columns.kind, number), created_at or since, tuple(changes), links)


def _text(path: Path) -> str:
    content, _ = unpacked(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 at byte {error.start}: JSON is always that") from None


def _json_row(number: int, line: str) -> Row:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Row(number, {"line": line}, f"not JSON: {error}")
    return Row(number, value) if isinstance(value, dict) else Row(number, {"line": line}, "expected an object")


def _history(row: Row, column: str, columns: Columns, now: datetime) -> list[Change]:
    at = _moment(row, column, columns, now)
    return [] if at is None else [Change(name, value, at) for name, value in columns.history[column].items()]


def _ids(value: Any) -> list[str]:
    return [part.strip() for part in str(value).split(";") if part.strip()] if text_of(value) is not None else []


def _ref(columns: Columns, kind: EntityKind, number: str) -> EntityRef:
    try:
        return EntityRef(source=columns.source, kind=kind, id=number)
    except ValidationError:
        raise BadInput(f"{number[:40]!r} is no id: 1 to 128 characters, none of them a control character") from None


def _moment(row: Row, column: str | None, columns: Columns, now: datetime) -> datetime | None:
    value = row.values.get(column) if column is not None else None
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    moment = _utc(value, columns) if isinstance(value, datetime) else _read(str(value).strip(), column, columns)
    if not EARLIEST <= moment <= now:
        raise BadInput(f"{column}: {moment:%Y-%m-%d} lies before {EARLIEST:%Y} or in the future", field=column)
    return moment


def _read(text: str, column: str | None, columns: Columns) -> datetime:
    form = DateForm.EPOCH_MS if MILLISECONDS.fullmatch(text) else DateForm(columns.dates)
    days = parse_date(text, form)
    if days is None:
        hint = "; where days or months come first, the mapping says so: dates: day_first" if columns.dates == "iso" else ""
        raise BadInput(f"{column}: {text[:40]!r} is no date that can be read{hint}", field=column)
    moment = datetime_of_days(days)
    return moment if form is DateForm.EPOCH_MS or ZONED.search(text) else _utc(moment.replace(tzinfo=None), columns)


def _utc(moment: datetime, columns: Columns) -> datetime:
    """A time without a zone is meant in the mapping's."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=columns.zone)).astimezone(UTC)
