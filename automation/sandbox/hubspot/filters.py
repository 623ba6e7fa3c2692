"""The filters of HubSpot's search: which values they let through, and which part of an order they leave.

https://developers.hubspot.com/docs/api-reference/latest/crm/search-the-crm, "Filter operators"
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from automation.sandbox.records import milliseconds

MOST_GROUPS, MOST_IN_GROUP, MOST_IN_ALL = 5, 6, 18
MOST_VALUES = 100  # of IN and NOT_IN
NOWHERE = 2**62
DATED = frozenset({"date", "datetime"})


class Refused(Exception):
    """The search does not fit; the message says why."""


@dataclass(frozen=True)
class Filter:
    """`values` are comparable: milliseconds, numbers or lower-case text, as the property's type has it."""

    name: str
    operator: str
    type: str
    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Whether a record with this value gets through. One without gets through NOT_HAS_PROPERTY only."""
        if value is None or value == "":
            return self.operator == "NOT_HAS_PROPERTY"
        found = comparable(self.type, value)
        return found is not None and OPERATORS[self.operator](found, self.values)

    def bounds(self) -> tuple[int, int] | None:
        """The whole numbers that get through, from the first to before the last; None where that is no one stretch."""
        if self.operator not in STRETCHES or not all(isinstance(value, int) for value in self.values):
            return None
        return STRETCHES[self.operator](self.values)


OPERATORS: Mapping[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "EQ": lambda found, given: found == given[0],
    "NEQ": lambda found, given: found != given[0],
    "LT": lambda found, given: found < given[0],
    "LTE": lambda found, given: found <= given[0],
    "GT": lambda found, given: found > given[0],
    "GTE": lambda found, given: found >= given[0],
    "BETWEEN": lambda found, given: given[0] <= found <= given[1],
    "IN": lambda found, given: found in given,
    "NOT_IN": lambda found, given: found not in given,
    "HAS_PROPERTY": lambda _found, _given: True,
    "NOT_HAS_PROPERTY": lambda _found, _given: False,
    "CONTAINS_TOKEN": lambda found, given: str(given[0]).strip("*") in str(found),
    "NOT_CONTAINS_TOKEN": lambda found, given: str(given[0]).strip("*") not in str(found),
}
STRETCHES: Mapping[str, Callable[[tuple[int, ...]], tuple[int, int]]] = {
    "EQ": lambda given: (given[0], given[0] + 1),
    "LT": lambda given: (-NOWHERE, given[0]),
    "LTE": lambda given: (-NOWHERE, given[0] + 1),
    "GT": lambda given: (given[0] + 1, NOWHERE),
    "GTE": lambda given: (given[0], NOWHERE),
    "BETWEEN": lambda given: (given[0], given[1] + 1),
    "IN": lambda given: (min(given), max(given) + 1),
}


def read_filters(groups: list[Any], properties: Mapping[str, dict[str, Any]]) -> list[list[Filter]]:
    """The filters of a search, checked against the account's properties.

    Raises:
        Refused: too many of them, or one that makes no sense.
    """
    found = [[_filter(given, properties) for given in group.get("filters") or []] for group in groups]
    if len(found) > MOST_GROUPS or any(len(group) > MOST_IN_GROUP for group in found) or sum(map(len, found)) > MOST_IN_ALL:
        raise Refused(f"at most {MOST_GROUPS} filter groups, {MOST_IN_GROUP} filters in each and {MOST_IN_ALL} in all")
    return found


def comparable(type_: str, value: Any) -> Any:
    """A value as it is compared; None where it is not of its type."""
    if type_ in DATED:
        return moment_of(value)
    if type_ == "number":
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        return int(number) if number.is_integer() else number
    return str(value).lower()


def moment_of(value: Any) -> int | None:
    """Milliseconds since 1970, from those or from ISO 8601."""
    given = str(value)
    if given.lstrip("-").isdigit():
        return int(given)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        return None
    return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _filter(given: dict[str, Any], properties: Mapping[str, dict[str, Any]]) -> Filter:
    name, operator = str(given.get("propertyName")), str(given.get("operator"))
    if name not in properties:
        raise Refused(f"there is no property {name}")
    if operator not in OPERATORS:
        raise Refused(f"{operator} is no operator")
    raw = _values(given, operator)
    values = tuple(comparable(properties[name]["type"], value) for value in raw)
    if None in values or len(values) > MOST_VALUES:
        raise Refused(f"{name}: {operator} does not take {str(raw)[:80]}")
    return Filter(name, operator, properties[name]["type"], values)


def _values(given: dict[str, Any], operator: str) -> list[Any]:
    if operator in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
        return []
    if operator in {"IN", "NOT_IN"}:
        values = list(given.get("values") or [])
    else:
        values = [given.get("value"), *([given.get("highValue")] if operator == "BETWEEN" else [])]
    if not values or None in values:
        raise Refused(f"{given.get('propertyName')}: {operator} needs a value")
    return values
