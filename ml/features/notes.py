"""What people wrote down about an entity: its newest notes as one text, how many there are, how long ago, and in which mood.

A note is a record of its own (`data.domain.note`). It belongs to whom its properties name, or to whom it is linked. The mood is
that of notes, calls and meetings, and of the e-mails that did not go out from here.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from data.domain.entity import EntityKind
from data.domain.note import DIRECTION, HEARD, WENT_OUT, WRITTEN
from ml.features.facts import DAY, NONE, Examples, Facts, History, column
from ml.features.naming import belonging
from ml.features.timeline import Bools, Floats, Ints
from ml.sentiment.scorer import score

TEXT = "note_text"
SENTIMENT, LAST_SENTIMENT = "notes_sentiment", "last_note_sentiment"
COLUMNS = (TEXT, "notes_written", "days_since_note", SENTIMENT, LAST_SENTIMENT)

NEWEST = 5
LONGEST = 2_000  # characters, of each note and of all together
MARKUP = r"</?[a-zA-Z][^>]*>"  # CRMs keep notes as HTML

Words = Mapping[EntityKind, tuple[str, ...]]


@dataclass(frozen=True)
class Notes:
    """One row for each note of each example, the newest of an example first; `body`: the row of the facts that has its words."""

    example: Ints
    body: Ints

    def newest(self, most: int) -> "Notes":
        """So many of each example at most."""
        places = np.arange(len(self.example)) - np.searchsorted(self.example, self.example)
        return Notes(self.example[places < most], self.body[places < most])


def build(examples: Examples, facts: Facts) -> dict[str, pl.Series]:
    """`note_text`: the newest NEWEST notes, the newest first, as plain text. A note that is written anew is as new as that.

    `notes_sentiment`: the mean mood, from -1 to 1, of those of the newest NEWEST that have one; `last_note_sentiment`: of the
    first of these.
    """
    made: dict[str, pl.Series] = {}
    if any(examples.wants(name) for name in (TEXT, "notes_written", "days_since_note")):
        notes = notes_of(examples, facts, WRITTEN)
        made |= {
            TEXT: _texts(notes, facts, len(examples)),
            "notes_written": column(np.bincount(notes.example, minlength=len(examples)).astype(np.float64)),
            "days_since_note": _since(notes, examples, facts),
        }
    if examples.wants(SENTIMENT) or examples.wants(LAST_SENTIMENT):
        heard, moods = moods_of(examples, facts)
        made |= {SENTIMENT: _means(heard, moods, len(examples)), LAST_SENTIMENT: _lasts(heard, moods, len(examples))}
    return {name: series for name, series in made.items() if examples.wants(name)}


def moods_of(examples: Examples, facts: Facts) -> tuple[Notes, Floats]:
    """Of the newest NEWEST notes and e-mails of each example those in which anything is understood, and the mood of each."""
    heard = notes_of(examples, facts, HEARD)
    heard = _kept(heard, ~_went_out(heard, examples, facts)).newest(NEWEST)
    rows, which = np.unique(heard.body, return_inverse=True)
    moods = _plain(facts.text(rows)).map_elements(score, return_dtype=pl.Float64).fill_null(np.nan).to_numpy()[which]
    understood = ~np.isnan(moods)
    return _kept(heard, understood), moods[understood]


def notes_of(examples: Examples, facts: Facts, words: Words) -> Notes:
    """The records of these kinds that belong to each example and say something at its moment."""
    theirs = belonging(examples, facts, words)
    if not len(theirs.example):
        return Notes(theirs.example, theirs.record)
    body = _bodies(facts, words).at(theirs.record, examples.at[theirs.example])
    written = (body != NONE) & facts.has_value[body]
    found = pl.DataFrame({"example": theirs.example[written], "body": body[written]})
    found = found.with_columns(occurred=facts.occurred[found["body"].to_numpy()])
    found = found.sort("example", "occurred", "body", descending=[False, True, True])
    return Notes(found["example"].to_numpy(), found["body"].to_numpy())


def _kept(notes: Notes, which: Bools) -> Notes:
    return Notes(notes.example[which], notes.body[which])


def _bodies(facts: Facts, words: Words) -> History:
    rows = [rows[facts.of_kind(kind)[rows]] for kind, names in words.items() for rows in [facts.rows(names)]]
    return facts.latest(np.sort(np.concatenate(rows)))


def _went_out(heard: Notes, examples: Examples, facts: Facts) -> Bools:
    """Which of them are e-mails that are said to have gone out."""
    mails = facts.of_kind(EntityKind.EMAIL)
    told = facts.history(*DIRECTION).at(facts.entity[heard.body], examples.at[heard.example])
    words = facts.text(told).str.strip_chars().str.to_lowercase()
    said: Bools = words.is_in(sorted(WENT_OUT)).fill_null(value=False).to_numpy()
    return mails[heard.body] & said


def _means(heard: Notes, moods: Floats, examples: int) -> pl.Series:
    counts = np.bincount(heard.example, minlength=examples)
    sums = np.bincount(heard.example, weights=moods, minlength=examples)
    return column(sums / np.where(counts > 0, counts, np.nan))


def _lasts(heard: Notes, moods: Floats, examples: int) -> pl.Series:
    last = np.full(examples, np.nan)
    example, first = np.unique(heard.example, return_index=True)
    last[example] = moods[first]
    return column(last)


def _texts(notes: Notes, facts: Facts, examples: int) -> pl.Series:
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


def _since(notes: Notes, examples: Examples, facts: Facts) -> pl.Series:
    newest = np.full(len(examples), np.nan)
    example, first = np.unique(notes.example, return_index=True)
    newest[example] = (examples.at[example] - facts.occurred[notes.body[first]]) / DAY
    return column(newest)
