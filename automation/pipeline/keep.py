"""Stores what enrichments have found, under the rows of those whom it is about: in the loop, and when one was tried again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session

from automation import memory
from automation.memory import LookedUp
from automation.pipeline import review
from automation.settling import says_an_end, settle
from data.domain.entity import EntityKind, EntityRef
from data.warehouse import deletions, entities, property_names

Group = tuple[str, EntityKind]  # source, kind


def ids_of(session: Session, look_ups: Iterable[LookedUp], now: datetime) -> dict[EntityRef, int]:
    """The rows of those whom look-ups are about, and of all whom they name; made where there are none."""
    found = list(look_ups)
    named = memory.targets_of((each.entity, each.values) for each in found if each.of_record)
    return entities.ensure(session, {each.entity for each in found} | named, now)


def turned_meanwhile(session: Session, look_ups: Sequence[LookedUp], ids: Mapping[EntityRef, int]) -> list[LookedUp]:
    """Those that are outdated: since they were asked for, their records went, came back or took others in.

    The caller holds the rows of those whom they are about.
    """
    asked_at: dict[int, datetime] = {}
    for each in look_ups:
        if each.of_record:
            asked_at[ids[each.entity]] = min(each.at, asked_at.get(ids[each.entity], each.at))
    turned = deletions.turned_since(session, asked_at) if asked_at else set()
    return [each for each in look_ups if each.of_record and ids[each.entity] in turned]


def keep(session: Session, look_ups: Iterable[LookedUp], ids: Mapping[EntityRef, int], now: datetime) -> frozenset[EntityRef]:
    """Stores look-ups; returns the entities of which they told something new.

    The caller holds the rows of those whom they are about, and took `now` after that.
    """
    found = list({(each.entity, each.of_record): each for each in look_ups}.values())
    learned = memory.remember_look_ups(session, found, ids, now)
    if learned.joined:  # the others see from now on what is known of these; the worker takes the reviews from here
        looked_at = {ids[each.entity] for each in found}
        review.of_the_same(session, learned.joined, looked_at, f"the same since {now.isoformat()}", now)
    read = [each for each in found if each.of_record]
    ended = [each.entity for each in read if each.entity in learned.told_of and says_an_end(each.entity.kind, each.values)]
    settle(session, {ids[ref]: ref.kind for ref in ended}, now)
    rows = entities.by_ids(session, [ids[each.entity] for each in read])
    for each in read:
        row = rows[ids[each.entity]]
        row.looked_up_at = max(row.looked_up_at or each.at, each.at)
        session.add(row)
    session.flush()
    return learned.told_of


def keep_names(session: Session, names: Mapping[Group, Mapping[str, str]], now: datetime) -> set[Group]:
    """Stores what an account calls its custom fields; returns the sources and kinds of which any is new."""
    return {group for group, these in names.items() if property_names.add(session, *group, these, now)}
