"""Puts a candidate and the champion before the same rows: the candidate's newest, those that the champion has not learned from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.features.inputs import Input, InputKind, typed_frame
from ml.learners import prior
from ml.learners.base import log_odds
from ml.preparation.base import AS_OF, Floats, Ints
from ml.training.gate import Contest
from ml.training.ladder import TypedTable
from ml.training.rows import Rows
from ml.training.train import Trained, keys_of
from ml.version import Card, Version

# With fewer rows left it is better to ask all of them, even if they favour the champion.
FEWEST_UNSEEN = 50
YES, NO = "yes", "no"
FLAG = {0.0: NO, 1.0: YES}
Seen = NDArray[np.bool_]


def contest(trained: Trained, champion: Version | None, champion_rows: Rows | None = None) -> Contest:
    """The rows that judged the candidate, with both log-odds. What the champion had learned is noted, and what it was not given."""
    labels, candidate = trained.judges.labels, log_odds(trained.scores)
    groups = trained.judges.groups
    if champion is None:
        return Contest(labels, candidate, None, trained.card.base_rate, groups=groups)
    frame, gone = as_asked(trained, champion.card)
    margins, seen, notes = _asked(trained, champion, frame, champion_rows)
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
        not_given=() if champion.card.learner == prior.LEARNER.name else gone,
    )


def _asked(trained: Trained, champion: Version, frame: pl.DataFrame, rows: Rows | None) -> tuple[Floats, Seen, list[str]]:
    """The champion's log-odds of the judging rows, which of them it had learned from, and what limits the comparison."""
    card = champion.card
    margins = champion.scorer.margins(frame[trained.judged])
    if rows is None or card.id_column != trained.card.id_column:
        unknown = "what the champion has learned from is not known: the comparison can only favour it"
        return margins, np.zeros(len(margins), dtype=bool), [unknown]
    keys = keys_of(trained.table, card, frame)[trained.judged]
    # Where the champion was judged by this row, its answer of that time is one that had not seen the row.
    then = pl.DataFrame({"key": keys}).join(rows.holdout.unique("key"), on="key", how="left", maintain_order="left")["margin"]
    unseen = np.where(then.is_null().to_numpy(), margins, then.fill_null(0.0).to_numpy())
    return unseen, keys.is_in(rows.learned.implode()).to_numpy() & then.is_null().to_numpy(), []


def as_asked(trained: Trained, card: Card) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table as a version with this card reads it, and which of its inputs the table has not: they count as missing.

    What the candidate leaves out or takes for another kind is read from the raw rows, as serving would read it.
    """
    table, raw = trained.table, trained.raw
    same = {column.name for column in table.inputs if column in card.inputs}
    own = tuple(column for column in card.inputs if column.name not in same)
    given = tuple(column for column in own if raw is not None and column.name in raw.columns)
    gone = tuple(column.name for column in own if column not in given)
    read = [] if raw is None else typed_frame(given, raw.select(column.name for column in given)).get_columns()
    frame = table.frame.select(sorted(same)).with_columns(*read, *map(_empty, (one for one in own if one.name in gone)))
    if card.moment is None:  # its dates are days since 1970, and would be something else beside a moment
        return frame, gone
    if table.times is None:
        return frame.with_columns(pl.lit(None, pl.Float64).alias(AS_OF)), (*gone, card.moment.name)
    return frame.with_columns(pl.Series(AS_OF, table.times)), gone


def _empty(column: Input) -> pl.Expr:
    return pl.lit(None, pl.String if column.kind in (InputKind.CATEGORY, InputKind.TEXT) else pl.Float64).alias(column.name)


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
    found = {}
    for column in table.inputs:
        if column.kind is InputKind.CATEGORY:
            found[column.name] = np.array(table.frame[column.name].to_list(), dtype=object)
        elif column.kind is InputKind.BOOLEAN or _is_flag(table.frame[column.name]):
            found[column.name] = np.array([FLAG.get(value) for value in table.frame[column.name]], dtype=object)
    return found


def _is_flag(values: pl.Series) -> bool:
    """Numbers that are 1 and 0 only."""
    return values.dtype == pl.Float64 and set(values.drop_nulls().unique().to_list()) == set(FLAG)
