"""The items of a payload: whom each is about, and how it reads without somebody who was erased."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automation.sources import generic, ours, pipedrive
from automation.sources.base import ERASED, Parsed, as_bytes, load_json
from automation.sources.registry import SOURCES
from data.domain.entity import EntityRef
from data.domain.event import Event
from data.domain.event_type import Verb
from data.domain.mention import texts_in
from data.domain.redaction import Names, Redaction
from data.domain.relation import target_of
from data.errors import Rejected

# TABLE: where a source's items have the properties of their record; a payload of these may be one item that stands alone.
# HubSpot's items have one property, by name and value.
PLACES: dict[str, tuple[str, ...]] = {
    generic.NAME: ("properties", "previous"),
    ours.NAME: ("properties", "previous"),
    pipedrive.NAME: ("data", "previous"),
}
NAME, VALUE = "propertyName", "propertyValue"
# A shorter id is found in any text: it counts only where it stands as an id.
SHORTEST_ID = 5

Change = Callable[[Event | None, Any], Any]
"""An item, with the event that it is if it is one -> the item as it is to be; ERASED where it goes."""


@dataclass(frozen=True)
class Rewritten:
    """A payload's bytes, and the places of the items that went; `blank`: it could not be read, and went as a whole."""

    body: bytes
    cut: frozenset[int] = frozenset()
    blank: bool = False


def rewritten(source: str, body: bytes, change: Change, holds: Callable[[str], bool], unread: Callable[[str], bool]) -> Rewritten:
    """A payload with its items changed; byte for byte the same where there is nothing to change.

    Parameters:
        holds: whether a text holds what must not stay; a payload that does when its items are changed is emptied.
        unread: the same of the text of a payload that can't be read.
    """
    try:
        items, lone = _items(source, body)
        if items is None:
            return Rewritten(b"", blank=True) if unread(text_of(body)) else Rewritten(body)
        events = dict(parsed(source, body).events)
        new = [change(events.get(place), item) for place, item in enumerate(items)]
    except RecursionError:  # nested as nobody's records are
        return Rewritten(b"", blank=True) if unread(text_of(body)) else Rewritten(body)
    if new != items or holds(text_of(body)):  # the bytes may say what the items do not: a name may be in one twice
        body = as_bytes(new[0] if lone else new)
    if holds(text_of(body)):
        return Rewritten(b"", blank=True)
    return Rewritten(
        body, frozenset(place for place, (old, now) in enumerate(zip(items, new, strict=True)) if now == ERASED != old)
    )


def parsed(source: str, body: bytes) -> Parsed:
    """What the source's parser reads in it; nothing where it fails."""
    try:
        return SOURCES[source](body)
    except Exception:  # noqa: BLE001 whatever a parser fails by, the payload is one that can't be read
        return Parsed()


def items_of(source: str, body: bytes) -> Iterator[tuple[Event, Any]]:
    """The items that are events."""
    items, _ = _items(source, body)
    for place, event in parsed(source, body).events:
        if items is not None:
            yield event, items[place]


def properties_in(source: str, item: Any) -> list[Mapping[str, Any]]:
    """The properties that an item tells, as its source wrote them."""
    if source not in PLACES:
        return [{str(item[NAME]): item.get(VALUE)}] if item.get(NAME) else []
    return [item[place] for place in PLACES[source] if isinstance(item.get(place), dict)]


def created_at_of(source: str, event: Event, item: Any) -> datetime | None:
    """When the source created the record, where the item says so."""
    if event.verb is Verb.CREATED:
        return event.occurred_at
    told = item.get("data") if source == pipedrive.NAME else None
    return pipedrive.created_at(told) if isinstance(told, dict) else None


def is_about(event: Event, refs: Iterable[EntityRef]) -> bool:
    """Whether an event tells of one of these records, or only that another has to do with one."""
    gone = frozenset(refs)
    return event.entity in gone or not gone.isdisjoint(event.targets)


def named_by(event: Event) -> set[EntityRef]:
    """The records that an event's properties name."""
    told = {**event.previous, **event.properties}
    return {ref for name, value in told.items() if (ref := target_of(event.entity, name, value)) is not None}


def may_be_about(source: str, item: Any, redaction: Redaction) -> bool:
    """The same of an item that is no event: whether it has an address or an id of theirs."""
    return any(map(redaction.mentions.are_in, texts_in(item))) or not _ids(item).isdisjoint(ids_of(source, redaction.refs))


def names_record(item: Any, refs: Collection[EntityRef]) -> bool:
    """Whether one of these records is named in it as predictions name theirs: by source, kind and id."""
    if isinstance(item, list):
        return any(names_record(each, refs) for each in item)
    if not isinstance(item, dict):
        return False
    try:
        named = EntityRef.model_validate({name: item.get(name) for name in EntityRef.model_fields})
    except ValueError:
        named = None
    return named in refs or any(names_record(each, refs) for each in item.values())


def redacted(source: str, item: Any, event: Event, redaction: Redaction, names: Names) -> Any:
    """Another record's item without what tells of them."""
    new = dict(item)
    if source not in PLACES:
        if item.get(NAME) and VALUE in item:
            (new[VALUE],) = redaction.properties(event.entity, {str(item[NAME]): item[VALUE]}, names).values()
    else:
        told = {place: item[place] for place in PLACES[source] if isinstance(item.get(place), dict)}
        new |= {place: redaction.properties(event.entity, values, names) for place, values in told.items()}
    return redaction.value(new)


def sources_in(source: str) -> tuple[str, ...]:
    """Whose records a source's payloads may be about: our own, of every CRM."""
    return tuple(name for name in SOURCES if name != ours.NAME) if source == ours.NAME else (source,)


def ids_of(source: str, refs: Iterable[EntityRef]) -> set[str]:
    return {ref.id for ref in refs if ref.source in sources_in(source)}


def ids_in(content: bytes) -> set[str]:
    """What may be an id in the bytes of an item that was set aside."""
    try:
        return _ids(load_json(content))
    except Rejected:
        return set()


def text_of(body: bytes) -> str:
    return body.decode("utf-8", "replace").replace("\x00", "")


def has_id(text: str, ids: Iterable[str]) -> bool:
    """Whether bytes that can't be read have an id of theirs."""
    for number in ids:
        alone = rf"(?<!\w){re.escape(number)}(?!\w)"
        if re.search(alone if len(number) >= SHORTEST_ID else rf"id[s\"'\\]*\s*[:=]\s*[\[\"'\\]*{alone}", text, re.IGNORECASE):
            return True
    return False


def _items(source: str, body: bytes) -> tuple[list[Any] | None, bool]:
    """A payload's items, and whether it is a lone one; None where it can't be read."""
    try:
        value = load_json(body)
    except Rejected:
        return None, False
    if isinstance(value, list):
        return value, False
    return ([value], True) if isinstance(value, dict) and source in PLACES else (None, False)


def _ids(item: Any) -> set[str]:
    """The values in an item that stand where an id does."""
    found: set[str] = set()
    stack = [("", item)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, dict):
            stack += [(str(key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            stack += [(name, inner) for inner in value]
        elif isinstance(value, str | int) and name.lower().rstrip("s").endswith("id"):
            found.add(str(value))
    return found
