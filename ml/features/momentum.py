"""How a deal moves: its stage, for how long, how fast, against the norm of that stage; how its amount changed."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from ml.features.facts import DAY, MOMENT, NONE, Examples, Facts, column, numbers
from ml.features.timeline import Bools, Floats, Ints, Timeline, since, starts

# What the CRMs call them: HubSpot, Pipedrive, our own JSON.
STAGE = ("dealstage", "stage_id", "stage")
AMOUNT = ("amount", "value")
STAGE_COLUMNS = ("deal_stage", "days_in_stage", "stages_passed", "stages_per_week", "days_in_stage_to_norm")
AMOUNT_COLUMNS = ("deal_amount", "amount_to_first", "amount_raises", "amount_cuts")
COLUMNS = (*STAGE_COLUMNS, *AMOUNT_COLUMNS)

WEEK = 7 * DAY
FEWEST_STAYS = 5  # the median of fewer would be one deal's own


class Norms(BaseModel):
    """What is usual, as it was known when each month began: the median days that deals stayed in a stage before they left it.

    `months`: the first of a month -> stage -> days, good until the next one that is there. An example goes by the month of
    its moment, and so never by what came to be known later.
    """

    model_config = ConfigDict(frozen=True)

    months: dict[date, dict[str, float]] = {}


def build(examples: Examples, facts: Facts, norms: Norms) -> dict[str, pl.Series]:
    """One column for each of COLUMNS that is wanted."""
    made: dict[str, pl.Series] = {}
    if any(examples.wants(name) for name in STAGE_COLUMNS):
        made |= _stage(examples, facts, norms)
    if any(examples.wants(name) for name in AMOUNT_COLUMNS):
        made |= _amount(examples, facts)
    return {name: series for name, series in made.items() if examples.wants(name)}


def fit_norms(facts: Facts, until: datetime) -> Norms:
    """The norms of each month that had begun by a moment: of stays that were over, and known to be over, when it began."""
    rows = facts.rows(STAGE)
    rows = rows[facts.has_value[rows]]
    found: dict[date, dict[str, float]] = {}
    usual: dict[str, float] = {}
    for first in _months(facts.visible[rows], until):
        before, usual = usual, _usual(facts, rows[facts.visible[rows] <= _micros(first)])
        if usual != before:
            found[first] = usual
    return Norms(months=found)


def _months(visible: Ints, until: datetime) -> list[date]:
    if not len(visible):
        return []
    first = pl.Series([int(visible.min())]).cast(MOMENT).dt.date().item()
    months = pl.date_range(first.replace(day=1), until.astimezone(UTC).date(), "1mo", eager=True)
    return months.to_list()


def _micros(first: date) -> int:
    return int(pl.Series([datetime(first.year, first.month, 1, tzinfo=UTC)], dtype=MOMENT).to_physical().item())


def _usual(facts: Facts, rows: Ints) -> dict[str, float]:
    stays = pl.DataFrame({"deal": facts.entity[rows], "stage": facts.text(rows), "since": facts.occurred[rows]})
    stays = stays.sort("deal", "since", maintain_order=True).filter(
        pl.col("stage").ne_missing(pl.col("stage").shift().over("deal"))
    )
    stays = stays.with_columns(days=(pl.col("since").shift(-1).over("deal") - pl.col("since")) / DAY).drop_nulls("days")
    usual = stays.group_by("stage").agg(pl.col("days").median(), pl.len()).filter(pl.col("len") >= FEWEST_STAYS).sort("stage")
    return dict(usual.select("stage", "days").iter_rows())


def _norm(stage: pl.Series, at: Ints, norms: Norms) -> Floats:
    """The usual days in each stage, as known at each moment; NaN where there is no norm of it."""
    firsts = sorted(norms.months)
    month = np.searchsorted([_micros(first) for first in firsts], at, "right") - 1
    table = [(number, name, days) for number, first in enumerate(firsts) for name, days in norms.months[first].items()]
    told = pl.DataFrame(table, schema={"month": pl.Int64, "stage": pl.String, "days": pl.Float64}, orient="row")
    asked = pl.DataFrame({"month": month, "stage": stage}, schema_overrides={"month": pl.Int64, "stage": pl.String})
    return asked.join(told, on=["month", "stage"], how="left", maintain_order="left")["days"].fill_null(np.nan).to_numpy()


def _stage(examples: Examples, facts: Facts, norms: Norms) -> dict[str, pl.Series]:
    rows = facts.rows(STAGE)
    story = _told(examples, facts, rows[facts.has_value[rows]])
    stages = facts.text(story.row)
    begins = starts(story.group)
    moved = begins | (stages != stages.shift()).fill_null(value=True).to_numpy()
    moves = np.cumsum(moved)
    passed = story.pick(moves - moves[since(begins)])
    days = (examples.at - story.pick(story.occurred[since(moved)])) / DAY
    age = examples.at - story.pick(story.occurred[since(begins)])
    stage = facts.text(np.where(story.at == NONE, NONE, story.row[story.at]) if len(story.row) else story.at)
    usual = _norm(stage, examples.at, norms)
    return {
        "deal_stage": stage,
        "days_in_stage": column(days),
        "stages_passed": column(passed),
        # A deal that is a few minutes old has no pace yet: a day at least is counted.
        "stages_per_week": column(passed / (np.maximum(age, DAY) / WEEK)),
        "days_in_stage_to_norm": column(days / np.where(usual > 0, usual, np.nan)),
    }


def _amount(examples: Examples, facts: Facts) -> dict[str, pl.Series]:
    rows = facts.rows(AMOUNT)
    story = _told(examples, facts, rows[~np.isnan(numbers(facts.text(rows)))])
    amounts = numbers(facts.text(story.row))
    begins = starts(story.group)
    change = np.where(begins, 0.0, np.diff(amounts, prepend=0.0))
    first, last = story.pick(amounts[since(begins)]), story.pick(amounts)
    return {
        "deal_amount": column(last),
        "amount_to_first": column(last / np.where(first != 0, first, np.nan)),
        "amount_raises": column(story.count(change > 0, begins)),
        "amount_cuts": column(story.count(change < 0, begins)),
    }


@dataclass(frozen=True)
class _Story:
    """What was told of a property, entity by entity, in the order in which it happened; `at`: each example's place in it."""

    group: Ints
    occurred: Ints
    row: Ints
    at: Ints

    def pick(self, values: Ints | Floats) -> Floats:
        """The value at each example's place; NaN where it has none."""
        if not len(values):
            return np.full(len(self.at), np.nan)
        return np.where(self.at == NONE, np.nan, values[np.maximum(self.at, 0)])

    def count(self, marks: Bools, begins: Bools) -> Floats:
        """How many marks there are from the beginning of the story to each example's place."""
        total = np.cumsum(marks)
        return self.pick(total - total[since(begins)])


def _told(examples: Examples, facts: Facts, rows: Ints) -> _Story:
    """Facts mostly become visible in the order in which they happened; then one story serves all moments.

    Where one came late, the story as it was then is written out anew for each moment that is asked.
    """
    line = Timeline(facts.entity[rows], facts.visible[rows])
    last, first = line.find(examples.entity, examples.at)
    row = rows[line.order]
    occurred = facts.occurred[row]
    at = np.where(last >= first, last, NONE)
    late = np.cumsum(~starts(line.groups) & (np.diff(occurred, prepend=0) < 0))
    mixed = np.flatnonzero(at != NONE)
    mixed = mixed[late[last[mixed]] > late[first[mixed]]] if len(mixed) else mixed
    ends, once, which = np.unique(last[mixed], return_index=True, return_inverse=True)
    lengths = ends - first[mixed][once] + 1
    copies = np.repeat(np.arange(len(ends)), lengths)
    places = np.arange(len(copies)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + first[mixed][once][copies]
    places = places[np.lexsort((places, occurred[places], copies))]
    at[mixed] = len(row) + (np.cumsum(lengths) - 1)[which]
    group = np.concatenate([line.groups, copies + line.groups.max(initial=0) + 1])
    return _Story(group, np.concatenate([occurred, occurred[places]]), np.concatenate([row, row[places]]), at)
