"""Facts for tests: made by hand or by Hypothesis, and what they mean, written down as plainly as can be.

`described` is the definition of the features, one example at a time, for the columnar code to be held against.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import strategies as st

from data.domain.fact import NAMELESS
from data.warehouse.fact_frames import SCHEMA
from ml.features.activity import WINDOW_DAYS
from ml.features.engagement import COUNTERS, GROWTH_DAYS, TOLD
from ml.features.facts import EXAMPLES
from ml.features.momentum import AMOUNT, STAGE, Norms
from tests.support import NOON

CONTACTS, COMPANIES, DEALS = (1, 2), (11, 12), (21, 22)
KINDS = dict.fromkeys(CONTACTS, "contact") | dict.fromkeys(COMPANIES, "company") | dict.fromkeys(DEALS, "deal")
DAYS = 120
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Told:
    """One row of a frame of facts, by days since NOON; `known` is not before `occurred` unless the vendor's clock was ahead."""

    entity: int
    name: str
    value: str | None
    occurred: float
    known: float
    id: int = 0
    event: int | None = None
    target: int | None = None
    by_us: bool = False
    origin: str = "event"

    @property
    def visible(self) -> float:
        return max(self.occurred, self.known)

    @property
    def rank(self) -> tuple[float, float, int]:
        return self.occurred, self.known, self.id


def frame(told: Iterable[Told]) -> pl.DataFrame:
    rows = []
    for one in told:
        row = asdict(one) | {"source": "hubspot", "kind": KINDS[one.entity]}
        rows.append(row | {"occurred_at": moment(one.occurred), "known_at": moment(one.known)})
    return pl.DataFrame(rows, schema=SCHEMA)


def examples(asked: Iterable[tuple[int, float]]) -> pl.DataFrame:
    return pl.DataFrame([(entity, moment(day)) for entity, day in asked], schema=EXAMPLES, orient="row")


def moment(day: float) -> datetime:
    return NOON + day * DAY


@st.composite
def stories(draw: st.DrawFn, *, most: int = 40) -> list[Told]:
    """Facts of two contacts, two companies and two deals, in any order, late ones and our own among them.

    At most enough of them for stages to come out of order, and for two deals of one company to end.
    """
    told: list[Told] = []
    for number in range(1, draw(st.sampled_from([0, 1, 5, most])) + 1):
        entity = draw(st.sampled_from([*CONTACTS, *CONTACTS, *COMPANIES, *DEALS, *DEALS, DEALS[0]]))
        name, value, target = draw(_properties(KINDS[entity]))
        occurred = 4 * draw(st.integers(0, DAYS // 4))  # so that some fall together
        delay = draw(st.sampled_from([0, 0, 0, 1, 8, 40]))
        origin = draw(st.sampled_from(["event", "event", "event", "lookup", "backfill"]))
        event = number if origin == "event" else None
        if event is not None and told and draw(st.booleans()) and _may_share(told[-1], entity, name):
            event, occurred, delay = told[-1].event, int(told[-1].occurred), int(told[-1].known - told[-1].occurred)
        by_us = draw(st.integers(0, 9)) == 0
        told.append(Told(entity, name, value, occurred, occurred + delay, number, event, target, by_us, origin))
    return draw(st.permutations(told))


@st.composite
def _properties(draw: st.DrawFn, kind: str) -> tuple[str, str | None, int | None]:
    number = st.integers(0, 5).map(str)
    of = {
        "contact": [
            *COUNTERS,
            "channel",
            "job",
            "associatedcompanyid",
            "hubspot_owner_id",
            "predicted_score",
            "company_size",
            NAMELESS,
        ],
        "company": ["size", "industry"],
        "deal": ["dealstage", "stage", "amount", "associatedcompanyid", "person_id", "predicted_score"],
    }
    name = draw(st.sampled_from(of[kind]))
    if name == NAMELESS:
        return name, None, None
    if name == "associatedcompanyid":
        company = draw(st.sampled_from(COMPANIES))
        return name, str(company), company
    if name == "person_id":
        contact = draw(st.sampled_from(CONTACTS))
        return name, str(contact), contact
    if name in {"dealstage", "stage"}:
        return name, draw(st.sampled_from(["new", "demo", "closedwon", "closedlost"])), None
    words = st.sampled_from(["EMAIL", " referral ", "x"])
    return name, draw(st.none() | (words if name in {"channel", "job", "industry"} else number)), None


def _may_share(before: Told, entity: int, name: str) -> bool:
    return before.event is not None and before.entity == entity and before.name != name


def described(entity: int, at: float, told: Iterable[Told], norms: Norms | None = None) -> dict[str, Any]:
    """Every feature of one contact or deal at one moment."""
    seen = [one for one in told if one.visible <= at and not one.by_us and not one.name.startswith("predicted_")]
    own = [one for one in seen if one.entity == entity]
    deal = KINDS[entity] == "deal"
    made = _momentum(own, at, norms or Norms()) if deal else _engagement(entity, own, at, told)
    made |= _activity(own, at)
    made["owner"] = _latest(own, "hubspot_owner_id")
    company, contact = _target(own, "associatedcompanyid"), _target(own, "person_id") if deal else entity
    made |= _deals("earlier_deals", entity, contact, seen) | _deals("company_deals", entity, company, seen)
    for name in ("size", "industry"):
        theirs = [one for one in seen if one.entity == company]
        made[f"company_{name}"] = _latest(theirs, name) or _latest(own, f"company_{name}")
    made |= {name: _latest(own, name) for name in (() if deal else ("job",))}
    return made


def _latest(told: Iterable[Told], *names: str) -> str | None:
    of = [one for one in told if one.name in names]
    return max(of, key=lambda one: one.rank).value if of else None


def _target(told: Iterable[Told], name: str) -> int | None:
    of = [one for one in told if one.name == name]
    return max(of, key=lambda one: one.rank).target if of else None


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


def _momentum(own: list[Told], at: float, norms: Norms) -> dict[str, Any]:
    stages = sorted((one for one in own if one.name in STAGE and one.value is not None), key=lambda one: one.rank)
    moves = [one for before, one in zip([None, *stages], stages, strict=False) if before is None or before.value != one.value]
    amounts = [
        float(one.value or 0) for one in sorted(own, key=lambda one: one.rank) if one.name in AMOUNT and one.value is not None
    ]
    steps = [after - before for before, after in pairwise(amounts)]
    days = at - moves[-1].occurred if moves else None
    usual = norms.stage_days.get(moves[-1].value or "") if moves else None
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
