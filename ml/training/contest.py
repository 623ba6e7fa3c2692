"""Puts a candidate and the champion before the same rows: the candidate's newest, those that the champion has not learned from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.features.inputs import InputKind
from ml.learners.base import log_odds
from ml.preparation.base import AS_OF, Floats, Ints
from ml.training.gate import Contest
from ml.training.ladder import TypedTable
from ml.training.rows import Rows
from ml.training.train import Trained
from ml.version import Card, Version

# With fewer rows left it is better to ask all of them, even if they favour the champion.
FEWEST_UNSEEN = 50
YES, NO = "yes", "no"
Seen = NDArray[np.bool_]


def contest(trained: Trained, champion: Version | None, champion_rows: Rows | None = None) -> Contest:
    """The rows that judged the candidate, with both log-odds. What the champion was not given or had learned is noted."""
    labels, candidate = trained.judges.labels, log_odds(trained.scores)
    groups = trained.judges.groups
    if champion is None:
        return Contest(labels, candidate, None, trained.card.base_rate, groups=groups)
    margins, seen, notes = _asked(trained, champion, champion_rows)
    kept, note = _unseen(seen, labels)
    return Contest(
        labels[kept],
        candidate[kept],
        margins[kept],
        trained.card.base_rate,
        champion_version=champion.card.version,
        levels={name: values[kept] for name, values in _levels(trained.judges).items()},
        groups=None if groups is None else groups[kept],
        notes=(*notes, *note),
    )


def _asked(trained: Trained, champion: Version, rows: Rows | None) -> tuple[Floats, Seen, list[str]]:
    """The champion's log-odds of the judging rows, which of them it had learned from, and what limits the comparison."""
    card = champion.card
    frame, missing = as_asked(trained.judges, card)
    margins = champion.scorer.margins(frame)
    nothing = np.zeros(len(margins), dtype=bool)
    if missing:
        given = ", ".join(sorted(missing))
        return margins, nothing, [f"the champion's inputs {given} are not in this table and counted as missing"]
    if rows is None or card.id_column != trained.card.id_column:
        return margins, nothing, ["what the champion has learned from is not known: the comparison can only favour it"]
    keys = trained.keys(card)[trained.judged]
    # Where the champion was judged by this row, its answer of that time is one that had not seen the row.
    then = pl.DataFrame({"key": keys}).join(rows.holdout.unique("key"), on="key", how="left", maintain_order="left")["margin"]
    unseen = np.where(then.is_null().to_numpy(), margins, then.fill_null(0.0).to_numpy())
    return unseen, keys.is_in(rows.learned.implode()).to_numpy() & then.is_null().to_numpy(), []


def as_asked(table: TypedTable, card: Card) -> tuple[pl.DataFrame, set[str]]:
    """The table as a version with this card sees it, and the inputs that the table has not, or not of that kind."""
    kinds = {column.name: column.kind for column in table.inputs}
    missing = {column.name for column in card.inputs if kinds.get(column.name) is not column.kind}
    text = {InputKind.CATEGORY, InputKind.TEXT}
    empty = [
        pl.lit(None, pl.String if column.kind in text else pl.Float64).alias(column.name)
        for column in card.inputs
        if column.name in missing
    ]
    frame = table.frame.drop(AS_OF, strict=False).with_columns(empty)
    if card.moment is None:  # its dates are days since 1970, and would be something else beside a moment
        return frame, missing
    if table.times is None:
        return frame.with_columns(pl.lit(None, pl.Float64).alias(AS_OF)), missing | {card.moment.name}
    return frame.with_columns(pl.Series(AS_OF, table.times)), missing


def _unseen(seen: Seen, labels: Ints) -> tuple[Ints, list[str]]:
    """The places to judge by, and what to say of them."""
    known = int(seen.sum())
    rest = np.flatnonzero(~seen)
    if not known:
        return rest, []
    of = f"the champion has learned from {known:,} of the {len(seen):,} rows"
    if len(rest) >= FEWEST_UNSEEN and np.unique(labels[rest]).size == 2:
        return rest, [f"{of}: left out"]
    return np.arange(len(seen)), [f"{of}, and too few are left without them: the comparison favours it"]


def _levels(table: TypedTable) -> Mapping[str, NDArray[Any]]:
    """Input -> its level in each row, of the inputs that have levels."""
    words = {0.0: NO, 1.0: YES}
    found = {}
    for column in table.inputs:
        if column.kind is InputKind.CATEGORY:
            found[column.name] = np.array(table.frame[column.name].to_list(), dtype=object)
        elif column.kind is InputKind.BOOLEAN:
            found[column.name] = np.array([words.get(value) for value in table.frame[column.name]], dtype=object)
    return found
