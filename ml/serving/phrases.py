"""TABLE: what a sales rep would say of each feature that we make. A column of the account's own is its name and its value."""

import math
from collections.abc import Callable
from typing import Any

from data.domain.company_profile import PROFILE
from ml.features.activity import WINDOW_DAYS
from ml.features.engagement import GROWTH_DAYS
from ml.features.relations import COMPANY
from ml.sentiment.scorer import mood

# A value -> words; None where it is no value of this feature.
Phrase = Callable[[Any], str | None]

LONGEST = 130
BEYOND_READING = 1e12


def phrase(feature: str, value: Any) -> str | None:
    """What is said of a feature's value; None where nothing is known, or nobody has said how.

    >>> phrase("sessions_growth_7d", 4.0), phrase("is_first_visit", False), phrase("days_since_last_event", 0.003)
    ('visited 4 times in the last 7 days', 'has been here before', 'last heard of less than a day ago')
    >>> phrase("events_trend_30d", 1.5), phrase("company_industry", "steel")
    ('1.5 times as much happened in the last 30 days as in the 30 before', 'its company: industry steel')
    """
    if value is None or value == "":
        return None
    if feature in PHRASES:
        return PHRASES[feature](value)
    if feature.startswith(COMPANY):
        return f"its company: {feature.removeprefix(COMPANY).removeprefix(PROFILE).replace('_', ' ')} {_text(value)}"[:LONGEST]
    return None


def _counted(one: str, many: str) -> Phrase:
    """`{}` in `many` is the number; `one` is said of 1, and `many` of all others."""
    return lambda value: None if (told := _number(value)) is None else one if told == "1" else many.format(told)


def _days(words: str) -> Phrase:
    """`{}` in the words is a number of days."""
    return lambda value: None if (told := _number_of_days(value)) is None else words.format(told)


def _times(words: str) -> Phrase:
    """`{}` in the words is how many times."""
    return lambda value: None if (told := _number(value)) is None else words.format(told)


def _as_told(words: str) -> Phrase:
    return lambda value: words.format(_text(value))[:LONGEST]


def _mood(words: str) -> Phrase:
    """`{}` in the words is positive, neutral or negative."""
    return lambda value: None if (known := _finite(value)) is None else words.format(mood(known))


def _first_visit(value: Any) -> str | None:
    said = {"true": True, "yes": True, "1": True, "1.0": True, "false": False, "no": False, "0": False, "0.0": False}
    known = said.get(str(value).strip().lower())
    return None if known is None else "on its first visit" if known else "has been here before"


PHRASES: dict[str, Phrase] = {
    "sessions": _counted("1 visit so far", "{} visits so far"),
    "engaged_sessions": _counted("1 visit that lasted", "{} visits that lasted"),
    "page_views": _counted("1 page seen", "{} pages seen"),
    "channel": _as_told("came by {}"),
    "is_first_visit": _first_visit,
    **{
        f"{counter}_growth_{days}d": _counted(f"{one} in the last {days} days", f"{many} in the last {days} days")
        for days in GROWTH_DAYS
        for counter, one, many in (
            ("sessions", "visited once", "visited {} times"),
            ("engaged_sessions", "one visit that lasted", "{} visits that lasted"),
            ("page_views", "1 page seen", "{} pages seen"),
        )
    },
    "engagement_recency_days": _days("last on the web site {} ago"),
    "engagement_cadence_days": _days("comes every {}"),
    "events_1d": _counted("1 thing happened in the last day", "{} things happened in the last day"),
    **{
        f"events_{days}d": _counted(f"1 thing happened in the last {days} days", f"{{}} things happened in the last {days} days")
        for days in WINDOW_DAYS[1:]
    },
    "events_trend_1d": _times("{} times as much happened in the last day as in the one before"),
    **{
        f"events_trend_{days}d": _times(f"{{}} times as much happened in the last {days} days as in the {days} before")
        for days in WINDOW_DAYS[1:]
    },
    "days_since_first_event": _days("first heard of {} ago"),
    "days_since_last_event": _days("last heard of {} ago"),
    "deal_stage": _as_told("stage {}"),
    "days_in_stage": _days("{} in its stage"),
    "stages_passed": _counted("1 stage passed", "{} stages passed"),
    "stages_per_week": _counted("1 stage a week", "{} stages a week"),
    "days_in_stage_to_norm": _times("{} times the usual time in its stage"),
    "deal_amount": _as_told("worth {}"),
    "amount_to_first": _times("worth {} times what it was at first"),
    "amount_raises": _counted("the amount went up once", "the amount went up {} times"),
    "amount_cuts": _counted("the amount went down once", "the amount went down {} times"),
    "owner": _as_told("owned by {}"),
    "earlier_deals_won": _counted("1 earlier deal won", "{} earlier deals won"),
    "earlier_deals_lost": _counted("1 earlier deal lost", "{} earlier deals lost"),
    "note_text": _as_told("its notes say: {}"),
    "notes_written": _counted("1 note written", "{} notes written"),
    "days_since_note": _days("last note {} ago"),
    "notes_sentiment": _mood("its notes and e-mails sound {}"),
    "last_note_sentiment": _mood("the last note or e-mail sounds {}"),
    "company_deals_won": _counted("1 deal of its company won", "{} deals of its company won"),
    "company_deals_lost": _counted("1 deal of its company lost", "{} deals of its company lost"),
}


def _number(value: Any) -> str | None:
    """With two digits that count, whole numbers in full."""
    known = _finite(value)
    if known is None:
        return None
    if abs(known) >= BEYOND_READING:
        return f"{known:.2g}"
    return f"{known:,.0f}" if known == int(known) or abs(known) >= 100 else f"{known:.2g}"


def _number_of_days(value: Any) -> str | None:
    known = _finite(value)
    if known is None:
        return None
    whole = round(known)
    return (
        "less than a day"
        if known < 1
        else f"{known:.2g} days"
        if known >= BEYOND_READING
        else "a day"
        if whole == 1
        else f"{whole:,} days"
    )


def _finite(value: Any) -> float | None:
    try:
        known = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return known if math.isfinite(known) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    known = _finite(value)
    return str(value).replace("_", " ")[:60] if known is None else f"{known:,.10g}"
