"""An option of a field with choices (Pipedrive's `enum`, `set` and labels): records have its id, people know it by its label.

Facts keep the ids, however they came: what an account calls them may be known later than they are, and is put in their place
where facts are read. So nothing is told twice, once by the id and once by the label.
"""

import json
from collections.abc import Mapping

BETWEEN = "="  # of a field's key and an option's id, in the names that are kept of an account


def option_key(field: str, option: object) -> str:
    """What an option is kept under.

    >>> option_key("label_ids", 5)
    'label_ids=5'
    """
    return f"{field}{BETWEEN}{option}"


def field_and_option(key: str) -> tuple[str, str] | None:
    """The field and the option of such a key; None where it is a field's own."""
    field, between, option = key.partition(BETWEEN)
    return (field, option) if between else None


def labelled(value: str, labels: Mapping[str, str]) -> str:
    """A value by what people call its options; those that nobody knows (any more) keep their ids.

    >>> labels = {"7": "Gold", "8": "Blue"}
    >>> labelled("7", labels), labelled("[7, 8]", labels), labelled("[8, 7]", labels), labelled("[7, 9]", labels)
    ('Gold', 'Blue, Gold', 'Blue, Gold', '9, Gold')
    """
    if not value.startswith("["):
        return labels.get(value, value)
    try:
        ids = json.loads(value)
    except ValueError:
        return value
    return ", ".join(sorted(labels.get(str(one), str(one)) for one in ids)) if ids else value
