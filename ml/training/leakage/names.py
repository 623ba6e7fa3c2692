"""Names and values that sound like an outcome. They only ever support other evidence, never make it."""

import re
from collections.abc import Iterable

# What a CRM writes when, or after, something ended. `duration` and `end` are there because how long a thing took is
# known only when it is over. Words that plain attributes carry too (status, value, payment, date) are not.
OUTCOME_WORDS = frozenset({
    "actual", "booked", "cancel", "canceled", "cancellation", "cancelled", "churn", "churned", "close", "closed", "closedate",
    "closing", "conversion", "converted", "duration", "end", "ended", "final", "invoice", "invoiced", "lost", "outcome", "paid",
    "refund", "refunded", "result", "signed", "terminated", "termination", "won",
})  # fmt: skip
OUTCOME_VALUES = frozenset({
    "won", "lost", "closedwon", "closedlost", "closed", "converted", "churned", "cancelled", "canceled", "signed", "paid",
    "success", "failure",
})  # fmt: skip
IDENTIFIER_WORDS = frozenset({"id", "ids", "uuid", "guid", "key", "number", "no", "nr", "ref", "reference", "identifier", "index"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def sounds_like_outcome(column: str) -> bool:
    return not OUTCOME_WORDS.isdisjoint(_words(column))


def sounds_like_identifier(column: str) -> bool:
    return not IDENTIFIER_WORDS.isdisjoint(_words(column))


def says_outcome(values: Iterable[str]) -> bool:
    """Whether any of a category's values is a word for an outcome, like `closedwon` or `Closed won`."""
    return any(not OUTCOME_VALUES.isdisjoint(_words(value)) for value in values)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}
