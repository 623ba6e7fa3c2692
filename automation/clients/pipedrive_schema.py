"""What a Pipedrive account calls its fields and their options, from the answer of API v1.

https://developers.pipedrive.com/docs/api/v1/PersonFields; https://pipedrive.readme.io/docs/working-with-labels: the labels of
persons, organizations and deals are options of a field of theirs, those of leads a list of its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from automation.sources.pipedrive import CURRENCY, LABELS
from data.domain.option import option_key

KEY_LENGTH = 40  # custom fields are keyed by a SHA-1 in hexadecimal
LABEL = "label"  # the field's name from before a record had several
SET, MONETARY = "set", "monetary"


@dataclass(frozen=True)
class Schema:
    """The fields of one kind of records.

    `names`: a custom field's key -> its name, and that of an amount's currency; `labels`: `key=option` -> what people call the
    option; `sets`: the keys of fields that hold several options.
    """

    names: Mapping[str, str]
    labels: Mapping[str, str]
    sets: frozenset[str]


def schema_of(fields: Iterable[Mapping[str, Any]], lead_labels: Iterable[Mapping[str, Any]] | None = None) -> Schema:
    """The schema by the rows of an account's fields. `lead_labels`: the rows of a lead's labels, which are no field of it."""
    fields = list(fields)
    custom = [row for row in fields if len(row["key"]) == KEY_LENGTH]
    labels = {option_key(row["key"], one["id"]): str(one["label"]) for row in custom for one in row.get("options") or ()}
    if lead_labels is None:
        own = [row for key in (LABEL, LABELS) for row in fields if row["key"] == key]
        labels |= {option_key(LABELS, one["id"]): str(one["label"]) for row in own for one in row.get("options") or ()}
    else:
        labels |= {option_key(LABELS, row["id"]): str(row["name"]) for row in lead_labels}
    sets = frozenset(row["key"] for row in custom if row.get("field_type") == SET) | {LABELS}
    names = {row["key"]: row["name"] for row in custom}
    currencies = {f"{row['key']}{CURRENCY}": f"{row['name']} currency" for row in custom if row.get("field_type") == MONETARY}
    return Schema(names | {key: name for key, name in currencies.items() if name not in names.values()}, labels, sets)


def as_v2(key: str, value: Any, sets: frozenset[str]) -> Any:
    """A value as API v2 and webhooks have it: of several options API v1 and the changelog write their ids with commas.

    >>> as_v2("a", "13,14", frozenset("a")), as_v2("b", "13,14", frozenset("a")), as_v2("a", None, frozenset("a"))
    ([13, 14], '13,14', None)
    """
    if key not in sets or not isinstance(value, str | int) or value == "":
        return value
    return [int(part) if part.isdigit() else part for part in map(str.strip, str(value).split(","))]
