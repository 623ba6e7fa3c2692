"""What is known of entities. Facts go in as their sender named them, and come out under our names."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl
from sqlmodel import Session

from automation.sources import ours
from automation.sources.properties import HOUSEKEEPING, KEYS, WORDS, our_names, person_properties
from data.domain.company_profile import is_profile_name
from data.domain.entity import EntityKind, EntityRef, Known
from data.domain.event import OUR_PREFIX, Event
from data.domain.event_type import Verb
from data.domain.fact import LONGEST_NAME, NAMELESS, Dated, Fact, Origin, confirmation, newest, news, placed, text_of, told_by
from data.domain.identity import key_of, key_of_ref
from data.domain.relation import link_name, target_of
from data.warehouse import events, fact_frames, facts, identities, property_names
from data.warehouse.entities import EntityRow
from data.warehouse.property_names import PropertyName

# What a link's fact says: that it is there, or there no more.
LINKING: dict[Verb, str | None] = {Verb.ASSOCIATED: "true", Verb.DISSOCIATED: None}
GONE = frozenset({Verb.DELETED, Verb.ERASED})


@dataclass(frozen=True)
class Heard:
    """An event that is stored, with its entity's row id."""

    event: Event
    event_id: int
    entity_id: int


@dataclass(frozen=True)
class LookedUp:
    """What was answered about one entity, true at a moment. `asked`: the names that were asked for.

    `of_record`: it is the CRM's own record, under the CRM's names; otherwise what others know, under names that no CRM has.
    `created_at`: when the CRM made the record, where it says so.
    """

    entity: EntityRef
    at: datetime
    values: Mapping[str, Any]
    asked: frozenset[str]
    of_record: bool = True
    created_at: datetime | None = None


@dataclass(frozen=True)
class Learned:
    """What look-ups have brought: the entities of which there is news, and those that are the same as another by it."""

    told_of: frozenset[EntityRef]
    joined: frozenset[int]


def targets_of(told: Iterable[tuple[EntityRef, Mapping[str, Any]]]) -> set[EntityRef]:
    """The records that properties name: they need a row before the facts that name them are stored."""
    found = (target_of(entity, name, value) for entity, properties in told for name, value in properties.items())
    return {target for target in found if target is not None}


def remember_events(
    session: Session,
    heard: Sequence[Heard],
    owners: Mapping[int, EntityRow],
    targets: Mapping[EntityRef, int],
    now: datetime,
    *,
    by_webhook: bool = True,
) -> set[int]:
    """Stores what events say, and who is the same by it: these are returned.

    The caller holds the rows of the events' entities, and took `now` after that. `by_webhook`: the sender of webhooks dated
    them. What was found by asking is dated by the records' own clock, which is not always the same.
    """
    moments = _moments(session, heard, now) if by_webhook else {one.event_id: told_by(one.event.occurred_at, now) for one in heard}
    late = {each.entity_id for each in heard if _is_late(each, owners, moments)}
    before = facts.of_entities(session, late) if late else {}
    deleted = {each.entity_id for each in heard if each.event.verb in GONE}
    gone = facts.names_of(session, deleted) if deleted else {}
    added: list[Fact] = []
    for each in sorted(heard, key=lambda one: one.event.occurred_at):  # so that of two at one moment the later is stored later
        for fact in _facts_of(each, gone.get(each.entity_id, ()), targets, moments[each.event_id], now):
            added.append(fact)
            gone.get(each.entity_id, set()).add(fact.name)
            stored = before.get(each.entity_id, [])
            if (confirmed := confirmation(stored, fact, owners[each.entity_id].looked_up_at)) is not None:
                added.append(confirmed)
                stored.append(confirmed)
    facts.add(session, added)
    return identify(session, added, {each.entity_id: each.event.entity for each in heard}, now)


def remember_look_ups(session: Session, found: Sequence[LookedUp], ids: Mapping[EntityRef, int], now: datetime) -> Learned:
    """Stores what look-ups say and was not known, as known from `now` on, and who is the same by it.

    The caller holds the rows of their entities, and took `now` after that. `ids`: of these, and of all that they name.
    """
    before = facts.of_entities(session, {ids[each.entity] for each in found}) if found else {}
    added: list[Fact] = []
    told_of = set()
    for each in found:
        number = ids[each.entity]
        told = told_texts(each.entity.source, each.values) if each.of_record else _texts(each.values)
        fresh = [
            replace(
                fact,
                known_at=now,
                by_us=fact.by_us or fact.name.startswith(OUR_PREFIX),
                target_id=_target_id(each.entity, fact.name, fact.value, ids),
            )
            for fact in news(number, before[number], told, each.asked, each.at)
        ]
        before[number] += fresh
        added += fresh
        told_of |= {each.entity for _ in fresh[:1]}
    facts.add(session, added)
    joined = identify(session, added, {ids[each.entity]: each.entity for each in found}, now)
    return Learned(frozenset(told_of), frozenset(joined))


def names_known(session: Session, rows: Iterable[EntityRow], inputs: Collection[str]) -> dict[int, frozenset[str]]:
    """The properties that anything is known of, under our names."""
    owners = {row.id: row for row in rows if row.id is not None}
    keys = {(row.source, row.kind, row.key): row.name for row in property_names.every(session)}
    found = {}
    for number, names in facts.names_of(session, owners).items():
        row = owners[number]
        ours = our_names(row.source, inputs)
        named = (keys.get((row.source, row.kind, name), name) for name in names)
        found[number] = frozenset(ours.get(name, name) for name in named)
    return found


def names_of_kind(session: Session, kind: EntityKind, inputs: Collection[str]) -> frozenset[str]:
    """The properties that anything is known of, over all entities of a kind, under our names."""
    keys = {(row.source, row.kind, row.key): row.name for row in property_names.every(session)}
    told = [(source, keys.get((source, kind.value, name), name)) for source, name in facts.names_of_kind(session, kind)]
    return frozenset(our_names(source, inputs).get(name, name) for source, name in told)


def known(session: Session, rows: Iterable[EntityRow]) -> dict[int, Known]:
    """Who each entity is, for people to read: name, e-mail address, company."""
    owners = {row.id: row for row in rows if row.id is not None}
    stored = facts.of_entities(session, owners, person_properties())
    return {number: _known(owners[number], found) for number, found in stored.items()}


@dataclass(frozen=True)
class Told:
    """Facts under the names that their senders have for them, and (entity, another that is the same, since when)."""

    facts: pl.DataFrame
    same: list[tuple[int, int, datetime]]


def recall(session: Session, entity_ids: Iterable[int], inputs: Collection[str], *, related: bool) -> pl.DataFrame:
    """All facts of a few entities and of those that are the same, under our names: the columns of `fact_frames.SCHEMA`, `own`."""
    return as_known(session, read(session, entity_ids, related=related), inputs)


def read(session: Session, entity_ids: Iterable[int], *, related: bool) -> Told:
    """The same as it was told, for who wants to see that too."""
    told = fact_frames.of_entities(session, entity_ids, related=related)
    same = identities.same_as(session, told["entity"].unique().to_list())
    pairs = [(one, other, since) for one, others in same.items() for other, since in others.items()]
    if missing := {other for _, other, _ in pairs} - set(told["entity"].unique().to_list()):
        told = pl.concat([told, fact_frames.of_entities(session, missing, related=False)])
    return Told(told, pairs)


def as_known(session: Session, told: Told, inputs: Collection[str]) -> pl.DataFrame:
    return _with_the_same(under_our_names(told.facts, property_names.every(session), inputs), told.same)


def recall_all(session: Session, inputs: Collection[str]) -> pl.DataFrame:
    """The same of all entities."""
    told = under_our_names(fact_frames.of_all(session), property_names.every(session), inputs)
    return _with_the_same(told, identities.every(session))


def under_our_names(frame: pl.DataFrame, names: Sequence[PropertyName], inputs: Collection[str]) -> pl.DataFrame:
    """Facts with the names and words that the inputs have. What has a key only, and no name yet, is left out.

    A fact under a key is of no use before the key's name is known, so it is known from then on.
    """
    for source in frame["source"].unique().drop_nulls():
        here = pl.col("source") == source
        if source in KEYS:
            frame = _named(frame, here, KEYS[source], [row for row in names if row.source == source])
        frame = frame.with_columns(pl.when(here).then(pl.col("name").replace(our_names(source, inputs))).otherwise("name"))
        for (whose, feature), words in WORDS.items():
            if whose == source and feature in inputs:
                told = here & (pl.col("name") == feature)
                frame = frame.with_columns(pl.when(told).then(pl.col("value").replace(words)).otherwise("value").alias("value"))
    return frame


def _with_the_same(frame: pl.DataFrame, pairs: Sequence[tuple[int, int, datetime]]) -> pl.DataFrame:
    """With `own`: false for what was told of another record of the same person or company, which is known of this one too from
    the moment on at which they were known to be the same.
    """
    owned = frame.with_columns(own=pl.lit(value=True))
    if not pairs:
        return owned
    same = pl.DataFrame(pairs, schema={"_one": pl.Int64, "entity": pl.Int64, "_since": frame.schema["known_at"]}, orient="row")
    theirs = frame.join(same, on="entity").with_columns(
        entity=pl.col("_one"), known_at=pl.max_horizontal("known_at", "_since"), own=pl.lit(value=False)
    )
    return pl.concat([owned, theirs.select(owned.columns)])


def _named(frame: pl.DataFrame, here: pl.Expr, keys: str, rows: Sequence[PropertyName]) -> pl.DataFrame:
    told = pl.DataFrame(
        {
            "kind": [row.kind for row in rows],
            "name": [row.key for row in rows],
            "_name": [row.name for row in rows],
            "_at": [row.known_at for row in rows],
        },
        schema={"kind": pl.String, "name": pl.String, "_name": pl.String, "_at": pl.Datetime("us", "UTC")},
    )
    joined = frame.join(told, on=["kind", "name"], how="left", maintain_order="left")
    named = here & pl.col("_name").is_not_null()
    joined = joined.with_columns(
        name=pl.when(named).then("_name").otherwise("name"),
        known_at=pl.when(named).then(pl.max_horizontal("known_at", "_at")).otherwise("known_at"),
    )
    return joined.filter(~(here & pl.col("name").str.contains(keys))).select(frame.columns)


def _known(row: EntityRow, stored: Iterable[Fact]) -> Known:
    ours = our_names(row.source, ())
    found = newest(replace(fact, name=ours.get(fact.name, fact.name)) for fact in stored)
    asked = row.looked_up_at
    return Known(
        values={name: fact.value for name, fact in found.items()},
        # A look-up reads all of these: what it did not change was true then.
        times={name: max(fact.occurred_at, asked) if asked else fact.occurred_at for name, fact in found.items()},
    )


def _moments(session: Session, heard: Sequence[Heard], now: datetime) -> dict[int, datetime]:
    """When each event happened, for us: where a sender's clock is ahead, set right in the sender's own order."""
    if not heard:
        return {}
    first = min(each.event.occurred_at for each in heard)
    ahead = events.dated_ahead(session, {each.entity_id for each in heard}, first)
    others = facts.dated(session, ahead, but_from=ours.NAME)
    found: dict[int, datetime] = {}
    for each in sorted(heard, key=lambda one: one.event.occurred_at, reverse=True):
        known = others.setdefault(each.entity_id, [])
        found[each.event_id] = placed(each.event.occurred_at, now, known)
        known.append(Dated(each.event.occurred_at, found[each.event_id]))
    return found


def _is_late(each: Heard, owners: Mapping[int, EntityRow], moments: Mapping[int, datetime]) -> bool:
    asked = owners[each.entity_id].looked_up_at
    return asked is not None and moments[each.event_id] < asked


def _facts_of(
    each: Heard, gone: Iterable[str], targets: Mapping[EntityRef, int], happened_at: datetime, now: datetime
) -> list[Fact]:
    event = each.event
    told = told_texts(event.entity.source, event.properties)
    links: dict[str, int] = {}
    if event.verb in GONE:
        told = dict.fromkeys(gone)  # whatever was known of it is no more
    elif event.verb in LINKING:
        told = {link_name(target): LINKING[event.verb] for target in event.targets}
        links = {link_name(target): targets[target] for target in event.targets if event.verb is Verb.ASSOCIATED}
    elif event.verb is not Verb.REVIEWED and not told:
        told = {NAMELESS: None}
    own = [
        Fact(
            entity_id=each.entity_id,
            name=name,
            value=value,
            occurred_at=happened_at,
            known_at=now,
            origin=Origin.EVENT,
            by_us=event.by_us or name.startswith(OUR_PREFIX),
            event_id=each.event_id,
            target_id=links.get(name) or _target_id(event.entity, name, value, targets),
        )
        for name, value in told.items()
    ]
    return own + [_other_side(each, fact, targets) for fact in own if event.verb in LINKING]


def _other_side(each: Heard, fact: Fact, targets: Mapping[EntityRef, int]) -> Fact:
    """A link is one for both of its ends, whichever of them tells of it."""
    target = targets[each.event.targets[0]]
    return replace(
        fact, entity_id=target, name=link_name(each.event.entity), target_id=None if fact.value is None else each.entity_id
    )


def identify(session: Session, added: Iterable[Fact], refs: Mapping[int, EntityRef], now: datetime) -> set[int]:
    """By what was just told of them, which of these entities are known by one key with others."""
    told: dict[identities.Key, set[int]] = {}
    for fact in added:
        if (ref := refs.get(fact.entity_id)) is None:
            continue  # the other end of a link
        for key in (key_of(ref.kind, fact.name, fact.value), key_of_ref(ref)):
            if key is not None:
                told.setdefault((ref.kind.value, key), set()).add(fact.entity_id)
    return identities.join(session, told, now) if told else set()


def told_texts(source: str, properties: Mapping[str, Any]) -> dict[str, str | None]:
    """A CRM's properties as the texts that are stored of them, without those that say nothing."""
    idle = HOUSEKEEPING.get(source, frozenset())
    return _texts({name: value for name, value in properties.items() if name not in idle and not is_profile_name(name)})


def _texts(properties: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: text_of(value) for name, value in properties.items() if 0 < len(name) <= LONGEST_NAME}


def _target_id(entity: EntityRef, name: str, value: str | None, targets: Mapping[EntityRef, int]) -> int | None:
    target = target_of(entity, name, value)
    return targets.get(target) if target is not None else None
