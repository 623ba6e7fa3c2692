"""An outcome: what really happened. It is the label that the next model learns from."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from data.domain.entity import EntityKind
from data.domain.fact import Fact, Origin, text_of


class Result(StrEnum):
    WON = "won"
    LOST = "lost"


End = tuple[Result, datetime]  # how somebody ended, and when

# What a CRM calls the end of a deal: HubSpot's `dealstage` in its first pipeline, Pipedrive's `status`. The stages of HubSpot's
# other pipelines have ids of their own, and HubSpot calculates from them two properties that are the same for all pipelines.
WON_FLAG, LOST_FLAG = "hs_is_closed_won", "hs_is_closed_lost"
ENDINGS: dict[tuple[str, str], Result] = {
    ("dealstage", "closedwon"): Result.WON,
    ("dealstage", "closedlost"): Result.LOST,
    (WON_FLAG, "true"): Result.WON,
    (LOST_FLAG, "true"): Result.LOST,
    ("status", "won"): Result.WON,
    ("status", "lost"): Result.LOST,
}


class Standing(StrEnum):
    """What a stage of a pipeline says of the deals that are in it."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


def flags_of(standing: Standing) -> dict[str, str]:
    """What HubSpot calculates of a deal in such a stage; where its webhooks do not tell it, we know it from the stage.

    >>> flags_of(Standing.LOST)
    {'hs_is_closed_won': 'false', 'hs_is_closed_lost': 'true'}
    """
    return {WON_FLAG: text_of(standing is Standing.WON) or "", LOST_FLAG: text_of(standing is Standing.LOST) or ""}


# HubSpot says of a contact itself that it became a customer, or never will: its deals need not name it.
CONTACT_ENDINGS: dict[tuple[str, str], Result] = {
    ("lifecyclestage", "customer"): Result.WON,
    ("hs_lead_status", "unqualified"): Result.LOST,
}

ENDINGS_OF: dict[EntityKind, dict[tuple[str, str], Result]] = {EntityKind.DEAL: ENDINGS, EntityKind.CONTACT: CONTACT_ENDINGS}
# The properties that say of each kind how it ended.
NAMES_OF: dict[EntityKind, frozenset[str]] = {kind: frozenset(name for name, _ in ends) for kind, ends in ENDINGS_OF.items()}


def result_of(kind: EntityKind, name: str, value: object) -> Result | None:
    """What a property's value says of how a deal or a contact ended, if it does."""
    return ENDINGS_OF.get(kind, {}).get((name, str(value).lower()))


def ends_of(kind: EntityKind, told: Iterable[Fact]) -> list[End]:
    """How an entity ended, each time that it did, by all that was ever told of it.

    One that is opened again may end again; what repeats, in whichever property, is the same end. What the first look-up of a
    property finds ended long ago, nobody knows when, unless the webhook of that very change is still on its way.
    """
    return _followed(kind, told)[0]


def end_of(kind: EntityKind, told: Iterable[Fact]) -> End | None:
    """How an entity has ended by now, and when; None where it is open, by all that was ever told of it."""
    found, now = _followed(kind, told)
    so = [end for end in found if end[0] is now]
    return (so or found)[-1] if found and now is not None else None


# The webhook of a change may come after the record was read: then the read has found what it tells. Where its sender's clock is
# ahead it counts as of when it came.
ON_ITS_WAY = timedelta(minutes=10)
READ = frozenset({Origin.LOOKUP, Origin.FOUND})


@dataclass(frozen=True)
class _Read:
    """An end that was found by asking."""

    name: str
    result: Result
    at: datetime


def _followed(kind: EntityKind, told: Iterable[Fact]) -> tuple[list[End], Result | None]:
    """Each of its ends, and how it stands after all that was told."""
    found: list[End] = []
    standing: dict[str, Result] = {}  # property -> what it says now, the last one last
    seen: set[str] = set()
    read: list[_Read] = []  # of which no webhook has told yet
    now: Result | None = None
    for fact in sorted(told, key=lambda one: one.rank):
        result = result_of(kind, fact.name, fact.value)
        found_so = fact.origin is Origin.LOOKUP and fact.name not in seen
        seen.add(fact.name)
        standing.pop(fact.name, None)
        if result is not None:
            standing[fact.name] = result
            if (before := _read_before(read, fact, result)) is not None:  # the end that was read is this one
                found = [end for end in found if end != (result, before.at)]
                read = [each for each in read if each.at != before.at]
            is_news = result is not now or before is not None
            if is_news and not found_so:
                found.append((result, fact.occurred_at))
            if fact.origin in READ and (is_news or any(each.at == fact.occurred_at for each in read)):
                read.append(_Read(fact.name, result, fact.occurred_at))
        if result is not None or now not in standing.values():
            now = next(reversed(standing.values()), None)
    return found, now


def _read_before(read: Iterable[_Read], fact: Fact, result: Result) -> _Read | None:
    """What an event tells and was read while the event was on its way: the first such read, for events come in their order."""
    if fact.origin is not Origin.EVENT:
        return None
    same = (each for each in read if (each.name, each.result) == (fact.name, result))
    return next((each for each in same if fact.occurred_at - each.at < ON_ITS_WAY), None)
