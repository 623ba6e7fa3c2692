"""What had happened to the same one before: how often in the last 7, 30 and 90 days, type by type, and when first and last."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from automation.enrichments.background import Background
from data.domain.event_type import Verb, parts_of
from data.warehouse import events, identities
from data.warehouse.events import EventRow, Happened

WINDOW_DAYS = (7, 30, 90)


def same_ones(session: Session, entity_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """Entity -> all entities that are the same person or company as it, itself among them."""
    ids = set(entity_ids)
    same = identities.same_as(session, ids)
    return {number: frozenset({number, *same.get(number, ())}) for number in ids}


def derive(background: Background) -> dict[int, Any]:
    """`last_7_days`, ...: event type -> how often; `first_at`, `last_at`. Events without an earlier one are not there."""
    found: dict[int, Any] = {}
    moments = {case.as_of for case in background.cases if case.as_of is not None}
    for moment in moments:
        cases = [case for case in background.cases if case.as_of == moment]
        rows = {case.event_id: case.event for case in cases}
        since = tuple(moment - timedelta(days=days) for days in WINDOW_DAYS)
        with background.loop.database.read() as session:
            same = same_ones(session, {case.event.entity_id for case in cases})
            told = events.happened(session, {number for ids in same.values() for number in ids}, moment, since, but=rows)
        for case in cases:
            ids = same[case.event.entity_id]
            beside = [_alone(row, since) for number, row in rows.items() if number != case.event_id and _counts(row, ids)]
            if theirs := [*(one for one in told if one.entity_id in ids), *beside]:
                found[case.event_id] = _summed(theirs)
    return found


def _counts(row: EventRow, ids: Iterable[int]) -> bool:
    """Whether an event of the same batch is one of theirs."""
    return row.entity_id in ids and not row.by_us and parts_of(row.type)[1] is not Verb.REVIEWED


def _alone(row: EventRow, since: Sequence[datetime]) -> Happened:
    counts = tuple(int(row.occurred_at > moment) for moment in since)
    return Happened(row.entity_id, row.type, counts, row.occurred_at, row.occurred_at)


def _summed(told: Sequence[Happened]) -> Mapping[str, Any]:
    windows: dict[str, Counter[str]] = defaultdict(Counter)
    for one in told:
        for days, count in zip(WINDOW_DAYS, one.counts, strict=True):
            if count:
                windows[f"last_{days}_days"][one.type] += count
    return {
        "first_at": min(one.first_at for one in told).isoformat(timespec="seconds"),
        "last_at": max(one.last_at for one in told).isoformat(timespec="seconds"),
        **{f"last_{days}_days": dict(sorted(windows[f"last_{days}_days"].items())) for days in WINDOW_DAYS},
    }
