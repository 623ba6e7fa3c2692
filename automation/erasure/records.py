"""A CRM, or a file that was taken out of one, may still have somebody who was erased: what it gives out of them is not stored."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlmodel import Session

from automation.erasure.judge import Judge, judge
from automation.memory import LookedUp, targets_of
from data.domain.entity import EntityRef
from data.domain.mention import texts_in
from data.domain.past import Change, PastRecord
from data.domain.relation import target_of
from data.log import get_logger
from data.warehouse import erasures
from data.warehouse.erasures import Origin

log = get_logger("privacy")


def looked_up_without_erased(session: Session, found: Sequence[LookedUp], now: datetime) -> Callable[[LookedUp], LookedUp | None]:
    """What may be stored of each look-up; None where it is of somebody who was erased.

    That one has a row here by now, for nothing told who it was before the look-up: it is erased once more.
    """
    refs = {each.entity for each in found} | targets_of((each.entity, each.values) for each in found)
    made = judge(session, refs, (text for each in found for text in texts_in(dict(each.values))))
    gone = [each.entity for each in found if made and made.is_gone(each.entity, [each.values], each.at, each.created_at)]
    made.settle(session)
    for entity in gone:
        erasures.ask(session, entity, Origin.LOOKUP, now)
        log.info("privacy.lookup.refused", source=entity.source, kind=entity.kind)
    return lambda each: None if each.entity in gone else _looked_up(made, each)


def past_without_erased(session: Session, records: Sequence[PastRecord]) -> list[PastRecord]:
    """The records that may be stored, without what names anybody who was erased."""
    refs = {ref for record in records for ref in (record.ref, *_named(record))}
    made = judge(session, refs, (change.value for record in records for change in record.changes if change.value))
    if not made:
        return list(records)
    kept = [record for record in records if not _is_gone(made, record)]
    made.settle(session)
    return [_past(made, record) for record in kept]


def _looked_up(made: Judge, each: LookedUp) -> LookedUp:
    if not made:
        return each
    redaction = made.undated(but=made.own(each.entity, [each.values]))
    return replace(each, values=redaction.properties(each.entity, each.values))


def _is_gone(made: Judge, record: PastRecord) -> bool:
    if made.is_gone(record.ref, _told(record), record.created_at, record.created_at):
        return True
    return made.is_about_them(record.ref, set(_named(record)), record.created_at)


def _past(made: Judge, record: PastRecord) -> PastRecord:
    redaction = made.undated(but=made.own(record.ref, _told(record)))
    changes = (_change(change, redaction.properties(record.ref, {change.name: change.value})) for change in record.changes)
    return replace(record, changes=tuple(changes), links=tuple(ref for ref in record.links if ref not in redaction.refs))


def _change(change: Change, told: dict[str, str | None]) -> Change:
    ((name, value),) = told.items()
    return replace(change, name=name, value=value)


def _told(record: PastRecord) -> list[dict[str, str | None]]:
    return [{change.name: change.value} for change in record.changes]


def _named(record: PastRecord) -> Iterable[EntityRef]:
    """The records that a record belongs to, or names in a property."""
    targets = (target_of(record.ref, change.name, change.value) for change in record.changes)
    return (*record.links, *(target for target in targets if target is not None))
