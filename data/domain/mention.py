"""Where a text mentions somebody: an e-mail address in any of its spellings, a record's name, a person's name.

An address is found as a whole: `jada@example.com`, `ada@example.com.au` and `ada+news@example.com` are others than
`ada@example.com`. Capitals make no difference, nor does how its characters are written (SPELLINGS).
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

# TABLE of the ways in which a text may write a character otherwise; only what becomes ASCII is of interest here.
# `%40` of URLs, `\u0040` of JSON, `&#64;` and `&#x40;` of HTML, `=40` of e-mails.
SPELLINGS = re.compile(
    r"%(?P<url>[2-7][0-9a-f])|\\+u00(?P<json>[2-7][0-9a-f])|&#(?P<decimal>\d{2,3});|&#x(?P<hex>[2-7][0-9a-f]);"
    r"|(?P<named>&commat;)|=(?P<mail>[2-7][0-9a-f])",
    re.IGNORECASE,
)
LAYERS = 3  # an address in a URL in a JSON text within JSON: nobody writes deeper
# RFC 5321, 4.5.3.1: no address is longer.
LONGEST_LOCAL, LONGEST_DOMAIN = 64, 255
# What may stand in the part before the @, and the marks of these that stand around addresses as often as within them.
_LOCAL, _AROUND = r"[\w.!#$%&'*+/=?^`{|}~-]", "!#$%&'*/=?^`{|}"
_BEFORE, _AFTER = re.compile(rf"{_LOCAL}+\Z"), re.compile(r"@[^\W_](?:[^\W_]|-)*(?:\.(?:[^\W_]|-)+)+")
ADDRESS = re.compile(rf"{_LOCAL}{{1,{LONGEST_LOCAL}}}{_AFTER.pattern}")
# An address or an id is not part of a longer one.
NOT_BEFORE, NOT_AFTER = r"(?<![\w+~-])(?<!\w\.)", r"(?![^\W_]|-|\.[^\W_])"
GONE = "[erased]"

Span = tuple[int, int, str]


def normal(address: str) -> str:
    """
    >>> normal(" Ada@Example.COM ")
    'ada@example.com'
    """
    return address.strip().casefold()


@dataclass(frozen=True)
class Mentions:
    """Somebody's addresses, each with what stands in its place, and phrases of which nothing is to stay."""

    addresses: Mapping[str, str]
    phrases: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.addresses or self.phrases)

    def are_in(self, text: str) -> bool:
        return bool(self) and next(self._spans(text, LAYERS), None) is not None

    def out_of(self, text: str) -> str:
        """The text without them."""
        spans = sorted(self._spans(text, LAYERS)) if self else []
        made, done = "", 0
        for start, end, instead in spans:
            if start >= done:
                made, done = made + text[done:start] + instead, end
        return made + text[done:] if spans else text

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted({*map(normal, self.addresses), *self.phrases}, key=lambda one: (-len(one), one))
        return re.compile(f"{NOT_BEFORE}(?:{'|'.join(map(re.escape, longest_first))}){NOT_AFTER}", re.IGNORECASE)

    def _spans(self, text: str, layers: int) -> Iterator[Span]:
        for found in self._pattern.finditer(text):
            yield found.start(), found.end(), self.addresses.get(normal(found.group()), GONE)
        if layers and SPELLINGS.search(text):
            read = _Read(text)
            for start, end, instead in self._spans(read.text, layers - 1):
                yield read.where(start), read.where(end - 1, at_end=True), instead


class _Read:
    """A text with its other spellings read, and where in the original each character stands."""

    def __init__(self, original: str) -> None:
        parts, self._read, self._original, done, length = [], [0], [0], 0, 0
        for found in SPELLINGS.finditer(original):
            if (one := _character(found)) is None:
                continue
            parts += [original[done : found.start()], one]
            length += found.start() - done + 1
            done = found.end()
            self._read += [length - 1, length]
            self._original += [found.start(), done]
        self.text = "".join([*parts, original[done:]])

    def where(self, place: int, *, at_end: bool = False) -> int:
        """Where the character begins in the original, or where it ends."""
        last = bisect_right(self._read, place) - 1
        begins = self._original[last] + place - self._read[last]
        spelled = last % 2 == 1  # every other stretch is one character, however long it is written
        if not at_end:
            return begins
        return self._original[last + 1] if spelled else begins + 1


def _character(found: re.Match[str]) -> str | None:
    kind, digits = str(found.lastgroup), found.group(str(found.lastgroup))
    if kind == "named":
        return "@"
    number = int(digits, 10 if kind == "decimal" else 16)
    return chr(number) if number < 128 else None


def addresses_in(text: str) -> set[str]:
    """Whatever may be an address in a text, however it is written. More than there are, where marks stand around one.

    >>> sorted(addresses_in("mailto:Ada%40example.com or 'bo@example.com'"))
    ["'bo@example.com", 'ada@example.com', 'bo@example.com']
    """
    found: set[str] = set()
    for _ in range(LAYERS + 1):
        found |= _plain_addresses(text)
        if not SPELLINGS.search(text):
            break
        text = _Read(text).text
    return found


def _plain_addresses(text: str) -> set[str]:
    found: set[str] = set()
    for at in re.finditer("@", text):
        before = _BEFORE.search(text[max(0, at.start() - LONGEST_LOCAL) : at.start()])
        after = _AFTER.match(text, at.start(), at.start() + LONGEST_DOMAIN)
        if before is None or after is None:
            continue
        local = before.group()
        starts = [0, *(place + 1 for place, one in enumerate(local) if one in _AROUND)]
        found |= {normal(local[start:].lstrip(".") + after.group()) for start in starts if local[start:].lstrip(".")}
    return found


def parts_of(address: str) -> tuple[tuple[str, str], ...]:
    """What stands before and after the @ of an address, however that itself is written: for a search by a database that can
    do no more than compare letters. In small letters; in capitals too where a database may not know a letter's other form.

    >>> parts_of("ada+x@example.com")
    (('ada%2bx', 'example.com'), ('ada+x', 'example.com'))
    """
    local, _, domain = normal(address).partition("@")
    made = {(local, domain), (quote(local, safe="").lower(), domain)}
    if not address.isascii():
        forms = {(local, domain), (local.upper(), domain.upper())}
        made |= forms | {(_escaped(one), _escaped(other)) for one, other in forms}
    return tuple(sorted(made))


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def names_out_of(text: str, names: Iterable[str], *, alone: bool = True) -> str:
    """The text without a person's names, where it is known to be about that person. `alone`: each word of them too.

    >>> names_out_of("Called ADA LOVELACE; ada will call back. Canada.", ["Ada Lovelace"])
    'Called [erased]; [erased] will call back. Canada.'
    """
    whole = {" ".join(name.split()) for name in names}
    full = [name for name in whole if " " in name]
    words = {part for name in whole for part in name.split()} if alone else set()
    for pattern in (_full(full), _single(words)):
        text = pattern.sub(GONE, text) if pattern is not None else text
    return text


def full_names_in(text: str, names: Iterable[str]) -> bool:
    """Whether a name of two words or more is in it: one word alone may be anybody's, or no name at all."""
    pattern = _full([" ".join(name.split()) for name in names if len(name.split()) > 1])
    return pattern is not None and pattern.search(text) is not None


def _full(names: list[str]) -> re.Pattern[str] | None:
    parts = [r"[\s,+_%-]*".join(map(re.escape, name.split())) for name in sorted(names, key=len, reverse=True)]
    return re.compile(rf"\b(?:{'|'.join(parts)})\b", re.IGNORECASE) if parts else None


# The shortest word that may be a name by itself, and words in names that are none.
SHORTEST_NAME = 2
NO_NAMES = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "de", "da", "di", "du", "la", "le", "van", "von", "der", "den", "the", "and"}
)
# Names that are words as well: in small letters they are taken for the word.
WORDS_TOO = frozenset({
    "art", "bill", "black", "brown", "chase", "day", "dean", "drew", "faith", "frank", "grace", "grant", "green", "hope", "ivy",
    "jack", "joy", "june", "king", "lance", "long", "mark", "max", "may", "miles", "neil", "nick", "pat", "penny",
    "pierce", "price", "ray", "rice", "rich", "rob", "rose", "sky", "small", "stone", "sue", "summer", "wade", "ward",
    "white", "will", "young",
})  # fmt: skip


def _single(words: Iterable[str]) -> re.Pattern[str] | None:
    names = {word.strip(".,;:()'\"") for word in words}
    names = {name for name in names if len(name) >= SHORTEST_NAME and name.casefold() not in NO_NAMES and "@" not in name}
    if not names:
        return None
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return re.compile("|".join(rf"\b{_written(name)}\b" for name in longest_first))


def _written(name: str) -> str:
    """A name in any case, or as names are written."""
    if name.casefold() not in WORDS_TOO and len(name) > SHORTEST_NAME:
        return f"(?i:{re.escape(name)})"
    return f"(?:{'|'.join(map(re.escape, sorted({name[:1].upper() + name[1:], name.upper()})))})"


def in_json(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text in it changed, the names of properties too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(str(key)): in_json(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [in_json(item, change) for item in value]
    return value


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value, the names of properties too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)
