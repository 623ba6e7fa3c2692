"""What a version expects in each column, and how a value from anywhere becomes the number that a tree sees.

The same function serves training (a CSV's text), serving (JSON) and the CRM (which keeps numbers as text), so
the same fact always becomes the same number.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from data.errors import BadInput

MISSING = math.nan
# XGBoost computes in 32-bit floats and refuses infinities; nothing a CRM counts comes near this.
LARGEST_NUMBER = 1e15
TRUE_WORDS = frozenset({"true", "yes", "y", "t", "1", "1.0", "on"})
FALSE_WORDS = frozenset({"false", "no", "n", "f", "0", "0.0", "off"})


class InputKind(StrEnum):
    NUMBER = "number"
    BOOLEAN = "boolean"
    CATEGORY = "category"
    DATE = "date"
    TEXT = "text"


class Input(BaseModel):
    """One column of a version's input schema. `categories` in code order; an unseen one counts as missing."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: InputKind
    categories: tuple[str, ...] = ()

    @property
    def xgboost_type(self) -> str:
        return "c" if self.kind is InputKind.CATEGORY else "float"


def encode(column: Input, value: Any) -> float:
    """The number for a value; NaN where it is missing, unseen or not of the column's kind."""
    try:
        return encode_strictly(column, value)
    except BadInput:
        return MISSING


def encode_strictly(column: Input, value: Any) -> float:
    """The same, but a value of the wrong kind is an error that names the field.

    Raises:
        BadInput: the value is not of the column's kind, or a number too large to mean anything.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return MISSING
    if isinstance(value, dict | list | tuple):
        raise _wrong(column, value, "a single value")
    if column.kind is InputKind.NUMBER:
        return _number(column, value)
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise _wrong(column, value, "a category" if column.kind is InputKind.CATEGORY else "true or false")
    if column.kind is InputKind.BOOLEAN:
        return _boolean(column, value)
    text = str(value).strip()
    return float(column.categories.index(text)) if text in column.categories else MISSING


def encode_row(columns: tuple[Input, ...], row: Mapping[str, Any], *, strictly: bool = False) -> list[float]:
    one = encode_strictly if strictly else encode
    return [one(column, row.get(column.name)) for column in columns]


def _number(column: Input, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(column, value, "a number") from None
    if not abs(number) <= LARGEST_NUMBER:  # also false for NaN
        raise _wrong(column, value, f"a number between -{LARGEST_NUMBER:g} and {LARGEST_NUMBER:g}")
    return number


def _boolean(column: Input, value: Any) -> float:
    word = str(value).strip().lower()
    if word in TRUE_WORDS:
        return 1.0
    if word in FALSE_WORDS:
        return 0.0
    raise _wrong(column, value, "true or false")


def _wrong(column: Input, value: Any, wanted: str) -> BadInput:
    huge = isinstance(value, int) and abs(value) > LARGEST_NUMBER
    shown = f"an integer of {value.bit_length()} bits" if huge else str(value)[:40]
    return BadInput(f"{column.name}: must be {wanted}, not {shown!r}", field=column.name)
