"""What the features mean, written down as plainly as can be: one example at a time, for the columnar code to be held against."""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from ml.features.activity import WINDOW_DAYS
from ml.features.engagement import COUNTERS, GROWTH_DAYS, TOLD
from ml.features.momentum import AMOUNT, FEWEST_STAYS, STAGE
from tests.facts import (
    CALLS,
    EMAILS,
    HEARD,
    KINDS,
    MOODS,
    MOST_NOTES,
    NOTES,
    PLAIN,
    WRITTEN,
    Told,
    moment,
)


def described(entity: int, at: float, told: Iterable[Told]) -> dict[str, Any]:
    """Every feature of one contact or deal at one moment."""
    seen = [one for one in told if one.visible <= at and not one.by_us and not one.name.startswith("predicted_")]
    own = [one for one in seen if one.entity == entity]
    deal = KINDS[entity] == "deal"
    made = _momentum(own, at, told) if deal else _engagement(entity, own, at, told)
    made |= _activity(own, at)
    made["owner"] = _latest(own, "hubspot_owner_id")
    company = _target(own, "associatedcompanyid") or _linked(own, "company")
    contact = (_target(own, "person_id") or _linked(own, "contact")) if deal else entity
    made |= _deals("earlier_deals", entity, contact, seen) | _deals("company_deals", entity, company, seen)
    for name in ("size", "industry"):
        theirs = [one for one in seen if one.entity == company]
        made[f"company_{name}"] = _latest(theirs, name) or _latest(own, f"company_{name}")
    made |= {name: _latest(own, name) for name in (() if deal else ("job",))}
    return made | _notes(entity, at, seen) | _moods(entity, seen)


def _latest(told: Iterable[Told], *names: str) -> str | None:
    of = [one for one in told if one.name in names]
    return max(of, key=lambda one: one.rank).value if of else None


def _target(told: Iterable[Told], name: str) -> int | None:
    of = [one for one in told if one.name == name]
    return max(of, key=lambda one: one.rank).target if of else None


def _linked(told: Iterable[Told], kind: str) -> int | None:
    """The last one that was linked, unless that link is gone."""
    of = sorted((one for one in told if one.name.startswith(f"link:{kind}:")), key=lambda one: one.rank)
    made = [one for one in of if one.value is not None]
    return [one for one in of if one.name == made[-1].name][-1].target if made else None


def _bodies(entity: int, seen: list[Told], records: Iterable[int], words: Mapping[str, str]) -> list[Told]:
    """What these records say, the newest first, of those that belong to the entity."""
    bodies = []
    for record in records:
        own = [one for one in seen if one.entity == record]
        names = {one.name for one in own if one.name not in words}
        told = [one for one in own if words.get(one.name) == KINDS[record]]
        newest = max(told, key=lambda one: one.rank) if told else None
        if newest is not None and newest.value is not None and any(_target(own, name) == entity for name in names):
            bodies.append(newest)
    return sorted(bodies, key=lambda one: one.rank, reverse=True)


def _moods(entity: int, seen: list[Told]) -> dict[str, Any]:
    """Of the newest notes and e-mails, but for those e-mails that went out."""
    went_out = {mail for mail in EMAILS if _latest([one for one in seen if one.entity == mail], "hs_email_direction") == "EMAIL"}
    heard = _bodies(entity, seen, [one for one in (*NOTES, *CALLS, *EMAILS) if one not in went_out], HEARD)[:MOST_NOTES]
    moods = [MOODS[text] for body in heard if (text := PLAIN[body.value or ""]) in MOODS]
    return {
        "notes_sentiment": sum(moods) / len(moods) if moods else None,
        "last_note_sentiment": moods[0] if moods else None,
    }


def _notes(entity: int, at: float, seen: list[Told]) -> dict[str, Any]:
    bodies = _bodies(entity, seen, (*NOTES, *CALLS), WRITTEN)
    texts = [text for body in bodies if (text := PLAIN[body.value or ""]) is not None]
    return {
        "note_text": "\n".join(texts) or None,
        "notes_written": float(len(bodies)),
        "days_since_note": at - bodies[0].occurred if bodies else None,
    }


def _engagement(entity: int, own: list[Told], at: float, told: Iterable[Told]) -> dict[str, Any]:
    made: dict[str, Any] = {name: _latest(own, name) for name in TOLD}
    if made["channel"] is not None:
        made["channel"] = made["channel"].strip().lower()
    if made["is_first_visit"] is None and made["sessions"] is not None:
        made["is_first_visit"] = str(float(made["sessions"]) <= 1).lower()
    for days in GROWTH_DAYS:
        before = [one for one in own if one.visible <= at - days]
        for name in COUNTERS:
            now, then = made[name], _latest(before, name)
            made[f"{name}_growth_{days}d"] = None if now is None or then is None else float(now) - float(then)
    changes = sorted({one.occurred for one in own if one.name in COUNTERS and one.value is not None})
    made["engagement_recency_days"] = at - changes[-1] if changes else None
    gaps = [after - before for before, after in pairwise(changes)]
    made["engagement_cadence_days"] = sum(gaps) / len(gaps) if gaps else None
    return made


def _activity(own: list[Told], at: float) -> dict[str, Any]:
    events = {("event", one.event): one.occurred for one in own if one.event is not None}
    events |= {("history", one.occurred): one.occurred for one in own if one.origin == "backfill"}
    moments = sorted(events.values())
    made: dict[str, Any] = {}
    for days in WINDOW_DAYS:
        lately = sum(moment > at - days for moment in moments)
        earlier = sum(at - 2 * days < moment <= at - days for moment in moments)
        made[f"events_{days}d"], made[f"events_trend_{days}d"] = float(lately), (lately + 1) / (earlier + 1)
    made["days_since_first_event"] = at - moments[0] if moments else None
    made["days_since_last_event"] = at - moments[-1] if moments else None
    return made


def _deals(name: str, entity: int, identity: int | None, seen: list[Told]) -> dict[str, float | None]:
    theirs = {one.entity for one in seen if KINDS[one.entity] == "deal" and one.target == identity} - {entity}
    ended = {
        end: {one.entity for one in seen if one.name == "dealstage" and one.value == f"closed{end}"} for end in ("won", "lost")
    }
    return {f"{name}_{end}": None if identity is None else float(len(theirs & deals)) for end, deals in ended.items()}


def _norms(at: float, told: Iterable[Told]) -> dict[str | None, float]:
    """The median days of the stays of each stage that were over, and known to be over, when the month of `at` began."""
    month = moment(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    days: dict[str | None, list[float]] = {}
    known = [one for one in told if moment(one.visible) <= month and not one.by_us and one.name in STAGE and one.value is not None]
    for deal in {one.entity for one in known}:
        stages = sorted((one for one in known if one.entity == deal), key=lambda one: one.rank)
        moves = [one for before, one in zip([None, *stages], stages, strict=False) if before is None or before.value != one.value]
        for one, after in pairwise(moves):
            days.setdefault(one.value, []).append(after.occurred - one.occurred)
    return {stage: median(each) for stage, each in days.items() if len(each) >= FEWEST_STAYS}


def _momentum(own: list[Told], at: float, told: Iterable[Told]) -> dict[str, Any]:
    stages = sorted((one for one in own if one.name in STAGE and one.value is not None), key=lambda one: one.rank)
    moves = [one for before, one in zip([None, *stages], stages, strict=False) if before is None or before.value != one.value]
    amounts = [
        float(one.value or 0) for one in sorted(own, key=lambda one: one.rank) if one.name in AMOUNT and one.value is not None
    ]
    steps = [after - before for before, after in pairwise(amounts)]
    days = at - moves[-1].occurred if moves else None
    usual = _norms(at, told).get(moves[-1].value) if moves else None
    return {
        "deal_stage": moves[-1].value if moves else None,
        "days_in_stage": days,
        "stages_passed": float(len(moves) - 1) if moves else None,
        "stages_per_week": (len(moves) - 1) / (max(at - stages[0].occurred, 1) / 7) if moves else None,
        "days_in_stage_to_norm": None if days is None or not usual else days / usual,
        "deal_amount": amounts[-1] if amounts else None,
        "amount_to_first": amounts[-1] / amounts[0] if amounts and amounts[0] else None,
        "amount_raises": float(sum(step > 0 for step in steps)) if amounts else None,
        "amount_cuts": float(sum(step < 0 for step in steps)) if amounts else None,
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal, but for the last digits of a division."""

    def equal(a: Any, b: Any) -> bool:
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12) if isinstance(a, float) and isinstance(b, float) else a == b

    return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
