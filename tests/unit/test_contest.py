"""The rows that both are judged by: the candidate's newest, and none that the champion has learned from."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from ml.features.inputs import Input, InputKind
from ml.learners.base import log_odds, probability
from ml.models.base import Model, of_user_table
from ml.preparation.base import AS_OF
from ml.training.contest import FEWEST_UNSEEN, _levels, as_asked, contest
from ml.training.gate import decide
from ml.training.ladder import TypedTable
from ml.training.rows import row_keys
from ml.training.train import Trained, keys_of, train
from tests.support import NOON

MODEL: Model = replace(of_user_table("own", "won"), learners={"logistic": ({"C": 1.0},)})
INPUTS = (
    Input(name="visits", kind=InputKind.NUMBER),
    Input(name="region", kind=InputKind.CATEGORY, categories=("north", "south")),
    Input(name="member", kind=InputKind.BOOLEAN),
)


def table(rows: int) -> TypedTable:
    """The first so many rows of one table that grows."""
    generator = np.random.default_rng(0)
    visits = generator.integers(0, 9, 2_000)
    region = generator.choice(["north", "south"], 2_000)
    member = generator.integers(0, 2, 2_000)
    labels = (generator.random(2_000) < probability(0.6 * visits - 2.5 + (region == "north"))).astype(np.int64)
    frame = pl.DataFrame({"visits": visits.astype(float), "region": region, "member": member.astype(float)})
    return TypedTable(INPUTS, frame[:rows], labels[:rows])


@cache
def trained(rows: int) -> Trained:
    return train(MODEL, table(rows), data_hash=str(rows), now=NOON, seed=0)


def test_without_a_champion_there_is_nothing_but_the_candidate() -> None:
    made = contest(trained(1_000), None)
    assert made.champion is None
    assert len(made.labels) == trained(1_000).card.rows_holdout
    assert probability(made.candidate).tolist() == pytest.approx(trained(1_000).scores.tolist())


def test_the_newest_rows_judge_both() -> None:
    candidate, champion = trained(2_000), trained(1_000)
    made = contest(candidate, champion.version, champion.rows)
    assert len(made.labels) == 400
    assert made.notes == ()
    assert made.champion is not None
    assert made.champion.tolist() == pytest.approx(champion.version.scorer.margins(candidate.judges.frame).tolist())
    assert set(made.levels) == {"region", "member"}
    assert set(made.levels["member"]) == {"yes", "no"}


def test_rows_that_the_champion_has_learned_from_are_left_out() -> None:
    """A table that shrank: the newest rows of the one are among those that taught the other."""
    candidate, champion = trained(1_000), trained(1_150)  # which learned from 920 rows
    made = contest(candidate, champion.version, champion.rows)
    assert len(made.labels) == 1_000 - 920
    assert made.notes == ("the champion has learned from 120 of the 200 rows: left out",)
    assert made.labels.tolist() == table(1_000).labels[920:].tolist()


def test_where_too_few_rows_are_left_all_judge_and_that_is_said() -> None:
    candidate, champion = trained(1_000), trained(1_240)  # which learned from 992 rows
    made = contest(candidate, champion.version, champion.rows)
    assert FEWEST_UNSEEN > 1_000 - 992
    assert len(made.labels) == 200
    assert "the comparison favours it" in made.notes[0]


def test_of_a_small_table_the_champion_answers_as_it_did_when_it_was_judged() -> None:
    """All rows taught both; but each was also judged by folds that had not seen it."""
    candidate, champion = trained(300), trained(200)
    assert (candidate.card.rows_holdout, champion.card.rows_holdout) == (0, 0)
    made = contest(candidate, champion.version, champion.rows)
    assert made.notes == ()
    assert made.champion is not None
    keys = row_keys(table(300).frame, ["visits", "region", "member"])[candidate.judged]
    then = dict(zip(champion.rows.holdout["key"], champion.rows.holdout["margin"], strict=True))
    now = champion.version.scorer.margins(candidate.judges.frame)
    assert made.champion.tolist() == pytest.approx([then.get(key, at) for key, at in zip(keys, now, strict=True)])
    assert sum(key in then for key in keys) > 100


def test_a_champion_whose_rows_are_not_known_is_favoured_and_that_is_said() -> None:
    made = contest(trained(1_000), trained(1_240).version, None)
    assert len(made.labels) == 200
    assert "not known" in made.notes[0]


def without_region(*, raw: bool, kind: InputKind | None = None) -> Trained:
    """A candidate that leaves the region out, or takes it for another kind; `raw`: its table has it all the same."""
    whole = table(2_000)
    inputs = (INPUTS[0], INPUTS[2]) if kind is None else (INPUTS[0], Input(name="region", kind=kind), INPUTS[2])
    typed = TypedTable(inputs, whole.frame.select([column.name for column in inputs]), whole.labels)
    return replace(train(MODEL, typed, data_hash="", now=NOON, seed=0), raw=whole.frame if raw else None)


@pytest.mark.parametrize("kind", [None, InputKind.TEXT], ids=["left out", "another kind"])
def test_what_the_candidate_does_not_take_the_champion_is_asked_with_all_the_same(kind: InputKind | None) -> None:
    champion = trained(1_000)
    candidate = without_region(raw=True, kind=kind)
    made = contest(candidate, champion.version, champion.rows)
    assert (made.notes, made.not_given) == ((), ())
    assert made.champion is not None
    assert made.champion.tolist() == pytest.approx(champion.version.scorer.margins(table(2_000).frame[1_600:]).tolist())


def test_a_champion_that_the_table_cannot_ask_does_not_give_way() -> None:
    """Without its best column it would lose, and that says nothing of how it does in service."""
    champion = trained(1_000)
    candidate = without_region(raw=False)
    made = contest(candidate, champion.version, champion.rows)
    assert made.not_given == ("region",)
    blind = candidate.judges.frame.with_columns(region=pl.lit(None, pl.String))
    assert made.champion is not None
    assert made.champion.tolist() == pytest.approx(champion.version.scorer.margins(blind).tolist())
    decision = decide(made)
    assert decision.log_loss is not None
    assert not decision.promote
    assert "learned from 'region', which this table does not have, so the two cannot be compared" in decision.reasons[0]
    knows_nothing = replace(champion.version, card=champion.card.model_copy(update={"learner": "prior"}))
    assert contest(candidate, knows_nothing, champion.rows).not_given == ()


def test_groups_go_with_their_rows_and_those_that_taught_do_not_judge() -> None:
    groups = np.arange(1_000) // 2
    groups[800:860] = groups[:60]
    candidate = train(MODEL, replace(table(1_000), groups=groups), data_hash="", now=NOON, seed=0)
    assert candidate.card.rows_holdout == 140
    made = contest(candidate, trained(1_000).version, trained(1_000).rows)
    assert made.groups is not None
    assert made.groups.tolist() == groups[860:].tolist()


def dated(*, timed: bool) -> Trained:
    """Whoever renewed more than 30 days before the row's moment is won; without the moment the date itself is all there is."""
    generator = np.random.default_rng(0)
    times = np.sort(generator.uniform(20_000, 20_500, 800))
    ages = generator.uniform(0, 100, len(times))
    frame = pl.DataFrame({"renewal": times - ages})
    labels = (generator.random(len(times)) < np.where(ages > 30, 0.9, 0.1)).astype(np.int64)
    inputs, moment = (Input(name="renewal", kind=InputKind.DATE),), Input(name="asked on", kind=InputKind.DATE)
    made = TypedTable(inputs, frame.with_columns(pl.Series(AS_OF, times)) if timed else frame, labels, times if timed else None)
    return train(MODEL, made, moment=moment if timed else None, data_hash=str(timed), now=NOON, seed=0)


@pytest.mark.parametrize("champion_is_timed", [True, False])
@pytest.mark.parametrize("candidate_is_timed", [True, False])
def test_a_champion_is_asked_with_the_moment_that_it_knows(champion_is_timed: bool, candidate_is_timed: bool) -> None:
    candidate, champion = dated(timed=candidate_is_timed), dated(timed=champion_is_timed)
    made = contest(candidate, champion.version, None)
    rows = champion.table.frame[640:]
    if champion_is_timed and not candidate_is_timed:
        rows = rows.with_columns(pl.lit(None, pl.Float64).alias(AS_OF))
        assert made.not_given == ("asked on",)
    assert made.champion is not None
    assert made.champion.tolist() == pytest.approx(champion.version.scorer.margins(rows).tolist())


def test_rows_are_known_again_although_only_the_candidate_has_moments() -> None:
    candidate, champion = dated(timed=True), dated(timed=False)
    names = [keys_of(one.table, champion.card, as_asked(one, champion.card)[0]).to_list() for one in (candidate, champion)]
    assert names[0] == names[1]
    assert contest(candidate, champion.version, champion.rows).notes == ()
    named = replace(candidate, version=replace(candidate.version, card=candidate.card.model_copy(update={"id_column": "id"})))
    assert "not known" in contest(named, champion.version, champion.rows).notes[0]


def test_the_stored_margins_are_those_that_judged() -> None:
    for rows in (300, 1_000):
        found = trained(rows).rows
        assert found.holdout["margin"].to_list() == pytest.approx(log_odds(trained(rows).scores).tolist())
        assert found.holdout["label"].to_list() == trained(rows).judges.labels.tolist()
        assert len(found.learned) == trained(rows).card.rows_train


def test_numbers_that_are_one_and_zero_only_are_segments_too() -> None:
    inputs = tuple(Input(name=name, kind=InputKind.NUMBER) for name in ("flag", "visits", "none"))
    frame = pl.DataFrame({"flag": [1.0, 0.0, None, 1.0], "visits": [1.0, 2.0, 0.0, 1.0], "none": [None, 0.0, 0.0, 0.0]})
    found = _levels(TypedTable(inputs, frame, np.array([0, 1, 0, 1])))
    assert {name: values.tolist() for name, values in found.items()} == {"flag": ["yes", "no", None, "yes"]}
