"""Brings outcomes to what facts say: whenever something is told of how somebody ended, and when a replay reads it otherwise."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain

from sqlmodel import Session

from data.domain.entity import EntityKind
from data.domain.outcome import ENDINGS_OF, NAMES_OF, End, end_of, ends_of
from data.warehouse import entities, facts, outcomes

NAMES = frozenset(chain.from_iterable(NAMES_OF.values()))


def says_an_end(kind: EntityKind, names: Iterable[str]) -> bool:
    """Whether any of these properties of an entity of this kind may say how it ended, or that it goes on."""
    return not NAMES_OF.get(kind, frozenset()).isdisjoint(names)


def settle(session: Session, kinds: Mapping[int, EntityKind], now: datetime) -> None:
    """Makes the outcomes of entities (row id -> kind) those that their facts say. The caller holds the rows of the entities.

    Where the last of them does not stand any more, or one is gone, whoever was told of it is to be told so.
    """
    may_end = {number: kind for number, kind in kinds.items() if kind in ENDINGS_OF}
    if not may_end:
        return
    told = facts.of_entities(session, may_end, NAMES)
    ends = {number: ends_of(kind, told[number]) for number, kind in may_end.items()}
    taken_back = outcomes.replace(session, {number: [(end.value, at) for end, at in each] for number, each in ends.items()}, now)
    passed = {number for number, kind in may_end.items() if ends[number] and end_of(kind, told[number]) != ends[number][-1]}
    entities.revise_end(session, taken_back | passed)


def standing(session: Session, entity_ids: Iterable[int]) -> set[End]:
    """How these have ended, as far as they are not open now."""
    kinds = {number: EntityKind(row.kind) for number, row in entities.by_ids(session, entity_ids).items()}
    told = facts.of_entities(session, kinds, NAMES)
    ends = (end_of(kind, told[number]) for number, kind in kinds.items())
    return {end for end in ends if end is not None}
