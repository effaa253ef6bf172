"""cache_write: the definition, linear and ring, one position or many, wide and float, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import hw_models as hw
from hw_models.states.cache_write import reference


def lines(cache: np.ndarray, rows: np.ndarray, at: list[int], *, ring: bool) -> np.ndarray:
    """Compute along axis 1 of three, line by line, by the definition."""
    made = np.empty_like(cache)
    for i, j in np.ndindex(cache.shape[0], cache.shape[2]):
        made[i, :, j] = reference(cache[i, :, j].tolist(), rows[i, :, j].tolist(), at, ring=ring)
    return made


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int64, np.float32])
@pytest.mark.parametrize(
    ("at", "count", "ring"),
    [
        ([0], 1, False),
        ([4], 1, False),
        ([2], 3, False),  # rows 2, 3, 4
        ([4, 0, 2], 3, False),
        ([1, 1, 1], 3, False),  # the last counts
        ([], 0, False),
        ([5], 1, True),
        ([-1], 1, True),
        ([3], 7, True),  # more rows than the cache has: the last five stay
        ([9, 4, -6], 3, True),  # all of them row 4
    ],
)
def test_is_the_definition(kind: type, at: list[int], count: int, ring: bool) -> None:
    rng = np.random.default_rng(len(at) + count)
    cache = rng.integers(-128, 128, (2, 5, 3)).astype(kind)
    rows = rng.integers(-128, 128, (2, count, 3)).astype(kind)
    before, book = cache.copy(), hw.Ledger()
    made = hw.cache_write(cache, rows, np.array(at, np.int64), axis=1, ring=ring, ledger=book)
    np.testing.assert_array_equal(made, lines(cache, rows, at, ring=ring))
    assert made.dtype == cache.dtype
    np.testing.assert_array_equal(cache, before)  # a copy
    assert (book.elements, book.kernel) == (made.size, "cache_write")


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_any_axis(axis: int) -> None:
    cache, rows = np.zeros((4, 4, 4), np.int8), np.ones((4, 4, 4), np.int8)
    made = hw.cache_write(cache, rows.take([0], axis), np.array([3], np.uint8), axis)
    wanted = np.zeros((4, 4, 4), np.int8)
    np.moveaxis(wanted, axis, 0)[3] = 1
    np.testing.assert_array_equal(made, wanted)


@pytest.mark.parametrize(
    ("at", "row", "text"),
    [
        ([4, 5], 1, "the cache is full: a position must be a row of the 5 .*, not 5 of new row 1"),
        ([-1, 0], 0, "a position must be a row of the 5 that the cache has, not -1 of new row 0"),
        ([4], 1, r"not 5 of new row 1 \(accepted: 0..4; a ring takes any\)"),
        ([1 << 62, 0], 0, "not 4611686018427387904"),
    ],
)
def test_a_position_outside_is_refused(at: list[int], row: int, text: str) -> None:
    cache, rows = np.zeros((1, 5, 2), np.int8), np.ones((1, 2, 2), np.int8)
    with pytest.raises(hw.CachePositionError, match=text) as caught:
        hw.cache_write(cache, rows, np.array(at), axis=1)
    assert caught.value.index == (row,)
    assert not cache.any()
