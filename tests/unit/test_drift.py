"""Drift: seen where it is material and sure, not where chance makes it, and told in words that name the column."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import data.settings
from ml.features.inputs import Input, InputKind
from ml.monitoring import drift
from ml.monitoring.drift import FEWEST_ROWS, MATERIAL, Drift, chance, measure, psi
from ml.monitoring.reference import REFERENCE, Reference, count, of_numbers, of_quantiles, read_reference, refer, summarise
from ml.preparation.base import AS_OF, Floats, Ints
from ml.tables.table import Choice
from ml.training.own_table import read_own_table

BANK = Path(data.settings.ROOT).parent / "shared" / "data" / "bank_marketing.csv.gz"
NUMBER, CATEGORY, BOOLEAN, DATE, TEXT = (
    Input(name=kind.value, kind=kind)
    for kind in (InputKind.NUMBER, InputKind.CATEGORY, InputKind.BOOLEAN, InputKind.DATE, InputKind.TEXT)
)
INPUTS = (NUMBER, CATEGORY, BOOLEAN)


def table(rows: int, seed: int = 0, *, mean: float = 0.0, share: float = 0.1, names: str = "abc") -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "number": generator.normal(mean, 1, rows),
            "category": generator.choice(list(names), rows),
            "boolean": (generator.random(rows) < share).astype(float),
        }
    )


def scores(rows: int, seed: int = 0, sevenths: int = 2) -> Floats:
    return np.random.default_rng(seed).beta(sevenths, 7 - sevenths, rows)


def reference(rows: int = 4_000) -> Reference:
    return refer(INPUTS, table(rows, 1), scores(rows, 1), groups=None, score_groups=None)


def names(found: Drift) -> list[str]:
    return [shift.name for shift in found.drifted]


def test_rows_of_the_same_world_show_no_drift() -> None:
    for seed in range(2, 12):
        found = measure(reference(), INPUTS, table(500, seed), scores(500, seed))
        assert names(found) == [], seed
    assert found.said == "no drift seen in 500 scored"


@pytest.mark.parametrize(
    ("moved", "name"),
    [
        (table(500, 2, mean=1.0), "number"),
        (table(500, 2, share=0.4), "boolean"),
        (table(500, 2, names="abd"), "category"),
        (table(500, 2).with_columns(number=pl.lit(None, pl.Float64)), "number"),
    ],
    ids=["mean", "share", "new level", "gone"],
)
def test_a_column_that_moved_is_named_and_the_others_are_not(moved: pl.DataFrame, name: str) -> None:
    found = measure(reference(), INPUTS, moved, scores(500, 2))
    assert names(found) == [name]
    assert found.inputs[0].name == name, "the worst is first"
    assert f"{name}: " in found.said


def test_the_finding_says_what_moved_and_from_where_to_where() -> None:
    found = measure(reference(), INPUTS, table(2_000, 2, names="abbbbbbd"), np.empty(0)).inputs[0]
    assert (found.most, round(found.before, 1), round(found.now, 1)) == ("b", 0.3, 0.8)
    gone = measure(reference(), INPUTS, table(500, 2).with_columns(number=pl.lit(None, pl.Float64)), np.empty(0)).inputs[0]
    assert (gone.most, gone.before, gone.now) == ("missing", 0.0, 1.0)
    assert gone.said.startswith("number: missing was 0%, is 100% (PSI ")


def test_scores_drift_by_themselves() -> None:
    assert names(measure(reference(), INPUTS, table(500, 2), scores(500, 2, sevenths=4))) == ["score"]


def test_too_few_rows_say_how_many_are_needed() -> None:
    found = measure(reference(), INPUTS, table(FEWEST_ROWS - 1, 2, mean=9), scores(FEWEST_ROWS - 1, 2))
    assert (found.is_enough, names(found)) == (False, [])
    assert found.said == f"not enough to tell: {FEWEST_ROWS - 1} scored of the {FEWEST_ROWS} that are needed"


def test_few_rows_must_show_more_than_many() -> None:
    small = reference(300)
    limits = [measure(small, INPUTS, table(rows, 2), np.empty(0)).inputs[0].limit for rows in (FEWEST_ROWS, 4_000, 5_000)]
    assert limits[0] > limits[1] == limits[2] == MATERIAL


def test_rows_of_one_customer_are_one_witness() -> None:
    frame, ones = table(4_000, 1), scores(4_000, 1)
    many = refer(INPUTS, frame, ones, groups=np.arange(4_000) // 80, score_groups=np.arange(4_000) // 400)
    assert (many.witnesses, many.score_witnesses) == (50, 10)
    found = measure(many, INPUTS, table(500, 2), scores(500, 2))
    assert found.score is not None
    limits = {shift.name: shift.limit for shift in (found.score, *found.inputs)}
    assert limits["score"] > limits["number"] > MATERIAL


def test_chance_alone_stays_below_its_limit_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    shares, tail, draws = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05]), 0.05, 4_000
    limit = chance(len(shares), 2_000, 300, tail)
    found = [psi(generator.multinomial(2_000, shares), generator.multinomial(300, shares)) for _ in range(draws)]
    above = np.mean(np.array(found) > limit)
    assert abs(above - tail) < 3 * np.sqrt(tail * (1 - tail) / draws)


@given(st.lists(st.integers(0, 60), min_size=2, max_size=8).flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_the_index_is_never_negative_and_the_same_from_either_side(counts: tuple[list[int], list[int]]) -> None:
    one, other = (np.array([*each, 1], dtype=np.int64) for each in counts)
    assert psi(one, other) >= 0
    assert psi(one, other) == pytest.approx(psi(other, one))
    assert psi(one, one) == 0


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(0.0)), max_size=60))
def test_every_row_falls_into_one_bin_whatever_a_column_holds(values: list[float | None]) -> None:
    column = pl.Series("number", values, dtype=pl.Float64)
    summary = of_numbers("number", column)
    assert sum(summary.counts) == len(values)
    assert summary.counts[-1] == column.null_count()
    assert len(summary.bins) == len(summary.counts)
    assert 0 not in summary.counts[:-1] or not column.drop_nulls().len()


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c", "missing", "other"])), max_size=60))
def test_a_summary_counts_its_own_rows_as_it_was_made(values: list[str | None]) -> None:
    frame = pl.DataFrame({"category": pl.Series(values, dtype=pl.String)})
    summary = summarise(CATEGORY, frame)
    assert sum(summary.counts) == len(values)
    assert tuple(count(summary, CATEGORY, frame).tolist()) == summary.counts


@pytest.mark.parametrize("values", [[0.0] * 97 + [1.0] * 3, [0.0] * 3 + [1.0] * 97, [0.0] * 80 + list(range(1, 21))])
def test_a_value_that_most_rows_have_keeps_its_own_share(values: list[float]) -> None:
    summary = of_numbers("number", pl.Series(values, dtype=pl.Float64))
    assert max(summary.counts) == max(values.count(value) for value in set(values))


def test_a_date_is_looked_at_as_its_age_and_a_text_by_its_words() -> None:
    moments = np.linspace(20_000, 20_100, 200)
    frame = pl.DataFrame({"date": moments - 5, "text": ["one two three"] * 200, AS_OF: moments})
    later = frame.with_columns(pl.col("date") + 1_000, pl.col(AS_OF) + 1_000)
    old = refer((DATE, TEXT), frame, np.empty(0), groups=None, score_groups=None)
    assert names(measure(old, (DATE, TEXT), later, np.empty(0))) == [], "time goes on, ages stay"
    older = later.with_columns(pl.col("date") - np.linspace(0, 300, 200), text=pl.lit("one"))
    assert set(names(measure(old, (DATE, TEXT), later, np.empty(0)))) == set()
    assert "date" not in names(measure(old, (DATE,), later.drop(AS_OF), np.empty(0))), "without a moment nothing is known of it"
    spread = refer((DATE, TEXT), older, np.empty(0), groups=None, score_groups=None)
    assert "date" in names(measure(spread, (DATE, TEXT), later, np.empty(0)))


def test_a_version_that_was_stored_without_one_is_judged_by_its_scores() -> None:
    summary, rows = of_quantiles(tuple(np.quantile(scores(4_000, 1), np.linspace(0, 1, 1001))), 4_000)
    assert names(drift.of_scores(summary, rows, scores(500, 2))) == []
    assert names(drift.of_scores(summary, rows, scores(500, 2, sevenths=4))) == ["score"]
    assert not drift.of_scores(summary, rows, scores(50, 2, sevenths=4)).is_enough


def test_everybody_s_same_score_cannot_drift() -> None:
    same: Ints = np.full(200, 0.1)
    assert names(drift.of_scores(of_numbers("score", pl.Series(same)), 200, same)) == []


def test_a_reference_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_reference(tmp_path) is None
    (tmp_path / REFERENCE).write_text(reference().model_dump_json())
    assert read_reference(tmp_path) == reference()


@pytest.mark.skipif(not BANK.is_file(), reason=f"the real tables are not in {BANK.parent}")
def test_the_newest_fifth_of_the_bank_s_table_raises_the_alarm_and_a_random_fifth_does_not() -> None:
    own = read_own_table(BANK, Choice("y", drop=("duration",)))
    rows, cut = len(own.typed.labels), own.cut

    def drifted(order: Ints) -> list[str]:
        taught, newest = own.typed.frame[order[:cut]], own.typed.frame[order[cut:]]
        old = refer(own.typed.inputs, taught, np.empty(0), groups=None, score_groups=None)
        return names(measure(old, own.typed.inputs, newest, np.empty(0)))

    assert {"month", "contact", "poutcome"} <= set(drifted(np.arange(rows)))
    assert drifted(np.random.default_rng(0).permutation(rows)) == []
