"""The synthetic leads: reproducible, neither hopeless nor easy, and not to be had by a straight line."""

from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from data.samples.leads import CHANNELS, CLASSIC_ROWS, COLUMNS, NAMES, table, win_probability

NUMERIC = ["sessions", "engaged_sessions", "page_views", "is_first_visit"]
SEEDS = (0, 1, 2)
each_seed = pytest.mark.parametrize("seed", SEEDS)


@cache
def classic(seed: int) -> pl.DataFrame:
    return table(seed=seed)


def auc(frame: pl.DataFrame, scores: np.ndarray) -> float:
    return float(roc_auc_score(frame["is_won"].to_numpy(), scores))


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_table(seed: int) -> None:
    assert table(200, seed).equals(table(200, seed))
    assert not table(200, seed).equals(table(200, seed + 1))


@each_seed
def test_the_classic_table_has_its_rows_and_columns(seed: int) -> None:
    frame = classic(seed)
    assert frame.columns == ["created_at", *COLUMNS, "is_won", "true_probability"]
    assert len(frame) == CLASSIC_ROWS == 93_000
    assert frame["created_at"].is_sorted()
    assert frame.null_count().sum_horizontal().item() == 0
    assert set(frame["channel"].unique()) == set(NAMES)


@each_seed
def test_every_row_could_be(seed: int) -> None:
    frame = classic(seed)
    assert (
        frame.select(
            (pl.col("sessions") >= 1).all().alias("a"),
            pl.col("engaged_sessions").is_between(0, pl.col("sessions")).all().alias("b"),
            (pl.col("page_views") >= pl.col("sessions")).all().alias("c"),
            (pl.col("is_first_visit") == (pl.col("sessions") == 1)).all().alias("d"),
            pl.col("is_won").is_in([0, 1]).all().alias("e"),
            pl.col("true_probability").is_between(0, 1, closed="none").all().alias("f"),
        ).row(0)
        == (True,) * 6
    )


@each_seed
def test_a_lead_in_ten_or_so_is_won(seed: int) -> None:
    frame = classic(seed)
    assert 0.05 <= frame["is_won"].mean() <= 0.15  # type: ignore[operator]
    assert frame["is_won"].mean() == pytest.approx(frame["true_probability"].mean(), abs=0.005)


@each_seed
def test_the_true_probability_ranks_well_but_not_perfectly(seed: int) -> None:
    frame = classic(seed)
    assert 0.75 <= auc(frame, frame["true_probability"].to_numpy()) <= 0.85


@each_seed
def test_the_true_probability_is_calibrated(seed: int) -> None:
    tenths = classic(seed).sort("true_probability").with_row_index().group_by(pl.col("index") * 10 // CLASSIC_ROWS)
    for _, part in tenths:
        # Four standard errors of a share of 9,300.
        wanted = part["true_probability"].mean()
        assert part["is_won"].mean() == pytest.approx(wanted, abs=4 * (wanted * (1 - wanted) / len(part)) ** 0.5)  # type: ignore[operator]


@each_seed
def test_a_plain_logistic_regression_stays_behind(seed: int) -> None:
    frame = classic(seed)
    columns = np.hstack([
        StandardScaler().fit_transform(frame.select(NUMERIC).cast(pl.Float64).to_numpy()),
        frame["channel"].to_dummies().to_numpy(),
    ])  # fmt: skip
    cut = len(frame) * 8 // 10
    model = LogisticRegression(max_iter=200).fit(columns[:cut], frame["is_won"].to_numpy()[:cut])
    newest = frame[cut:]
    reached = auc(newest, model.predict_proba(columns[cut:])[:, 1])
    assert 0.6 < reached <= auc(newest, newest["true_probability"].to_numpy()) - 0.02


def test_the_probability_depends_on_the_columns_and_the_day_only() -> None:
    frame = table(500, 3)
    days = (frame["created_at"] - frame["created_at"][0]).dt.total_microseconds().to_numpy() / 86_400e6
    first = win_probability({name: frame[name].to_numpy() for name in COLUMNS}, days)
    again = win_probability({name: frame[name].to_numpy() for name in COLUMNS}, days)
    assert (first == again).all()
    assert np.abs(first - frame["true_probability"].to_numpy()).max() < 0.01  # the first lead comes within a day of the start


def test_the_shares_of_the_channels_are_all() -> None:
    assert sum(channel.share for channel in CHANNELS) == pytest.approx(1)
