"""Brings outcomes to what facts say: whenever something is told of how somebody ended, and when a replay reads it otherwise."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain

from sqlmodel import Session

from data.domain.entity import EntityKind
from data.domain.outcome import ENDINGS_OF, NAMES_OF, ends_of
from data.warehouse import facts, outcomes

NAMES = frozenset(chain.from_iterable(NAMES_OF.values()))


def says_an_end(kind: EntityKind, names: Iterable[str]) -> bool:
    """Whether any of these properties of an entity of this kind may say how it ended, or that it goes on."""
    return not NAMES_OF.get(kind, frozenset()).isdisjoint(names)


def settle(session: Session, kinds: Mapping[int, EntityKind], now: datetime) -> None:
    """Makes the outcomes of entities (row id -> kind) those that their facts say. The caller holds the rows of the entities."""
    may_end = {number: kind for number, kind in kinds.items() if kind in ENDINGS_OF}
    if not may_end:
        return
    told = facts.of_entities(session, may_end, NAMES)
    ends = {number: [(result.value, at) for result, at in ends_of(kind, told[number])] for number, kind in may_end.items()}
    outcomes.replace(session, ends, now)
