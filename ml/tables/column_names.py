"""What the name of a column says of it. Only ever one sign among others: what the cells hold decides."""

import re

WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
ID_WORDS = frozenset({"id", "ids", "uuid", "guid", "key", "pk", "nr", "no", "number", "index", "idx", "rowid", "row"})
CODE_WORDS = frozenset({"id", "code", "key", "zip", "zipcode", "postcode", "postal", "postleitzahl", "plz", "cap"})
# customerid and the like, in one word; `paid` and `valid` are no identifiers.
ID_ENDING = re.compile(
    r"(?:user|customer|client|company|contact|deal|lead|account|owner|object|record|order|session|visitor|person|ticket|team)id$"
)
MOMENT_WORDS = frozenset(
    {"created", "updated", "modified", "closed", "opened", "at", "on", "day", "since", "seen", "visited", "contacted", "epoch",
     "ts", "when", "born", "expires", "due", "signup", "datum", "zeit", "fecha"}
)  # fmt: skip
MOMENT_ENDINGS = ("date", "time", "timestamp")


def is_id_name(name: str) -> bool:
    """customer_id, customerID, companyid, row number.

    >>> is_id_name("customerID"), is_id_name("hs_object_id"), is_id_name("paid")
    (True, True, False)
    """
    return _last(name) in ID_WORDS or ID_ENDING.search(name.lower()) is not None


def is_code_name(name: str) -> bool:
    """owner_id, country code, zip: a number by that name is no amount."""
    return _last(name) in CODE_WORDS or ID_ENDING.search(name.lower()) is not None


def is_moment_name(name: str) -> bool:
    """createdate, last_seen_at, timestamp."""
    words = _words(name)
    return any(word in MOMENT_WORDS or word.endswith(MOMENT_ENDINGS) for word in words)


def _last(name: str) -> str:
    words = _words(name)
    return words[-1] if words else ""


def _words(name: str) -> list[str]:
    return [word.lower() for word in WORD.findall(name)]
