"""What is known of entities: facts come out under our names, as they were told (`memory`)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl
from sqlmodel import Session

from automation.sources.properties import KEYS, WORDS, our_names, person_properties
from data.domain.entity import EntityKind, Known
from data.domain.fact import Fact, newest
from data.domain.option import field_and_option, labelled
from data.warehouse import fact_frames, facts, identities, property_names
from data.warehouse.entities import EntityRow
from data.warehouse.property_names import PropertyName


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
            theirs = [row for row in names if row.source == source]
            frame = _named(frame, here, KEYS[source], [row for row in theirs if field_and_option(row.key) is None])
            frame = _labelled(frame, here, theirs)
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


def _labelled(frame: pl.DataFrame, here: pl.Expr, rows: Sequence[PropertyName]) -> pl.DataFrame:
    """With the labels of options in the place of their ids, under a field's name as under its key."""
    labels = _labels(rows)
    told = frame.filter(here & pl.col("value").is_not_null() & pl.col("name").is_in([name for _, name in labels]))
    found = [
        (kind, name, value, labelled(value, labels[kind, name]))
        for kind, name, value in told.select("kind", "name", "value").unique().iter_rows()
        if (kind, name) in labels
    ]
    if not found:
        return frame
    known = pl.DataFrame(found, schema=dict.fromkeys(("kind", "name", "value", "_label"), pl.String), orient="row")
    joined = frame.join(known, on=["kind", "name", "value"], how="left", maintain_order="left")
    value = pl.when(here).then(pl.coalesce("_label", "value")).otherwise("value")
    return joined.with_columns(value=value).select(frame.columns)


def _labels(rows: Sequence[PropertyName]) -> dict[tuple[str, str], dict[str, str]]:
    """(kind, field's name) -> the labels of its options by their ids."""
    names = {(row.kind, row.key): row.name for row in rows}
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        if (parts := field_and_option(row.key)) is not None:
            field, option = parts
            found.setdefault((row.kind, names.get((row.kind, field), field)), {})[option] = row.name
    return found


def _known(row: EntityRow, stored: Iterable[Fact]) -> Known:
    ours = our_names(row.source, ())
    found = newest(replace(fact, name=ours.get(fact.name, fact.name)) for fact in stored)
    asked = row.looked_up_at
    return Known(
        values={name: fact.value for name, fact in found.items()},
        # A look-up reads all of these: what it did not change was true then.
        times={name: max(fact.occurred_at, asked) if asked else fact.occurred_at for name, fact in found.items()},
    )
