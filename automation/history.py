"""The warehouse as a table to learn from: each example as it was seen at its moment, and what became of it."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlmodel import Session

from automation.knowledge import recall_all
from automation.sources.properties import PROPERTIES
from data.db import Database
from data.domain.entity import EntityKind
from data.errors import BadInput
from data.warehouse import facts
from ml.features.build import build, fit_norms
from ml.features.momentum import Norms
from ml.features.relations import COMPANY
from ml.features.sets import SETS
from ml.training.labels import Labelled, label_contacts
from ml.training.split import cut_of


@dataclass(frozen=True)
class History:
    """`features`: one row for each of `labelled.examples`, in their order; `facts`: what they are made of."""

    features: pl.DataFrame
    labelled: Labelled
    facts: pl.DataFrame
    norms: Norms
    """What was usual, month by month, up to the end of the part that teaches; serving must go by the same."""


def history(database: Database, model: str, now: datetime) -> History:
    """All that can be learned from for a model of the catalogue, as known by `now`.

    Raises:
        BadInput: there is no way yet to label what this model predicts.
    """
    if model not in SETS or SETS[model].entity is not EntityKind.CONTACT:
        raise BadInput(f"{model}: nothing in the warehouse says how its examples ended; train it on a table of your own")
    with database.read() as session:
        told = recalled(session)
        ours = facts.names_by_us(session)
    labelled = label_contacts(told.filter("own"), now)
    norms = _norms(model, told, labelled)
    features = build(model, labelled.examples, told, norms=norms)
    return History(features.drop([*ours, *(COMPANY + name for name in ours)], strict=False), labelled, told, norms)


def recalled(session: Session) -> pl.DataFrame:
    """All facts under our names, as a training sees them."""
    return recall_all(session, {feature for names in PROPERTIES.values() for feature in names})


def _norms(model: str, told: pl.DataFrame, labelled: Labelled) -> Norms:
    moments = labelled.examples["as_of"].head(cut_of(len(labelled.examples)))
    return Norms() if moments.is_empty() else fit_norms(model, told, moments[-1])
