"""A person's items are cut out of the payloads that they came in. What else is in a payload parses as before."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlmodel import Session

from automation.erasure.items import Change, Rewritten, has_id, ids_of, is_about, may_be_about, names_record, redacted, rewritten
from automation.pipeline.context import Loop
from automation.sources import ours
from automation.sources.base import ERASED, load_json
from data.domain.entity import EntityRef
from data.domain.event import Event
from data.domain.person import Person
from data.domain.redaction import Redaction, names_for
from data.errors import Rejected
from data.warehouse import dead_letters, erasures, events, payloads, persons
from data.warehouse.cascade import chunks
from data.warehouse.payloads import Payload, PayloadState


def cut(loop: Loop, erasure_id: int, person: Person, redaction: Redaction, seen: Iterable[int]) -> None:
    """Rewrites every payload that has something of theirs, a few in a transaction, with the dead letters of what went.

    `seen`: payloads that an address of theirs was seen in. No entity is locked meanwhile: whoever parses a payload locks it
    first, and its entities after that.
    """
    with loop.database.read() as session:
        linked = frozenset(persons.refs_of(session, person.linked).values())
        candidates = _candidates(session, person) | set(seen)
    for some in chunks(candidates):
        with loop.database.write() as session:
            counts: Counter[str] = Counter()
            for payload in payloads.locked(session, some):
                counts += _cut(session, payload, redaction, linked)
            erasures.count(session, erasure_id, "payloads", counts)
    with loop.database.write() as session:
        letters = [letter for letter in dead_letters.without_payload(session) if _names_them(letter.content, redaction)]
        for letter in letters:
            session.delete(letter)
        erasures.count(session, erasure_id, "payloads", {"dead_letters_removed": len(letters)})


def without(source: str, body: bytes, redaction: Redaction, linked: Iterable[EntityRef] = ()) -> Rewritten:
    """A payload's bytes without them."""
    ids = ids_of(source, redaction.refs)
    mentions = redaction.mentions
    return rewritten(
        source, body, _changing(source, redaction, frozenset(linked)), mentions.are_in,
        lambda text: mentions.are_in(text) or has_id(text, ids),
    )  # fmt: skip


def _candidates(session: Session, person: Person) -> set[int]:
    """Where something may be: by the events, by their ids, and by what was set aside."""
    sources = {ref.source for ref in person.refs}
    theirs = {ref.id for ref in person.refs}
    found = events.payload_ids(session, persons.ids_of(session, person.refs) | set(person.linked))
    return found | payloads.naming(session, {*sources, ours.NAME}, theirs) | dead_letters.payload_ids(session, sources)


def _cut(session: Session, payload: Payload, redaction: Redaction, linked: frozenset[EntityRef]) -> Counter[str]:
    assert payload.id is not None
    new = without(payload.source, payload.body, redaction, linked)
    if new.body == payload.body:
        return Counter()
    payload.body = new.body
    if new.blank:
        payload.state = PayloadState.PARSED  # there is nothing to parse any more
    session.add(payload)
    session.flush()
    letters = dead_letters.remove(session, payload.id, None if new.blank else new.cut)
    return Counter(rewritten=1, items_cut=len(new.cut), emptied=int(new.blank), dead_letters_removed=letters)


def _names_them(content: bytes, redaction: Redaction) -> bool:
    try:
        return names_record(load_json(content), redaction.refs)
    except (Rejected, RecursionError):
        return False  # an address in it is found by the sweep


def _changing(source: str, redaction: Redaction, linked: frozenset[EntityRef]) -> Change:
    def change(event: Event | None, item: Any) -> Any:
        if item == ERASED:
            return item
        if event is None:
            return ERASED if may_be_about(source, item, redaction) else item
        if is_about(event, redaction.refs):
            return ERASED
        return redacted(source, item, event, redaction, names_for(event.entity, linked=event.entity in linked))

    return change
