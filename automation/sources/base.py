"""What every source gives: the events that fit and the items that do not, from the bytes of one payload."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pydantic import ValidationError

from data.column_types import unstorable
from data.domain.event import Event
from data.domain.stage import Stage
from data.errors import Rejected
from data.nesting import DEEPEST, is_nested_beyond
from data.redaction import shortened

PARSE, VALIDATE = Stage.PARSE, Stage.VALIDATE
LONGEST_KEY = 512
# Stands in a stored payload where an item was about somebody who was erased, so that its neighbours keep their places.
ERASED = {"leadloop:erased": True}


@dataclass(frozen=True)
class Reject:
    """One item that is set aside: which of the payload, at which stage, why, and its own bytes."""

    position: int | None
    stage: str
    reason: str
    content: bytes


@dataclass
class Parsed:
    """Events with their position in the payload, and what was set aside."""

    events: list[tuple[int, Event]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def parse_items(body: bytes, to_event: Callable[[Any], Event], *, one_allowed: bool) -> Parsed:
    """Turns a JSON array into events, item by item: one that does not fit never takes the others with it.

    `one_allowed`: a lone object counts as an array of one.

    Raises:
        Rejected: the payload as a whole is not JSON, or not an array.
    """
    value = load_json(body)
    if one_allowed and isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise Rejected(PARSE, f"expected a JSON array of events, found {_name(value)}")
    parsed = Parsed()
    for position, item in enumerate(value):
        if item == ERASED:
            continue
        try:
            parsed.events.append((position, _checked(item, to_event)))
        except Rejected as error:
            parsed.rejects.append(Reject(position, error.stage, error.detail, as_bytes(item)))
    return parsed


def load_json(body: bytes) -> Any:
    """Strict JSON in UTF-8: no NaN, no infinity, no more levels than DEEPEST.

    Raises:
        Rejected: says where it stops being JSON.
    """
    if is_nested_beyond(body):
        raise Rejected(PARSE, f"nested too deeply: more than {DEEPEST} levels")
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Rejected(PARSE, f"not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise Rejected(PARSE, "nested too deeply") from None
    except ValueError as error:
        raise Rejected(PARSE, f"not JSON: {error}") from None


def as_bytes(item: Any) -> bytes:
    """An item as JSON in ASCII, which any database takes, whatever is in its strings."""
    return json.dumps(item).encode("ascii")


def first_problem(error: ValidationError) -> str:
    """A Pydantic error as one line that names the field."""
    item = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in item["loc"])
    return f"{where}: {item['msg']}" if where else str(item["msg"])


def dedupe_key(*parts: Any) -> str:
    """The parts that make a delivery of an event the same event, joined; a digest where they are very long."""
    text = "|".join("" if part is None else str(part) for part in parts)
    return text if len(text) <= LONGEST_KEY else "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _checked(item: Any, to_event: Callable[[Any], Event]) -> Event:
    if not isinstance(item, dict):
        raise Rejected(VALIDATE, f"expected an object, found {_name(item)}")
    if (reason := unstorable(item)) is not None:
        raise Rejected(VALIDATE, f"cannot be stored: it has {reason}")
    try:
        return to_event(item)
    except ValidationError as error:
        raise Rejected(VALIDATE, first_problem(error)) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        # A fault of the parser's own: this item is set aside, its neighbours are not.
        raise Rejected(PARSE, shortened(f"the parser failed: {type(error).__name__}: {error}", 300)) from None


def _name(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")
