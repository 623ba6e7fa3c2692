"""What must not be told: the configured secrets by value, and what looks like one wherever it stands.

Errors, log lines and answers pass through `redacted`. Names that give a secret away are `data.log`'s matter.
"""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
# Shorter ones stand in ordinary words: blotting them out everywhere would leave no readable log.
SHORTEST = 6
TOKEN_PREFIX = "leadloop_"  # noqa: S105 what every stored token begins with, so that it is found wherever it leaks

# A mark that a text must have before its pattern is tried (nearly no line has one), the pattern, and what is left of it.
PATTERNS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    (TOKEN_PREFIX, re.compile(TOKEN_PREFIX + r"[A-Za-z0-9_-]{30,}"), REDACTED),
    # A word with a digit in it: "Basic credentials" is none.
    ("earer ", re.compile(r"(?i)\b(bearer)\s+(?=[^\s\"']*\d)[^\s\"',;\\]{8,}"), rf"\1 {REDACTED}"),
    ("asic ", re.compile(r"(?i)\b(basic)\s+(?=[^\s\"']*[\d=])[A-Za-z0-9+/=_-]{8,}"), rf"\1 {REDACTED}"),
    ("://", re.compile(r"(://[^/\s:@\"'\\]*:)[^/\s\"'\\]+@"), rf"\1{REDACTED}@"),
    ("=", re.compile(r"(?i)([?&](?:[a-z_]*(?:token|secret|key)|password|signature)=)[^&\s\"'\\]+"), rf"\1{REDACTED}"),
    ("xox", re.compile(r"\bxox[a-z]-[A-Za-z0-9-]{8,}"), REDACTED),  # Slack's
    ("pat-", re.compile(r"\bpat-[a-z]{2,3}\d?-[A-Fa-f0-9-]{20,}"), REDACTED),  # HubSpot's private apps'
)

_hidden: tuple[str, ...] = ()


def hide(values: Iterable[str]) -> None:
    """From now on these values are told by nobody in this process, in none of the forms that they are written in."""
    global _hidden  # noqa: PLW0603 one per process, as its log is
    forms = {form for value in values if len(value) >= SHORTEST for form in _forms(value)}
    _hidden = tuple(sorted(forms.union(_hidden), key=lambda form: (-len(form), form)))  # the longest first: it may hold another


def redacted(text: str) -> str:
    """The text without secrets. To cut it, take `shortened`.

    >>> redacted("GET https://me:pass@host/x?api_token=0123456789&y=1 with Bearer abc-123456")
    'GET https://me:[redacted]@host/x?api_token=[redacted]&y=1 with Bearer [redacted]'
    """
    for form in _hidden:
        if form in text:
            text = text.replace(form, REDACTED)
    for mark, pattern, left in PATTERNS:
        if mark in text:
            text = pattern.sub(left, text)
    return text


def shortened(text: str, length: int) -> str:
    """Without secrets, and then no longer than this: of a secret that is cut first, half would be told."""
    return redacted(text)[:length]


def _forms(value: str) -> set[str]:
    """As it is, and as it stands in a URL, in JSON and in a Python text; and these in a line of JSON."""
    plain = value.encode("utf-8", "surrogatepass")
    found = {
        value,
        quote(plain, safe=""),
        quote(plain),
        quote_plus(plain),
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
    }
    return found | {json.dumps(form)[1:-1] for form in found}
