"""TABLE of the benchmark's tables: five of real people, and the synthetic leads whose true probabilities are known.

Every table is typed once, as a careful reader of a CSV would, and all peers see the same types: a column whose cells
are all numbers is a number, any other is text, a blank cell is missing.
"""

import gzip
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.samples import leads
from data.settings import ROOT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REAL_DATA = ROOT.parent / "shared" / "data"
POSITIVE_WORDS = ("yes", "true", "1")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "June", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FIRST_EXCHANGES = 5
SPEAKERS = (("0", "asked"), ("1", "answered"))
SMALL_ROWS = 9_300  # a tenth of the classic table
SMALL_SEED = 1  # another draw of the same world, not a part of the large one


@dataclass(frozen=True)
class Table:
    """Rows with labels 0/1 in the column `target`.

    `is_timed`: the rows are in time order, so a newest part means something. `time` names the column of the moment,
    None where only the order is known. `no_twins_across`: exact duplicates stay on one side of a split. `truth`: the
    true probability of each row, where it is known.
    """

    name: str
    frame: pl.DataFrame
    target: str
    is_timed: bool = False
    time: str | None = None
    no_twins_across: bool = False
    truth: Floats | None = None

    @property
    def labels(self) -> Ints:
        return self.frame[self.target].to_numpy()

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.frame.write_csv().encode()).hexdigest()

    def twins(self) -> Ints:
        """A number for each row, the same for rows with the same inputs."""
        inputs = self.frame.drop(self.target)
        return inputs.select(pl.struct(pl.all()).rank("dense").cast(pl.Int64)).to_series().to_numpy()

    def with_labels(self, labels: Ints) -> "Table":
        frame = self.frame.with_columns(pl.Series(self.target, labels))
        return Table(self.name, frame, self.target, self.is_timed, self.time, self.no_twins_across)


def bank() -> Table:
    """A bank's telephone campaign, in time order. `duration` is known only after the call."""
    frame = _read("bank_marketing.csv.gz", separator=";", drop=("duration",))
    return Table("bank", _labelled(frame, "y"), "y", is_timed=True)


def shoppers() -> Table:
    """Sessions of a web shop, ordered by their month: the file itself mixes June to December.

    `PageValues` is computed from the transactions that are to be predicted.
    """
    frame = _read("online_shoppers.csv.gz", drop=("PageValues",))
    in_time = frame.sort(pl.col("Month").replace_strict({name: place for place, name in enumerate(MONTHS)}), maintain_order=True)
    return Table("shoppers", _labelled(in_time, "Revenue"), "Revenue", is_timed=True)


def telco() -> Table:
    """Customers of a telephone company."""
    frame = _read("telco_churn.csv.gz", drop=("customerID",))
    return Table("telco", _labelled(frame, "Churn"), "Churn")


def iranian() -> Table:
    """Customers of another; 300 of the 3,150 rows repeat an earlier one, and would be known by heart across a split."""
    frame = _read("iranian_churn.csv.gz")
    return Table("iranian", _labelled(frame, "Churn"), "Churn", no_twins_across=True)


def persuasion() -> Table:
    """People who were asked to donate: who they are, what was said in the first half of the talk, and whether they gave.

    A talk has about ten exchanges; its end and its length would tell how it ended. Of those who were asked more than once
    the first talk counts: they would be known again across a split.
    """
    people = _read("persuasion_outcomes.csv.gz").filter(pl.col("B4") == "1").unique("B3", keep="first", maintain_order=True)
    turns = _read("persuasion_dialogues.csv.gz").filter(pl.col("Turn").cast(pl.Int64) < FIRST_EXCHANGES)
    said = turns.group_by("B2", "B4", maintain_order=True).agg(pl.col("Unit").str.join(" "))
    asked, answered = (said.filter(pl.col("B4") == who).select("B2", pl.col("Unit").alias(name)) for who, name in SPEAKERS)
    joined = people
    for texts in (asked, answered):
        joined = joined.join(texts, on="B2", how="left", maintain_order="left")
    gave = (joined["B6"].cast(pl.Float64) > 0).cast(pl.Int64).alias("gave")
    return Table("persuasion", typed(joined.drop("B2", "B3", "B4", "B6", "B7")).with_columns(gave), "gave")


def synthetic_leads() -> Table:
    """The classic 93,000 leads of the synthetic CRM."""
    return _leads("leads", leads.CLASSIC_ROWS, seed=0)


def fewer_leads() -> Table:
    """A smaller draw of the same world."""
    return _leads("leads_small", SMALL_ROWS, seed=SMALL_SEED)


REAL: dict[str, Callable[[], Table]] = {"bank": bank, "shoppers": shoppers, "telco": telco, "iranian": iranian}
# The talks are real too, but at 400 rows nobody could tell their signal from chance.
TABLES: dict[str, Callable[[], Table]] = {**REAL, "persuasion": persuasion, "leads": synthetic_leads, "leads_small": fewer_leads}


def load(names: Sequence[str], say: Callable[[str], None]) -> list[Table]:
    """The named tables; a real one whose file is absent is left out, and said."""
    found = []
    for name in names:
        try:
            found.append(TABLES[name]())
        except FileNotFoundError as error:
            say(f"{name} skipped: {error.filename} is not there")
    return found


def typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Text columns as integers or decimals where every cell that is not blank is one; the others as trimmed text."""
    return frame.select(_typed(frame[name].str.strip_chars()) for name in frame.columns)


def _typed(cells: pl.Series) -> pl.Series:
    filled = cells.set(cells == "", None)
    for kind in (pl.Int64, pl.Float64):
        numbers = filled.cast(kind, strict=False)
        if numbers.null_count() == filled.null_count():
            return numbers
    return filled


def _read(name: str, *, separator: str = ",", drop: Sequence[str] = ()) -> pl.DataFrame:
    content = gzip.decompress((Path(REAL_DATA) / name).read_bytes())
    return pl.read_csv(content, separator=separator, infer_schema=False).drop(drop)


def _labelled(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    labels = frame[target].str.strip_chars().str.to_lowercase().is_in(POSITIVE_WORDS).cast(pl.Int64)
    return typed(frame.drop(target)).with_columns(labels.alias(target))


def _leads(name: str, rows: int, seed: int) -> Table:
    frame = leads.table(rows, seed)
    truth = frame["true_probability"].to_numpy()
    return Table(name, frame.drop("true_probability"), "is_won", is_timed=True, time="created_at", truth=truth)
