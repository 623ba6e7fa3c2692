"""TABLE: which model sees which subjects, in the order of their columns. A model on a user's own table sees its columns."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from data.domain.entity import EntityKind
from ml.features import activity, engagement, momentum, notes, relations
from ml.features.facts import Examples, Facts
from ml.features.momentum import Norms

Build = Callable[[Examples, Facts, Norms], dict[str, pl.Series]]


@dataclass(frozen=True)
class Subject:
    """Some columns that are made together. `reads`: the properties that they are made of, which are no columns besides.

    `related`: they need the facts of other entities too. `prefix`: it also has a column for each name that begins so.
    """

    name: str
    columns: tuple[str, ...]
    reads: tuple[str, ...]
    build: Build
    related: bool = False
    prefix: str | None = None

    def has(self, name: str) -> bool:
        return name in self.columns or (self.prefix is not None and name.startswith(self.prefix))


@dataclass(frozen=True)
class FeatureSet:
    """What a model sees of entities of one kind: these subjects, and every property that none of them reads."""

    entity: EntityKind
    subjects: tuple[Subject, ...]

    def behind(self, columns: Iterable[str]) -> tuple[str, ...]:
        """The entity's own properties that these columns are made of: a change of one of them changes the features."""
        found: dict[str, None] = {}
        for name in columns:
            subject = next((one for one in self.subjects if one.has(name)), None)
            found |= dict.fromkeys((name,) if subject is None else subject.reads)
        return tuple(found)

    def related(self, columns: Iterable[str]) -> bool:
        """Whether these columns need the facts of other entities too."""
        return any(subject.related and subject.has(name) for subject in self.subjects for name in columns)


ENGAGEMENT = Subject(
    "engagement", engagement.COLUMNS, engagement.TOLD, lambda examples, facts, _: engagement.build(examples, facts)
)
ACTIVITY = Subject("activity", activity.COLUMNS, (), lambda examples, facts, _: activity.build(examples, facts))
MOMENTUM = Subject("momentum", momentum.COLUMNS, (*momentum.STAGE, *momentum.AMOUNT), momentum.build)
RELATIONS = Subject(
    "relations",
    relations.COLUMNS,
    (),
    lambda examples, facts, _: relations.build(examples, facts),
    related=True,
    prefix=relations.COMPANY,
)
NOTES = Subject("notes", notes.COLUMNS, (), lambda examples, facts, _: notes.build(examples, facts), related=True)

SETS: dict[str, FeatureSet] = {
    "lead_score": FeatureSet(EntityKind.CONTACT, (ENGAGEMENT, ACTIVITY, RELATIONS, NOTES)),
    "win_probability": FeatureSet(EntityKind.DEAL, (MOMENTUM, ACTIVITY, RELATIONS, NOTES)),
}
OWN_TABLE = FeatureSet(EntityKind.CONTACT, ())
