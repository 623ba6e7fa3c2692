"""Builds features, one row per example: the same code for one event in the loop and for the whole warehouse."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from data.domain.relation import ROLES
from ml.features import engagement, momentum, properties
from ml.features.facts import Examples, Facts, examples_of, prepared
from ml.features.inputs import Input, typed_value
from ml.features.momentum import Norms
from ml.features.sets import ENGAGEMENT, MOMENTUM, OWN_TABLE, SETS, FeatureSet


def build(
    model: str, examples: pl.DataFrame, facts: pl.DataFrame, *, wanted: Iterable[str] | None = None, norms: Norms | None = None
) -> pl.DataFrame:
    """The features of each example, in the examples' order: numbers as Float64, everything else as the text it was told as.

    `examples` has `entity` and `as_of`, `facts` is as `data.warehouse.fact_frames` reads them, under our names. With
    `wanted` exactly these columns, and only they are computed; without it all that these entities have.
    """
    found = SETS.get(model, OWN_TABLE)
    names = None if wanted is None else list(dict.fromkeys(wanted))
    asked, places = examples_of(examples, found.entity, names)
    columns = _columns(found, asked, prepared(facts), norms or Norms())
    return pl.DataFrame({name: columns[name] for name in (names or columns)}, height=len(asked))[places]


def from_properties(model: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The features of somebody of whom nothing is known but these properties: what needs a history is missing.

    Features that are given under their own names are taken as they are.
    """
    if ENGAGEMENT not in SETS.get(model, OWN_TABLE).subjects:
        return dict(given)
    return {**engagement.from_properties(given), **{name: value for name, value in given.items() if name not in engagement.TOLD}}


def given(inputs: Iterable[Input], row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a version was given it, to be stored with its prediction: numbers for what counts as one, texts as they are."""
    return {column.name: typed_value(column, row.get(column.name), strictly=False) for column in inputs}


def properties_behind(model: str, inputs: Iterable[str]) -> tuple[str, ...]:
    """The properties that a version's inputs are made of."""
    return SETS.get(model, OWN_TABLE).behind(inputs)


def made_columns(model: str) -> frozenset[str]:
    """The columns that are made for a model besides the properties that its entities have."""
    return frozenset(name for subject in SETS.get(model, OWN_TABLE).subjects for name in subject.columns)


def needs_related(model: str, inputs: Iterable[str]) -> bool:
    """Whether a version's inputs need the facts of other entities too."""
    return SETS.get(model, OWN_TABLE).related(inputs)


def fit_norms(model: str, facts: pl.DataFrame, until: datetime) -> Norms:
    """What was usual, month by month, up to the end of the training part; stored with the version. None where nobody asks."""
    asked = MOMENTUM in SETS.get(model, OWN_TABLE).subjects
    return momentum.fit_norms(prepared(facts), until) if asked else Norms()


def _columns(found: FeatureSet, asked: Examples, facts: Facts, norms: Norms) -> dict[str, pl.Series]:
    columns: dict[str, pl.Series] = {}
    for subject in found.subjects:
        if asked.wanted is None or any(subject.has(name) for name in asked.wanted):
            columns |= subject.build(asked, facts, norms)
    for name, own in properties.latest_of(asked, facts, _own_names(found, asked, facts)).items():
        # An account may call a property of its own `company_size`: it counts where the company says nothing.
        columns[name] = columns[name].zip_with(columns[name].is_not_null(), own) if name in columns else own
    return columns


def _own_names(found: FeatureSet, asked: Examples, facts: Facts) -> list[str]:
    made = {name for subject in found.subjects for name in subject.columns}
    if asked.wanted is not None:
        return sorted(asked.wanted - made)
    read = {name for subject in found.subjects for name in subject.reads}
    return [name for name in properties.names_of(asked, facts) if name not in made | read | ROLES.keys()]
