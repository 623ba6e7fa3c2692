"""A table is scored as its rows are one by one, whatever the number of parts."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.samples import leads
from ml.learners.base import probability
from ml.serving import batch
from ml.serving.explain import points_in_words
from ml.serving.served import Served
from ml.version import Version, load

ROWS = 130


@pytest.fixture(scope="module")
def version(trained_models: Path) -> Version:
    return load(trained_models / "lead_score" / "1")


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Generated leads; every seventh says nothing of its channel."""
    frame = leads.table(ROWS, seed=3).select(leads.COLUMNS)
    return frame.with_columns(pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise("channel").alias("channel"))


@pytest.mark.parametrize("part_rows", [1, 7, ROWS, 10 * ROWS])
def test_parts_of_any_size_give_the_rows_one_by_one(
    version: Version, table: pl.DataFrame, part_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PART_ROWS", part_rows)
    scored = pl.concat(batch.score_parts(version, table, threshold=0.4))
    alone = Served(version, 0.4).predict(table.to_dicts())
    assert scored["score"].to_list() == pytest.approx([one.score for one in alone], abs=1e-9)
    assert scored["label"].to_list() == [one.label.value for one in alone]
    assert scored["grade"].to_list() == [one.grade.value for one in alone]
    strongest = [one.factors[0] for one in alone]
    for text, factor in zip(scored["factor_1"], strongest, strict=True):
        assert factor.points is not None
        assert text.startswith(f"{factor.feature} = ")
        assert text.endswith(f"({points_in_words(factor.points)})")


@given(st.lists(st.integers(-99_999, 99_999).map(lambda thousandths: thousandths / 1000 + 0.0001), min_size=1))  # no ties
def test_points_are_said_in_a_column_as_they_are_alone(moved: list[float]) -> None:
    said = pl.DataFrame({"points": moved}).select(batch.points_in_words()).to_series().to_list()
    assert said == [points_in_words(one) for one in moved]


def test_scores_are_the_same_without_factors(version: Version, table: pl.DataFrame) -> None:
    plain = batch.score_frame(version, table, threshold=0.4, factors=0)
    assert plain.columns == ["score", "label", "grade"]
    explained = batch.score_frame(version, table, threshold=0.4)
    assert plain["score"].to_list() == pytest.approx(explained["score"].to_list(), abs=1e-6)


def test_a_column_that_is_gone_counts_as_missing(version: Version, table: pl.DataFrame) -> None:
    gone = batch.score_frame(version, table.drop("channel"), threshold=0.4)
    empty = batch.score_frame(version, table.with_columns(channel=pl.lit(None, pl.String)), threshold=0.4)
    assert gone.equals(empty)


def test_an_error_in_one_part_is_the_callers(version: Version, table: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> pl.DataFrame:
        raise MemoryError

    monkeypatch.setattr(batch, "score_frame", broken)
    with pytest.raises(MemoryError):
        list(batch.score_parts(version, table, threshold=0.4))


def test_the_same_numbers_as_the_scorer(version: Version, table: pl.DataFrame) -> None:
    typed = batch.typed_frame(version.card.inputs, table)
    expected = probability(version.scorer.margins(typed))
    assert batch.score_frame(version, table, threshold=0.4, factors=0)["score"].to_list() == pytest.approx(expected.tolist())
