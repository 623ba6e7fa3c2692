"""Facts and examples as the features see them: arrays in the order in which the facts became visible.

A fact is visible from max(occurred_at, known_at) on; a property's value at a moment is that of the visible fact with the
greatest occurred_at (ties: known_at, then id). What we wrote ourselves is no fact here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from data.domain.entity import EntityKind
from data.domain.event import OUR_PREFIX
from data.domain.fact import Origin
from data.domain.relation import LINK
from ml.features.inputs import LARGEST_NUMBER
from ml.features.timeline import Bools, Floats, Ints, Timeline, by_group, running_winner
from ml.features.words import SPACES

DAY = timedelta(days=1) // timedelta(microseconds=1)
NONE = -1
KINDS = tuple(EntityKind)

EXAMPLES: dict[str, Any] = {"entity": pl.Int64, "as_of": pl.Datetime("us", "UTC")}
MOMENT = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Examples:
    """Whom to describe, and as of when: one row each, sorted by entity. `at` in microseconds since 1970."""

    kind: EntityKind
    entity: Ints
    at: Ints
    wanted: frozenset[str] | None = None
    """The columns that are asked for; None: all there are."""

    def __len__(self) -> int:
        return len(self.entity)

    def wants(self, name: str) -> bool:
        return self.wanted is None or name in self.wanted


@dataclass(frozen=True)
class Facts:
    """One row per visible fact; `name` indexes `names`, `kind` KINDS; `target` is NONE where the value names no record."""

    names: tuple[str, ...]
    entity: Ints
    name: Ints
    value: pl.Series
    target: Ints
    kind: Ints
    occurred: Ints
    visible: Ints
    own: Bools
    """Whether it was told of this very record, and not of another one of the same person or company."""
    begins_event: Bools
    """The first visible fact of each event: as many as there were events. Look-ups are none."""

    def __len__(self) -> int:
        return len(self.entity)

    @cached_property
    def _by_name(self) -> tuple[Ints, Ints]:
        order = by_group(self.name)
        return order, np.searchsorted(self.name[order], np.arange(len(self.names) + 1))

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.names)}  # a link to each of many records has a name of its own

    @cached_property
    def has_value(self) -> Bools:
        return self.value.is_not_null().to_numpy()

    def of_kind(self, *kinds: EntityKind) -> Bools:
        """Which rows are about entities of one of these kinds."""
        return np.isin(self.kind, [KINDS.index(kind) for kind in kinds])

    def property_of(self, rows: Ints) -> Ints:
        """A number for each entity and property of these rows."""
        return self.entity[rows] * len(self.names) + self.name[rows]

    def rows(self, names: Iterable[str]) -> Ints:
        """The rows of these properties, in the order in which they became visible."""
        order, cuts = self._by_name
        codes = [self._codes[name] for name in names if name in self._codes]
        found = [order[cuts[code] : cuts[code + 1]] for code in codes]
        return np.sort(np.concatenate(found)) if len(found) > 1 else found[0] if found else np.empty(0, dtype=np.int64)

    def links(self, kind: EntityKind) -> list[str]:
        """The names of all links to entities of a kind."""
        return [name for name in self.names if name.startswith(f"{LINK}{kind}:")]

    def history(self, *names: str) -> "History":
        """How the value of a property changed, or of several that mean the same."""
        return self.latest(self.rows(names))

    def latest(self, rows: Ints, *, by: Ints | None = None) -> "History":
        """Of these rows the one that happened last, for each entity, or for each number in `by`.

        What was told of another record of the same person or company fills gaps only: whatever the record itself says stands.
        """
        groups = self.entity[rows] if by is None else by
        own = self.own[rows]
        if own.all():
            return self._latest(rows, groups)
        others = self._latest(rows[~own], groups[~own])
        return replace(self._latest(rows[own], groups[own]), others=others, has_value=self.has_value)

    def _latest(self, rows: Ints, groups: Ints) -> "History":
        line = Timeline(groups, self.visible[rows])
        winner = running_winner(line.groups, self.occurred[rows][line.order])
        return History(line, rows[line.order[winner]])

    def text(self, rows: Ints) -> pl.Series:
        """The values of these rows; null for NONE."""
        if not len(self):
            return pl.Series(values=[None] * len(rows), dtype=pl.String)
        there = pl.Series(rows != NONE)
        found = self.value.gather(np.maximum(rows, 0))
        return found if there.all() else found.set(~there, None)


@dataclass(frozen=True)
class History:
    """A property's facts entity by entity, as they became visible; `row`: the one that had the value from then on.

    `others`: what other records of the same say, where there are any.
    """

    line: Timeline
    row: Ints
    others: "History | None" = None
    has_value: Bools | None = None

    def at(self, entity: Ints, at: Ints) -> Ints:
        """The row that has the property's value at each moment, or NONE."""
        own = self._own_at(entity, at)
        if self.others is None or self.has_value is None:
            return own
        filled = self.others.at(entity, at)
        is_gap = (own == NONE) | ~self.has_value[np.maximum(own, 0)]
        return np.where(is_gap & (filled != NONE), filled, own)

    def _own_at(self, entity: Ints, at: Ints) -> Ints:
        if not len(self.row):
            return np.full(len(entity), NONE)
        last, first = self.line.find(entity, at)
        return np.where(last >= first, self.row[last], NONE)


def prepared(frame: pl.DataFrame) -> Facts:
    """Sorts a frame of facts (`data.warehouse.fact_frames.SCHEMA`) and leaves out what must not become a feature."""
    frame = frame.filter(~pl.col("by_us") & ~pl.col("name").str.starts_with(OUR_PREFIX))
    known, occurred = _micros(frame["known_at"]), _micros(frame["occurred_at"])
    visible = np.maximum(occurred, known)
    order = np.lexsort((frame["id"].to_numpy(), known, visible))
    frame = frame[order]
    names = frame["name"].unique(maintain_order=True)
    return Facts(
        names=tuple(names),
        entity=frame["entity"].to_numpy(),
        name=_codes(frame["name"], names),
        value=frame["value"],
        target=frame["target"].fill_null(NONE).to_numpy(),
        kind=_codes(frame["kind"], [kind.value for kind in KINDS]),
        occurred=occurred[order],
        visible=visible[order],
        own=frame["own"].to_numpy() if "own" in frame.columns else np.ones(len(frame), dtype=np.bool_),
        begins_event=_begins_event(frame),
    )


def examples_of(frame: pl.DataFrame, kind: EntityKind, wanted: Iterable[str] | None = None) -> tuple[Examples, Ints]:
    """Sorts a frame of examples (EXAMPLES); returns with them the place of each of the frame's rows."""
    entity, at = frame["entity"].to_numpy(), _micros(frame["as_of"])
    order = by_group(entity)
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return Examples(kind, entity[order], at[order], None if wanted is None else frozenset(wanted)), places


def numbers(texts: pl.Series) -> Floats:
    """Texts as numbers; NaN where they are none, or none that means anything."""
    plain = texts.str.strip_chars(SPACES).str.replace("\u2212", "-", literal=True)
    found = plain.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    return np.where(np.abs(found) <= LARGEST_NUMBER, found, np.nan)


def column(values: Floats) -> pl.Series:
    """Numbers as a column: null where they are NaN."""
    return pl.Series(values, nan_to_null=True, dtype=pl.Float64)


def _codes(texts: pl.Series, known: Iterable[str]) -> Ints:
    return texts.cast(pl.Enum(known)).to_physical().to_numpy().astype(np.int64)


def _begins_event(frame: pl.DataFrame) -> Bools:
    """Of the vendor's own history, whatever happened to an entity at one moment is one event."""
    told = pl.col("event").is_not_null()
    history = pl.col("origin") == Origin.BACKFILL.value
    first_told = told & pl.struct("entity", "event").is_first_distinct()  # a link is told of both of its ends
    if not frame.select(history.any()).item():
        return frame.select(first_told).to_series().to_numpy()
    moment = pl.struct("entity", "occurred_at", history)
    return frame.select(first_told | (history & moment.is_first_distinct())).to_series().to_numpy()


def _micros(moments: pl.Series) -> Ints:
    return moments.cast(MOMENT).to_physical().to_numpy()
