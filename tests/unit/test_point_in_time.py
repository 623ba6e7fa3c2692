"""Features as of a moment: they are what the definition says, and nothing that was known later changes them."""

from dataclasses import replace
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.features import engagement, notes
from ml.features.build import build, fit_norms, from_properties, needs_related, properties_behind
from ml.features.sets import SETS
from tests.described import described, same
from tests.facts import CONTACTS, DAYS, DEALS, Told, examples, frame, long_story, moment, moment_of, stories

MOMENTS = (7, 33, 90, DAYS + 50)
END = DAYS + 100
ASKED = {
    "lead_score": [(entity, day) for entity in CONTACTS for day in MOMENTS],
    "win_probability": [(entity, day) for entity in DEALS for day in MOMENTS],
}
FEW = settings(max_examples=7)  # each builds some thirty columns several times
MODELS = pytest.mark.parametrize("model", ASKED)


def columns_of(model: str) -> list[str]:
    own = ["company_size", "company_industry", *(["job"] if model == "lead_score" else [])]
    return [*(name for subject in SETS[model].subjects for name in subject.columns), *own]


def built(model: str, told: list[Told], asked: list[tuple[int, float]] | None = None) -> pl.DataFrame:
    return made(model, told, asked, wanted=columns_of(model))


def made(model: str, told: list[Told], asked: list[tuple[int, float]] | None = None, **how: Any) -> pl.DataFrame:
    facts = frame(told)
    return build(model, examples(asked or ASKED[model]), facts, norms=fit_norms(model, facts, moment(END)), **how)


@MODELS
@settings(max_examples=30)
@given(told=stories())
def test_each_row_is_what_the_definition_says(model: str, told: list[Told]) -> None:
    rows = built(model, told).to_dicts()
    for (entity, at), row in zip(ASKED[model], rows, strict=True):
        wanted = described(entity, at, told)
        assert same(row, wanted), {name: (row[name], wanted.get(name)) for name in row if row[name] != wanted.get(name)}


@MODELS
@pytest.mark.parametrize("seed", range(4))
def test_each_row_of_a_long_story_is_what_the_definition_says(model: str, seed: int) -> None:
    random = Random(seed)
    told = long_story(random, 400 * (seed + 1))
    asked = [(entity, moment_of(random, END)) for entity, _ in ASKED[model] for _ in range(40)]
    rows = built(model, told, asked).to_dicts()
    for (entity, at), row in zip(asked, rows, strict=True):
        wanted = described(entity, at, told)
        assert same(row, wanted), {name: (row[name], wanted.get(name)) for name in row if row[name] != wanted.get(name)}


@MODELS
@FEW
@given(told=stories(), later=stories(), at=st.integers(0, DAYS))
def test_what_becomes_visible_later_never_changes_a_row(model: str, told: list[Told], later: list[Told], at: int) -> None:
    after = [replace(one, known=at + 0.5 + one.known, id=one.id + 100, event=(one.event or 0) + 100) for one in later]
    asked = [(entity, day) for entity, day in ASKED[model] if day <= at] + [(ASKED[model][0][0], at)]
    assert_frame_equal(built(model, [*told, *after], asked), built(model, told, asked))


@MODELS
@FEW
@given(told=stories(), random=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(model: str, told: list[Told], random: Any) -> None:
    shuffled, asked = list(told), list(ASKED[model])
    random.shuffle(shuffled)
    random.shuffle(asked)
    rows = dict(zip(asked, built(model, shuffled, asked).rows(), strict=True))
    assert [rows[each] for each in ASKED[model]] == built(model, told).rows()


@MODELS
@FEW
@given(told=stories(), random=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter_once_everything_is_known(model: str, told: list[Told], random: Any) -> None:
    delays = [random.randint(0, 60) for _ in told]
    distinct = [replace(one, occurred=one.occurred + one.id / 1000, event=one.id if one.event else None) for one in told]
    early = [replace(one, known=one.occurred) for one in distinct]
    late = [replace(one, known=one.occurred + delay) for one, delay in zip(distinct, delays, strict=True)]
    asked = [(entity, DAYS + 60 + 31) for entity, _ in ASKED[model]]
    assert_frame_equal(built(model, late, asked), built(model, early, asked))


@pytest.mark.slow
@MODELS
@FEW
@given(told=stories())
def test_many_examples_at_once_are_the_same_as_one_by_one(model: str, told: list[Told]) -> None:
    one_by_one = pl.concat([built(model, told, [asked]) for asked in ASKED[model]])
    assert_frame_equal(built(model, told), one_by_one)


@MODELS
@FEW
@given(told=stories(), extra=stories())
def test_what_we_wrote_ourselves_is_never_seen(model: str, told: list[Told], extra: list[Told]) -> None:
    others = [replace(one, id=one.id + 100, event=(one.event or 0) + 100) for one in extra]
    ours = [replace(one, by_us=True) for one in others]
    predicted = [replace(one, name=f"predicted_{one.name}", id=one.id + 100) for one in others]
    assert_frame_equal(built(model, [*told, *ours, *predicted]), built(model, told))
    every = build(model, examples(ASKED[model]), frame([*told, *ours, *predicted]))
    assert not [name for name in every.columns if "predicted" in name]


@MODELS
@FEW
@given(told=stories(), data=st.data())
def test_a_few_columns_are_the_same_as_among_all(model: str, told: list[Told], data: st.DataObject) -> None:
    some = data.draw(st.lists(st.sampled_from(columns_of(model)), unique=True, min_size=1))
    assert_frame_equal(made(model, told, wanted=some), built(model, told).select(some))


@MODELS
@FEW
@given(told=stories())
def test_without_a_list_of_columns_there_are_all_that_anybody_has(model: str, told: list[Told]) -> None:
    every = made(model, told)
    assert_frame_equal(every, built(model, told).select(every.columns))


@given(st.fixed_dictionaries({}, optional={
    "sessions": st.integers(0, 9).map(str), "engaged_sessions": st.integers(0, 9).map(str), "page_views": st.just("many"),
    "channel": st.sampled_from(["EMAIL", " Paid_Social "]), "is_first_visit": st.sampled_from(["true", "no"]),
}))  # fmt: skip
def test_the_five_mean_the_same_with_and_without_a_history(lead: dict[str, str]) -> None:
    told = [Told(1, name, value, 1, 1, number, number) for number, (name, value) in enumerate(lead.items())]
    (row,) = build("lead_score", examples([(1, 1)]), frame(told), wanted=engagement.TOLD).to_dicts()
    flat = from_properties("lead_score", lead)
    derived = {True: "true", False: "false"}
    assert row == {name: derived.get(value, value) if isinstance(value, bool) else value for name, value in flat.items()}


def test_the_newest_value_wins_and_a_late_one_counts_from_its_arrival() -> None:
    told = [Told(1, "job", "engineer", 1, 1), Told(1, "job", "founder", 5, 9, 1), Told(1, "job", "student", 3, 20, 2)]
    rows = build("lead_score", examples([(1, day) for day in (0, 1, 8.9, 9, 30)]), frame(told), wanted=["job"])
    assert rows["job"].to_list() == [None, "engineer", "engineer", "founder", "founder"]


def test_what_a_vendors_history_says_of_one_moment_is_one_event() -> None:
    told = [
        Told(1, name, "1", day, day, number, origin="backfill") for number, (name, day) in enumerate([("a", 1), ("b", 1), ("b", 2)])
    ]
    rows = build("lead_score", examples([(1, 1), (1, 3)]), frame(told), wanted=["events_7d"])
    assert rows["events_7d"].to_list() == [1.0, 2.0]


def test_of_many_long_notes_the_newest_are_read_and_their_beginnings() -> None:
    told = [Told(note, "person_id", "1", 1, 1, note, note, 1) for note in range(100, 108)]
    told += [Told(note, "content", f"<b>note {note}</b> " + "x" * 900, note, note, 1_000 + note) for note in range(100, 108)]
    facts = frame(told, kinds=dict.fromkeys(range(100, 108), "note"))
    (row,) = build("lead_score", examples([(1, 110)]), facts, wanted=notes.COLUMNS).to_dicts()
    assert (row["notes_written"], row["days_since_note"], len(row["note_text"])) == (8, 3, notes.LONGEST)
    assert [line.split(" x")[0] for line in row["note_text"].splitlines()] == ["note 107", "note 106", "note 105"]
    short = facts.with_columns(value=pl.col("value").str.head(16))
    (row,) = build("lead_score", examples([(1, 110)]), short, wanted=notes.COLUMNS).to_dicts()
    assert row["note_text"].splitlines() == [f"note {note}" for note in (107, 106, 105, 104, 103)]


def test_looking_up_is_no_event() -> None:
    told = [Told(1, "a", "1", 1, 1, origin="lookup")]
    assert build("lead_score", examples([(1, 1)]), frame(told), wanted=["events_7d", "a"]).row(0) == (0.0, "1")


def test_an_empty_warehouse_and_no_examples_are_fine() -> None:
    for model, asked in ASKED.items():
        assert build(model, examples([]), frame([])).height == 0
        assert all(value in {None, 0.0, 1.0} for row in built(model, [], asked).rows() for value in row)


def test_a_users_own_table_sees_its_columns_and_nothing_else() -> None:
    told = [Told(1, "sessions", "4", 1, 1), Told(1, "Team Size", "7", 1, 1, 1)]
    made = build("own_table", examples([(1, 2), (2, 2)]), frame(told), wanted=["Team Size", "unheard of"])
    assert made.rows() == [("7", None), (None, None)]
    assert properties_behind("own_table", ["Team Size"]) == ("Team Size",)


def test_the_properties_behind_columns_are_what_they_are_made_of() -> None:
    assert properties_behind("lead_score", engagement.TOLD) == engagement.TOLD
    assert properties_behind("lead_score", ["sessions_growth_7d", "job", "events_7d", "company_size"]) == (*engagement.TOLD, "job")
    assert needs_related("lead_score", ["company_size"])
    assert not needs_related("lead_score", [*engagement.TOLD, "job", "events_7d"])


def beside(told: list[Told], theirs: list[Told]) -> pl.DataFrame:
    """Facts of the records themselves, and what was told of others of the same person."""
    own = frame(told).with_columns(own=pl.lit(value=True))
    return pl.concat([own, frame(theirs).with_columns(own=pl.lit(value=False))])


@MODELS
@FEW
@given(told=stories(), theirs=stories(), later=stories(), at=st.integers(0, DAYS))
def test_what_another_record_of_the_same_tells_later_never_changes_a_row(
    model: str, told: list[Told], theirs: list[Told], later: list[Told], at: int
) -> None:
    theirs = [replace(one, id=one.id + 100, event=(one.event or 0) + 100) for one in theirs]
    after = [replace(one, known=at + 0.5 + one.known, id=one.id + 200, event=(one.event or 0) + 200) for one in later]
    asked = [(entity, day) for entity, day in ASKED[model] if day <= at] + [(ASKED[model][0][0], at)]
    rows = [build(model, examples(asked), beside(told, others), wanted=columns_of(model)) for others in (theirs, [*theirs, *after])]
    assert_frame_equal(*rows)


@FEW
@given(told=stories(), theirs=stories())
def test_a_record_s_own_values_stand_and_the_others_fill_its_gaps(told: list[Told], theirs: list[Told]) -> None:
    theirs = [replace(one, id=one.id + 100, event=(one.event or 0) + 100) for one in theirs]
    asked = examples(ASKED["lead_score"])
    alone, others, both = (
        build("lead_score", asked, facts, wanted=["job"])["job"] for facts in (frame(told), frame(theirs), beside(told, theirs))
    )
    assert both.to_list() == alone.zip_with(alone.is_not_null(), others).to_list()
