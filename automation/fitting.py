"""Whether a property's value is of its declared type. The features read by the same rules: what fits is never missing there."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from automation.sources.properties import our_names
from data.domain.event import Event
from data.domain.fact import text_of
from data.domain.money import currency_of
from data.domain.property_type import PROPERTIES, WANTED, Property, PropertyType
from ml.features.inputs import Input, InputKind, is_missing, typed_value
from ml.features.words import SPACES

EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
NOTE = "schema"
RESULTS = ("open", "won", "lost")

# How the features read a type.
READ_AS: dict[PropertyType, Input] = {
    kind: Input(name=kind, kind=read_as)
    for kind, read_as in {
        PropertyType.TEXT: InputKind.TEXT,
        PropertyType.EMAIL: InputKind.TEXT,
        PropertyType.NUMBER: InputKind.NUMBER,
        PropertyType.COUNT: InputKind.NUMBER,
        PropertyType.BOOLEAN: InputKind.BOOLEAN,
        PropertyType.MOMENT: InputKind.DATE,
        PropertyType.CURRENCY: InputKind.TEXT,
        PropertyType.RESULT: InputKind.TEXT,
    }.items()
}
# What must be true besides of what was read.
MUST_BE: dict[PropertyType, Callable[[Any], bool]] = {
    PropertyType.EMAIL: lambda text: EMAIL.fullmatch(text) is not None,
    PropertyType.COUNT: lambda number: number >= 0,
    PropertyType.CURRENCY: lambda text: currency_of(text) is not None,
    PropertyType.RESULT: lambda text: text.lower() in RESULTS,
}


def misfits(event: Event) -> dict[str, str]:
    """The declared properties of an event whose values are of another type, under the sender's names: what each must be."""
    declared = _declared(event)
    found = ((name, declared[name], value) for name, value in event.properties.items() if name in declared)
    return {name: said(one, value) for name, one, value in found if not fits(one.type, value)}


def noted(event: Event) -> dict[str, str]:
    """The same as the note beside an event of a CRM, whose records are what they are: it is taken, and its values as they came."""
    found = misfits(event)
    return {NOTE: "; ".join(f"{name}: {must}" for name, must in found.items())} if found else {}


def fits(kind: PropertyType, value: Any) -> bool:
    """Whether a value is of a type, or says that there is none."""
    if isinstance(value, dict | list | tuple):
        return False
    column, text = READ_AS[kind], (text_of(value) or "").strip(SPACES)
    if is_missing(text, column.kind):
        return True
    read = typed_value(column, text, strictly=False)
    return read is not None and (kind not in MUST_BE or MUST_BE[kind](read))


def said(declared: Property, value: Any) -> str:
    """What a value must be that is not, in words.

    >>> said(Property("amount", PropertyType.NUMBER, ""), "plenty")
    "must be a number, as 1200.5, not 'plenty'"
    """
    wanted, example = WANTED[declared.type]
    one = "an object" if isinstance(value, dict) else "a list" if isinstance(value, list | tuple) else repr(text_of(value))[:60]
    as_json = str(example).lower() if isinstance(example, bool) else str(example)
    return f"must be {wanted}, as {as_json}, not {one}"


def _declared(event: Event) -> Mapping[str, Property]:
    return _names(event.entity.source, event.entity.kind)


@cache
def _names(source: str, kind: Any) -> Mapping[str, Property]:
    """The sender's name -> what is declared of the property."""
    declared = {one.name: one for one in PROPERTIES[kind]}
    theirs = {name: ours for name, ours in our_names(source, declared).items() if ours in declared}
    return {**declared, **{name: declared[ours] for name, ours in theirs.items()}}
