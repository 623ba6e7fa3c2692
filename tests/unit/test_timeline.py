"""The few operations that all features are made of, against the plainest way to do the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ml.features.timeline import Timeline, by_group, running_max, running_winner, since, starts

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=30)
WIDE = st.lists(st.sampled_from([0, 1, 2**15, 2**16, 2**16 + 1, 2**40, 2**62]), max_size=30)


def arrays(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


@given(ROWS, ROWS)
def test_a_timeline_finds_the_last_row_at_a_moment(rows: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    line = Timeline(*arrays(rows))
    last, first = line.find(*arrays(asked))
    for (group, moment), low, high in zip(asked, first, last, strict=True):
        seen = [row for row in rows if row[0] == group and row[1] <= moment]
        assert high - low + 1 == len(seen)
        assert [(line.groups[place], line.moments[place]) for place in range(low, high + 1)] == sorted(seen)
    assert line.count(*arrays(asked)).tolist() == (last - first + 1).tolist()


@given(ROWS)
def test_rows_of_one_moment_stay_in_their_order(rows: list[tuple[int, int]]) -> None:
    order = Timeline(*arrays(rows)).order
    assert order.tolist() == sorted(range(len(rows)), key=lambda row: (rows[row], row))


@given(WIDE)
def test_sorting_by_group_is_stable_whatever_the_numbers(groups: list[int]) -> None:
    assert by_group(np.array(groups, dtype=np.int64)).tolist() == sorted(range(len(groups)), key=lambda row: groups[row])


@given(ROWS)
def test_running_figures_are_those_of_each_group_so_far(rows: list[tuple[int, int]]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    groups, values = arrays(rows)
    so_far = [[(rows[row][1], row) for row in range(end + 1) if rows[row][0] == rows[end][0]] for end in range(len(rows))]
    assert running_max(groups, values).tolist() == [max(seen)[0] for seen in so_far]
    assert running_winner(groups, values).tolist() == [max(seen)[1] for seen in so_far]
    assert since(starts(groups)).tolist() == [seen[0][1] for seen in so_far]
