"""Nobody who was erased comes back: what is told of them late is taken out before it is stored (`judge`)."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sqlmodel import Session

from automation.erasure.items import (
    created_at_of,
    has_id,
    ids_in,
    ids_of,
    is_about,
    may_be_about,
    named_by,
    properties_in,
    redacted,
    rewritten,
    sources_in,
    text_of,
)
from automation.erasure.judge import Judge, judge
from automation.sources.base import ERASED, Parsed
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Event
from data.domain.redaction import Names
from data.warehouse.payloads import Payload

# Of a payload that can't be read, what may be an id; and how many are looked up at most.
WORD = re.compile(r"[\w.@+-]{1,128}")
MOST_WORDS = 5_000


def without_erased(session: Session, payload: Payload, parsed: Parsed, parse: Callable[[], Parsed]) -> tuple[Parsed, int]:
    """What is left of a payload, and how many items were about somebody who was erased. They are cut out of its bytes too.

    The caller holds the payload's row, and stores in this transaction what is left. `parse` reads the payload again.
    """
    made = judge(session, _refs(payload.source, parsed), [text_of(payload.body)])
    if not made:
        return parsed, 0
    new = rewritten(
        payload.source,
        payload.body,
        partial(_left_of, made, payload.source),
        lambda _: False,
        partial(_is_in, made, payload.source),
    )
    made.settle(session)
    if new.body == payload.body:
        return parsed, 0
    payload.body = new.body
    session.add(payload)
    return (Parsed(), 1) if new.blank else (parse(), len(new.cut))


def _left_of(made: Judge, source: str, event: Event | None, item: Any) -> Any:
    """An item as it may be stored."""
    if item == ERASED:
        return item
    if event is None:
        return ERASED if may_be_about(source, item, made.undated()) else item
    if made.is_gone(event.entity, properties_in(source, item), event.occurred_at, created_at_of(source, event, item)):
        return ERASED
    redaction = made.of(event.occurred_at)
    others = redaction.refs - {event.entity}
    if is_about(event, others) or made.is_about_them(event.entity, named_by(event), event.occurred_at):
        return ERASED
    return redacted(source, item, event, redaction, Names.NONE)


def _is_in(made: Judge, source: str, text: str) -> bool:
    redaction = made.undated()
    return redaction.mentions.are_in(text) or has_id(text, ids_of(source, redaction.refs))


def _refs(source: str, parsed: Parsed) -> Iterator[EntityRef]:
    """Every record that a payload may be about."""
    for _, event in parsed.events:
        yield from (event.entity, *event.targets, *named_by(event))
    for reject in parsed.rejects:
        ids = ids_in(reject.content) if reject.position is not None else set(WORD.findall(text_of(reject.content))[:MOST_WORDS])
        for number in filter(WORD.fullmatch, ids):
            yield from (EntityRef(source=name, kind=EntityKind.CONTACT, id=number) for name in sources_in(source))
