"""Shorthands for columns that several tables have."""

from typing import Any

from sqlalchemy import BigInteger, Column, Integer
from sqlmodel import Field

from data.column_types import JsonValue, UtcDateTime

# SQLite only numbers rows by itself when the key is declared INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")


def row_id() -> Any:
    return Field(default=None, primary_key=True, sa_type=RowId)


def instant(*, nullable: bool = False, index: bool = False) -> Any:
    """A UTC instant."""
    column: Any = Column(UtcDateTime(), nullable=nullable, index=index)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def json_column(empty: type[Any] = dict) -> Any:
    return Field(default_factory=empty, sa_column=Column(JsonValue(), nullable=False))
