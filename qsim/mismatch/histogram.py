"""How differences between two integer arrays are spread, in a table that stays small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from qsim.program import Array

MOST_BINS: Final = 9


@dataclass(frozen=True, slots=True)
class Bin:
    """How many differing elements have ``low <= actual - expected <= high``."""

    low: int
    high: int
    count: int


def histogram(distance: Array, above: Array) -> tuple[Bin, ...]:
    """Count differences, one bin per value or, where they are many, per power of two.

    Args:
        distance: uint64 [n], ``|actual - expected|``, none of them 0.
        above: bool [n], whether actual is the larger one.

    Returns:
        At most ``MOST_BINS`` bins, ascending; the widest ones are merged.
    """
    sides = [_exact(distance[~above], -1)[::-1], _exact(distance[above], 1)]
    if sum(map(len, sides)) > MOST_BINS:
        sides = [_powers(distance[~above], -1)[::-1], _powers(distance[above], 1)]
    below, over = sides
    while len(below) + len(over) > MOST_BINS:
        # The outermost bins are the widest.
        if len(below) >= len(over):
            below[:2] = [_merge(below[0], below[1])]
        else:
            over[-2:] = [_merge(over[-2], over[-1])]
    return (*below, *over)


def _exact(distance: Array, sign: int) -> list[Bin]:
    values, counts = np.unique(distance, return_counts=True)
    if len(values) > MOST_BINS:
        return _powers(distance, sign)
    return [
        Bin(sign * int(value), sign * int(value), int(number))
        for value, number in zip(values, counts, strict=True)
    ]


def _powers(distance: Array, sign: int) -> list[Bin]:
    """Return bins 1, 2..3, 4..7, ... of distances, outward from 0; none is empty."""
    bins = []
    for power in range(64):
        low, high = 1 << power, (2 << power) - 1
        inside = (distance >= np.uint64(low)) & (distance <= np.uint64(high))
        number = int(np.count_nonzero(inside))
        if number:
            ends = sorted((sign * low, sign * high))
            bins.append(Bin(ends[0], ends[1], number))
    return bins


def _merge(left: Bin, right: Bin) -> Bin:
    return Bin(left.low, right.high, left.count + right.count)
