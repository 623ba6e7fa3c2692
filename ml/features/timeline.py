"""Rows in groups, each with its moments in order: which was the last one at a moment, and what held up to there.

Everything here is linear in the rows, with a small factor: a stable radix sort by group, a binary search within groups.
No row of a group is ever paired with all others.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DIGIT_BITS = 16  # NumPy sorts 16-bit numbers in linear time


class Timeline:
    """Rows sorted by group and moment. `order` holds the row at each position.

    >>> line = Timeline(np.array([7, 8, 7]), np.array([30, 10, 20]))
    >>> last, first = line.find(np.array([7, 7, 9]), np.array([25, 30, 30]))
    >>> (last - first + 1).tolist()
    [1, 2, 0]
    """

    def __init__(self, groups: Ints, moments: Ints) -> None:
        order = np.argsort(moments, kind="stable")
        self.order: Ints = order[by_group(groups[order])]
        self.groups: Ints = groups[self.order]
        self.moments: Ints = moments[self.order]

    def find(self, groups: Ints, moments: Ints) -> tuple[Ints, Ints]:
        """For each asked group and moment the position of the last row at or before it, and of the group's first row.

        Where the group has no such row, the last is one before the first.
        """
        first = np.searchsorted(self.groups, groups, "left")
        low, high = first.copy(), np.searchsorted(self.groups, groups, "right")
        while (open_ := low < high).any():
            middle = (low + high) >> 1
            reached = open_ & (self.moments[np.minimum(middle, len(self.moments) - 1)] <= moments)
            low = np.where(reached, middle + 1, low)
            high = np.where(open_ & ~reached, middle, high)
        return low - 1, first

    def count(self, groups: Ints, moments: Ints) -> Ints:
        """How many rows of each asked group lie at or before each moment."""
        last, first = self.find(groups, moments)
        return last - first + 1


def by_group(groups: Ints) -> Ints:
    """The permutation that sorts by group and leaves the order within groups as it is."""
    order = np.arange(len(groups))
    if not len(groups):
        return order
    codes = groups - groups.min()
    for shift in range(0, max(int(codes.max()).bit_length(), 1), DIGIT_BITS):
        digits = (codes[order] >> shift).astype(np.uint16)
        order = order[np.argsort(digits, kind="stable")]
    return order


def running_max(groups: Ints, values: Ints) -> Ints:
    """The greatest value of the group so far, at each row of sorted groups.

    Looks 1, 2, 4, ... rows back, and stops as soon as nothing changes: at once where the values ascend already.
    """
    found, step = values.copy(), 1
    while step < len(found):
        back = np.where(groups[step:] == groups[:-step], found[:-step], found[step:])
        if not (back > found[step:]).any():
            break
        found[step:] = np.maximum(found[step:], back)
        step *= 2
    return found


def running_winner(groups: Ints, values: Ints) -> Ints:
    """The position of the group's greatest value so far, of equal ones the later, at each row of sorted groups."""
    wins = values == running_max(groups, values)
    return np.maximum.accumulate(np.where(wins, np.arange(len(values)), 0))


def starts(groups: Ints) -> Bools:
    """Which rows of sorted groups begin one."""
    return np.concatenate([np.ones(min(len(groups), 1), dtype=np.bool_), groups[1:] != groups[:-1]])


def since(marks: Bools) -> Ints:
    """The position of the last mark at or before each row; the first row is marked."""
    return np.maximum.accumulate(np.where(marks, np.arange(len(marks)), 0))
