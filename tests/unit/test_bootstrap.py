"""Differences between two models: the right figures, and intervals that hold what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from ml.learners.base import probability
from ml.preparation.base import Floats, Ints
from ml.training import bootstrap


def sample(seed: int, rows: int = 400) -> tuple[Ints, Floats]:
    """Labels, and the true log-odds that made them."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(-1, 1.2, rows)
    return (generator.random(rows) < probability(truth)).astype(np.int64), truth


@given(st.integers(0, 10_000))
def test_the_figures_are_those_of_the_field(seed: int) -> None:
    labels, truth = sample(seed, 200)
    margins = truth.round(1)  # with ties
    found = bootstrap.paired(labels, margins, -margins, rounds=2)
    assert found.log_loss.champion == pytest.approx(metrics.log_loss(labels, probability(margins)), abs=1e-9)
    assert found.auc is not None
    assert found.auc.champion == pytest.approx(metrics.roc_auc_score(labels, margins), abs=1e-12)
    assert found.auc.candidate == pytest.approx(1 - found.auc.champion, abs=1e-12)


def test_weights_are_rows_that_are_there_so_often() -> None:
    labels, truth = sample(1, 60)
    weights = next(bootstrap.draws(60, None, rounds=1, seed=3))
    assert weights.sum() == 60
    repeated = np.repeat(np.arange(60), weights.astype(int))
    judged = bootstrap._Judged(labels, truth)
    assert judged.auc(weights) == pytest.approx(metrics.roc_auc_score(labels[repeated], truth[repeated]))
    assert judged.log_loss(weights) == pytest.approx(metrics.log_loss(labels[repeated], probability(truth[repeated])))


def test_a_model_does_not_differ_from_itself() -> None:
    labels, truth = sample(2)
    found = bootstrap.paired(labels, truth, truth, rounds=50)
    assert found.auc is not None
    for difference in (found.log_loss, found.auc):
        assert (difference.difference, difference.low, difference.high, difference.error) == (0, 0, 0, 0)


def test_pairs_tell_more_than_two_samples() -> None:
    """On the same rows the luck of the draw is the same for both and falls out."""
    labels, truth = sample(3)
    worse = truth + np.random.default_rng(0).normal(0, 0.3, len(truth))
    together = bootstrap.paired(labels, truth, worse, rounds=200).log_loss
    apart = bootstrap.two_samples((labels, truth), (labels, worse), rounds=200).log_loss
    assert together.difference == pytest.approx(apart.difference)
    assert together.error < apart.error / 3


def test_rows_of_one_group_are_no_independent_witnesses() -> None:
    labels, truth = sample(4, 100)
    worse = truth + np.random.default_rng(0).normal(0, 0.5, 100)
    many = [np.repeat(values, 20) for values in (labels, truth, worse)]
    alone = bootstrap.paired(*many, rounds=200).log_loss
    grouped = bootstrap.paired(*many, groups=np.repeat(np.arange(100), 20), rounds=200).log_loss
    honest = bootstrap.paired(labels, truth, worse, rounds=200).log_loss
    assert grouped.error == pytest.approx(honest.error, rel=0.2)
    assert alone.error < grouped.error / 3


def test_with_one_outcome_there_is_no_auc() -> None:
    ones = np.ones(30, dtype=np.int64)
    found = bootstrap.paired(ones, np.linspace(-1, 1, 30), np.linspace(-1, 2, 30), rounds=20)
    assert found.auc is None
    assert np.isfinite([found.log_loss.low, found.log_loss.high]).all()


def test_the_same_seed_gives_the_same_interval() -> None:
    labels, truth = sample(5)
    one, same, other = (bootstrap.paired(labels, truth, truth * 0.8, rounds=50, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.slow
def test_the_interval_holds_the_true_difference_nineteen_times_in_twenty() -> None:
    labels, truth = sample(6, 200_000)
    worse = truth + np.random.default_rng(6).normal(0, 0.5, len(truth))
    wanted = bootstrap.paired(labels, truth, worse, rounds=1)
    held = np.zeros(2)
    tables = 300
    for part in np.array_split(np.arange(120_000), tables):
        found = bootstrap.paired(labels[part], truth[part], worse[part], rounds=300)
        for place, (one, true) in enumerate(zip((found.log_loss, found.auc), (wanted.log_loss, wanted.auc), strict=True)):
            assert one is not None
            assert true is not None
            held[place] += one.low <= true.difference <= one.high
    # 400 rows each: a percentile interval is a little too narrow there. 0.95 less three standard errors of 300 tables is 0.91.
    assert (held / tables > 0.91).all()
