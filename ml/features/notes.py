"""What people wrote down about an entity: its newest notes as one text, how many there are, and how long ago the last was.

A note is a record of its own (`data.domain.note`). It belongs to whom its properties name, or to whom it is linked.
"""

import html
from dataclasses import dataclass

import numpy as np
import polars as pl

from data.domain.note import WRITTEN
from data.domain.relation import ROLES, Role
from ml.features.facts import DAY, NONE, Examples, Facts, History, column
from ml.features.timeline import Ints, Timeline

TEXT = "note_text"
COLUMNS = (TEXT, "notes_written", "days_since_note")

NEWEST = 5
LONGEST = 2_000  # characters, of each note and of all together
MARKUP = r"</?[a-zA-Z][^>]*>"  # CRMs keep notes as HTML


def build(examples: Examples, facts: Facts) -> dict[str, pl.Series]:
    """`note_text`: the newest NEWEST notes, the newest first, as plain text. A note that is written anew is as new as that."""
    notes = _notes(examples, facts)
    made = {
        TEXT: _texts(notes, facts, len(examples)),
        "notes_written": column(np.bincount(notes.example, minlength=len(examples)).astype(np.float64)),
        "days_since_note": _since(notes, examples, facts),
    }
    return {name: series for name, series in made.items() if examples.wants(name)}


@dataclass(frozen=True)
class _Notes:
    """One row for each note of each example, the newest of an example first; `body`: the row of the facts that has its words."""

    example: Ints
    body: Ints


def _notes(examples: Examples, facts: Facts) -> _Notes:
    of_note = facts.of_kind(*WRITTEN)
    if not of_note.any():
        return _Notes(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    naming = facts.rows([*_roles(examples), *facts.links(examples.kind)])
    naming = naming[of_note[naming]]
    told = facts.latest(naming, by=facts.property_of(naming))
    example, pair = _pairs(examples, facts, naming)
    still = told.at(facts.property_of(pair), examples.at[example])  # the pair was named once, so that there is such a row
    example, still = (rows[facts.target[still] == examples.entity[example]] for rows in (example, still))
    body = _bodies(facts).at(facts.entity[still], examples.at[example])
    written = (body != NONE) & facts.has_value[body]
    found = pl.DataFrame({"example": example[written], "body": body[written]}).unique()
    found = found.with_columns(occurred=facts.occurred[found["body"].to_numpy()])
    found = found.sort("example", "occurred", "body", descending=[False, True, True])
    return _Notes(found["example"].to_numpy(), found["body"].to_numpy())


def _pairs(examples: Examples, facts: Facts, naming: Ints) -> tuple[Ints, Ints]:
    """Each example with every note that has named its entity by then: the example's place, and the first row that did."""
    naming = naming[facts.target[naming] != NONE]
    frame = pl.DataFrame({"row": naming, "entity": facts.target[naming], "property": facts.property_of(naming)})
    first = frame.unique(["entity", "property"], keep="first", maintain_order=True)["row"].to_numpy()
    line = Timeline(facts.target[first], facts.visible[first])
    last, start = line.find(examples.entity, examples.at)
    counts = last - start + 1
    example = np.repeat(np.arange(len(examples)), counts)
    places = np.arange(len(example)) - np.repeat(np.cumsum(counts) - counts, counts) + start[example]
    return example, first[line.order[places]]


def _bodies(facts: Facts) -> History:
    rows = [rows[facts.of_kind(kind)[rows]] for kind, names in WRITTEN.items() for rows in [facts.rows(names)]]
    return facts.latest(np.sort(np.concatenate(rows)))


def _roles(examples: Examples) -> list[str]:
    return [name for name, role in ROLES.items() if role is Role(examples.kind.value)]


def _texts(notes: _Notes, facts: Facts, examples: int) -> pl.Series:
    rows, which = np.unique(notes.body, return_inverse=True)
    plain = _plain(facts.text(rows))
    told = pl.DataFrame({"example": notes.example, "text": plain.gather(which)}).group_by("example", maintain_order=True)
    joined = told.agg(pl.col("text").drop_nulls().head(NEWEST).str.join("\n"))
    texts = pl.DataFrame({"example": np.arange(examples)}).join(joined, on="example", how="left", maintain_order="left")["text"]
    texts = texts.str.head(LONGEST)
    return texts.set(texts == "", None)


def _plain(texts: pl.Series) -> pl.Series:
    """Without HTML's marks; null where nothing is left."""
    texts = texts.str.replace_all(MARKUP, " ")
    texts = texts.map_elements(html.unescape, return_dtype=pl.String)
    texts = texts.str.replace_all(r"\s+", " ").str.strip_chars().str.head(LONGEST)
    return texts.set(texts == "", None)


def _since(notes: _Notes, examples: Examples, facts: Facts) -> pl.Series:
    newest = np.full(len(examples), np.nan)
    example, first = np.unique(notes.example, return_index=True)
    newest[example] = (examples.at[example] - facts.occurred[notes.body[first]]) / DAY
    return column(newest)
