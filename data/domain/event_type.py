"""TABLE of what may happen to which kind of entity, and what an event of it carries. `docs/events.md` is made of it."""

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from data.domain.entity import EntityKind


class Verb(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    ERASED = "erased"
    MERGED = "merged"
    RESTORED = "restored"
    ASSOCIATED = "associated"
    DISSOCIATED = "dissociated"
    REVIEWED = "reviewed"


GONE = frozenset({Verb.DELETED, Verb.ERASED})
# What only happens to what is there. Of a restored record Pipedrive tells that it has changed.
THERE = frozenset({Verb.CREATED, Verb.RESTORED, Verb.CHANGED})


class Carries(StrEnum):
    """Whether an event has properties."""

    NEEDED = "needed"
    ALLOWED = "allowed"
    NONE = "none"


@dataclass(frozen=True)
class Shape:
    """What an event of a verb carries. `targets`: the fewest and the most other entities that it names."""

    means: str
    properties: Carries
    targets: tuple[int, int]
    names: str = ""


MOST_MERGED = 250  # HubSpot merges no more into one record

SHAPES: dict[Verb, Shape] = {
    Verb.CREATED: Shape("It is new.", Carries.ALLOWED, (0, 0)),
    Verb.CHANGED: Shape("Some of its properties have new values.", Carries.NEEDED, (0, 0)),
    Verb.DELETED: Shape("It was moved to the recycle bin, or removed.", Carries.NONE, (0, 0)),
    Verb.ERASED: Shape("It was deleted for good, as the person asked.", Carries.NONE, (0, 0)),
    Verb.MERGED: Shape("Others went into this one.", Carries.ALLOWED, (1, MOST_MERGED), "those that went into it"),
    Verb.RESTORED: Shape("It is back from the recycle bin.", Carries.ALLOWED, (0, 0)),
    Verb.ASSOCIATED: Shape("It belongs to another one from now on.", Carries.ALLOWED, (1, 1), "the other one"),
    Verb.DISSOCIATED: Shape("It no longer belongs to another one.", Carries.ALLOWED, (1, 1), "the other one"),
    Verb.REVIEWED: Shape("Nothing happened to it: its models are asked anew.", Carries.NONE, (0, 0)),
}

_BASIC = (Verb.CREATED, Verb.CHANGED, Verb.DELETED)
_LINKED = (*_BASIC, Verb.RESTORED, Verb.ASSOCIATED, Verb.DISSOCIATED)
_ALL = (*_LINKED, Verb.MERGED)

VERBS: dict[EntityKind, tuple[Verb, ...]] = {
    EntityKind.CONTACT: (*_ALL, Verb.ERASED, Verb.REVIEWED),
    EntityKind.COMPANY: (*_ALL, Verb.REVIEWED),
    EntityKind.DEAL: (*_ALL, Verb.REVIEWED),
    EntityKind.LEAD: (*_ALL, Verb.REVIEWED),
    EntityKind.TICKET: _ALL,
    EntityKind.PRODUCT: (*_BASIC, Verb.RESTORED, Verb.MERGED),
    EntityKind.NOTE: _LINKED,
    EntityKind.CALL: _LINKED,
    EntityKind.MEETING: _LINKED,
    EntityKind.EMAIL: _LINKED,
    EntityKind.TASK: _LINKED,
    EntityKind.ACTIVITY: _BASIC,
    EntityKind.USER: _BASIC,
    EntityKind.PIPELINE: _BASIC,
    EntityKind.STAGE: _BASIC,
    EntityKind.OTHER: _ALL,
}

TYPES: tuple[str, ...] = tuple(f"{kind}.{verb}" for kind, verbs in VERBS.items() for verb in verbs)


def type_of(kind: EntityKind, verb: Verb) -> str:
    """
    >>> type_of(EntityKind.DEAL, Verb.CHANGED)
    'deal.changed'
    """
    return f"{kind}.{verb}"


def parts_of(name: str) -> tuple[EntityKind, Verb]:
    """The kind and the verb of an event type that is one."""
    kind, _, verb = name.partition(".")
    return EntityKind(kind), Verb(verb)


def _known(name: str) -> str:
    if name in TYPES:
        return name
    close = difflib.get_close_matches(name[:80], TYPES, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"{name[:80]!r} is no event type; {meant}docs/events.md has all of them")


EventType = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(TYPES)})]
