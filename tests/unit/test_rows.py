"""Rows that are known again: their names, and what is stored of them with a version."""

from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from ml.training.rows import Rows, read_rows, row_keys, write_rows

CELLS = st.tuples(st.none() | st.floats(allow_nan=False), st.none() | st.text(max_size=5))
SCHEMA = {"amount": pl.Float64, "channel": pl.String}
NAMES = list(SCHEMA)
ROWS = st.lists(CELLS, min_size=1, max_size=20)


def frame(rows: list[tuple[float | None, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@given(ROWS, ROWS)
def test_rows_that_come_later_change_no_other_s_name(early: list[tuple[float, str]], late: list[tuple[float, str]]) -> None:
    before, after = row_keys(frame(early), NAMES), row_keys(frame(early + late), NAMES)
    assert after[: len(early)].to_list() == before.to_list()


@given(ROWS)
def test_rows_that_look_alike_have_names_of_their_own(rows: list[tuple[float, str]]) -> None:
    assert row_keys(frame(rows * 3), NAMES).n_unique() == 3 * len(rows)


def test_cells_do_not_run_into_each_other() -> None:
    table = pl.DataFrame({"one": ["a", "ab", None, ""], "other": ["bc", "c", "", None]})
    assert row_keys(table, ["one", "other"]).n_unique() == 4


def test_an_id_is_the_name_whatever_else_changes() -> None:
    ids = pl.Series(["7", "8", None])
    one, other = frame([(1.0, "a")] * 3), frame([(2.0, "b")] * 3)
    assert row_keys(one, NAMES, ids=ids).to_list() == row_keys(other, NAMES[:1], ids=ids).to_list()


def test_a_moment_tells_rows_apart_when_old_ones_are_dropped() -> None:
    table = frame([(1.0, "a")] * 4)
    times = np.arange(4.0)
    whole, rest = row_keys(table, NAMES, times=times), row_keys(table[2:], NAMES, times=times[2:])
    assert whole[2:].to_list() == rest.to_list()


def test_several_rows_of_an_id_are_told_apart_when_one_is_dropped() -> None:
    """A customer's oldest deal is no longer exported, or the open one between two others has ended: nobody takes its name."""
    table = frame([(1.0, "a"), (2.0, "b"), (3.0, "c")])
    ids, times = pl.Series(["7", "7", "8"]), np.array([1.0, 2.0, 3.0])
    for moments in (None, times):
        whole = row_keys(table, NAMES, ids=ids, times=moments)
        rest = row_keys(table[[1, 2]], NAMES, ids=ids[[1, 2]], times=None if moments is None else moments[1:])
        assert rest[1] == whole[2]
        assert rest[0] != whole[0]
        if moments is not None:
            assert rest[0] == whole[1]
            corrected = frame([(1.0, "a"), (2.5, "b"), (3.0, "c")])
            assert row_keys(corrected, NAMES, ids=ids, times=moments).to_list() == whole.to_list()


def test_rows_are_stored_with_a_version(tmp_path: Path) -> None:
    keys = row_keys(frame([(1.0, "a"), (2.0, "b")]), NAMES)
    assert read_rows(tmp_path) is None
    rows = Rows(pl.DataFrame({"key": keys, "label": [0, 1], "margin": [-1.5, 2.0]}), keys)
    write_rows(rows, tmp_path)
    found = read_rows(tmp_path)
    assert found is not None
    assert found.holdout.equals(rows.holdout)
    assert found.learned.equals(keys)
