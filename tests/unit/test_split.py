"""Who teaches and who judges: nobody judges what it taught, no identity stands on both sides, no past is judged by its future."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.preparation.base import Floats, Ints
from ml.training.split import FEWEST_FOR_TIME, FEWEST_JUDGES, FOLDS, MANY_ROWS, MOST_REPEATS, Plan, judges, plan, twins


def outcomes(rows: int, wins: int, seed: int = 0) -> Ints:
    labels = np.zeros(rows, dtype=np.int64)
    labels[np.random.default_rng(seed).permutation(rows)[:wins]] = 1
    return labels


def assert_fair(made: Plan, labels: Ints) -> None:
    """In each repeat a row judges at most once, and no fold's teachers judge it; teachers have both outcomes."""
    judged = np.zeros((made.repeats, len(labels)))
    for fold in made.folds:
        assert not set(fold.train) & set(fold.judge)
        assert len(fold.judge) > 0
        assert set(labels[fold.train]) == {0, 1}
        judged[fold.repeat, fold.judge] += 1
    assert (judged <= 1).all()


@given(st.integers(2, 400), st.integers(1, 400), st.integers(0, 5))
def test_an_identity_that_taught_does_not_judge_unless_too_few_are_left(rows: int, identities: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels, groups = generator.integers(0, 2, rows), np.sort(generator.integers(0, identities, rows))
    cut = int(generator.integers(1, rows))
    found = judges(labels, groups, cut)
    assert set(found) <= set(range(cut, rows))
    assert len(found) == rows - cut or (len(found) >= FEWEST_JUDGES and not set(groups[found]) & set(groups[:cut]))
    assert judges(labels, None, cut).tolist() == list(range(cut, rows))


@given(st.integers(2, 90), st.integers(0, 90), st.integers(0, 5))
def test_few_rows_are_judged_in_turn_and_repeatedly(rows: int, wins: int, seed: int) -> None:
    labels = outcomes(rows, min(wins, rows), seed)
    made = plan(labels, seed=seed)
    assert_fair(made, labels)
    if min(labels.sum(), rows - labels.sum()) < 2:
        assert not made.folds
        assert "no validation" in made.how
    else:
        assert made.repeats == MOST_REPEATS
        assert sum(len(fold.judge) for fold in made.folds) == rows * made.repeats, "each row judges once in each repeat"


@given(st.lists(st.integers(0, 6), min_size=2, max_size=60), st.integers(0, 60), st.integers(0, 5))
def test_an_identity_is_never_on_both_sides(names: list[int], wins: int, seed: int) -> None:
    groups = np.array([f"customer {name}" for name in names])
    labels = outcomes(len(groups), min(wins, len(groups)), seed)
    made = plan(labels, groups=groups, seed=seed)
    assert_fair(made, labels)
    for fold in made.folds:
        assert not set(groups[fold.train]) & set(groups[fold.judge])
    if len(set(names)) == 1:
        assert not made.folds


def test_identities_that_split_are_used() -> None:
    labels, groups = outcomes(300, 100), np.arange(300) // 3
    made = plan(labels, groups=groups)
    assert len(made.folds) == FOLDS * made.repeats
    assert "together" in made.how


@pytest.mark.parametrize("few", [1, 2, 40, 5_000])
@settings(max_examples=6)
@given(seed=st.integers(0, 20), grouped=st.booleans())
def test_no_row_is_judged_by_its_own_future(few: int, seed: int, grouped: bool) -> None:
    """Few distinct moments, many, and in any order of the rows."""
    generator = np.random.default_rng(seed)
    rows = FEWEST_FOR_TIME
    times: Floats = np.sort(generator.integers(0, few, rows)).astype(float)
    groups = generator.integers(0, 400, rows) if grouped else None
    labels = outcomes(rows, 300, seed)
    made = plan(labels, times=times, groups=groups, seed=seed)
    assert_fair(made, labels)
    assert made.in_time is (few > FOLDS)
    for fold in made.folds:
        if made.in_time:
            assert times[fold.judge].min() > times[fold.train].max()
        if groups is not None:
            assert not set(groups[fold.train]) & set(groups[fold.judge])


def test_rows_that_look_alike_stay_together_but_not_along_the_time() -> None:
    """A future that looks like the past is no reason not to be judged by it."""
    rows = 2 * FEWEST_FOR_TIME
    labels, looks = outcomes(rows, 600), np.arange(rows) % 40
    for fold in plan(labels, twins=looks).folds:
        assert not set(looks[fold.train]) & set(looks[fold.judge])
    along = plan(labels, twins=looks, times=np.arange(float(rows)))
    assert along.in_time
    assert sum(len(fold.judge) for fold in along.folds) == pytest.approx(0.6 * rows, abs=4)
    named = plan(labels, groups=np.arange(rows), twins=looks)
    assert "together" not in named.how, "each row is known to be another's"


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([None, "a", "b"])), max_size=30))
def test_rows_are_alike_in_every_column_or_not_at_all(rows: list[tuple[int, str | None]]) -> None:
    found = twins(pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String}, orient="row"))
    if found is None:
        assert len(set(rows)) == len(rows)
    else:
        assert [found[0] == one for one in found] == [rows[0] == one for one in rows]


def test_later_folds_learn_from_all_that_came_before() -> None:
    times = np.arange(2_000.0)
    made = plan(outcomes(2_000, 500), times=times)
    assert [len(fold.train) for fold in made.folds] == sorted(len(fold.train) for fold in made.folds)
    for fold in made.folds:
        assert set(fold.train) == set(range(fold.judge.min()))


def test_time_takes_second_place_where_rows_are_few() -> None:
    made = plan(outcomes(200, 50), times=np.arange(200.0))
    assert not made.in_time
    assert len(made.folds) > FOLDS


def test_time_that_hides_an_outcome_falls_back_to_folds_at_random() -> None:
    """All wins are new: no early part could teach what a win is."""
    labels = np.r_[np.zeros(1_900, dtype=np.int64), np.ones(100, dtype=np.int64)]
    made = plan(labels, times=np.arange(2_000.0))
    assert not made.in_time
    assert_fair(made, labels)


def test_many_rows_take_fewer_folds() -> None:
    assert len(plan(outcomes(MANY_ROWS + 1, 9_000)).folds) == 3


def test_the_same_seed_gives_the_same_folds_and_another_gives_others() -> None:
    labels = outcomes(60, 20)
    one, again, other = (plan(labels, seed=seed) for seed in (1, 1, 2))
    assert all((a.judge == b.judge).all() for a, b in zip(one.folds, again.folds, strict=True))
    assert any(set(a.judge) != set(b.judge) for a, b in zip(one.folds, other.folds, strict=True))
