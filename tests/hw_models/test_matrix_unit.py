"""The matrix unit's blocks against sums of products, wherever the codes of a pixel lie."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models._aligned import address
from hw_models.compiled import part
from hw_models.compiled.instructions import MATRIX
from hw_models.stream import matrix

PIXELS, PITCH = 40, 200  # of which the last block is filled up; bytes between neighbours
SHARED, OWN = 0, 1


@part
def by_unit(bases, offsets, rows, together, panel, weights, init, every, out, width, pixels):
    matrix.begin()
    matrix.multiply(bases, offsets, rows, together, panel, weights, init, every, out, width, pixels)
    matrix.end()


def blocks(width, rows, together, init, bases, offsets, weights, panel):
    """Sum blocks by the unit, or by its model where there is none: the same code around both."""
    out = np.zeros((64, width), np.int32)
    every = 0 if init.ndim == 1 else width * 4
    if MATRIX:
        by_unit(
            address(bases), address(offsets), rows, together, address(panel),
            address(weights), address(init), every, address(out), width, PIXELS,
        )  # fmt: skip
        return out
    for first in range(0, PIXELS, 32):
        where = bases[first : first + 32]
        left = matrix._place(where[:16], offsets, rows, together, address(panel))
        right = matrix._place(
            where[16:], offsets, rows, together, address(panel[panel.size // 2 :])
        )
        for column in range(0, width, 32):
            matrix._modelled(
                *left, *right, address(offsets), rows, address(weights) + column * 4, width * 4,
                address(init) + first * every + column * 4, every,
                address(out) + (first * width + column) * 4,
            )  # fmt: skip
    return out


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize("lying", ["even", "backward", "uneven", "torn"])
@pytest.mark.parametrize("start", [SHARED, OWN])
def test_blocks_are_sums_of_products(width: int, rows: int, lying: str, start: int) -> None:
    rng = np.random.default_rng(rows)
    codes = rng.integers(0, 256, 64 * PITCH + 4096).astype(np.uint8)
    codes[: codes.size // 4] = 255
    weights = rng.integers(-128, 128, (16 * rows, width, 4)).astype(np.int8)
    weights[:, 0] = -128
    places = {
        "even": np.arange(64) * PITCH,
        "backward": np.arange(64)[::-1] * PITCH,
        "torn": np.arange(64) * PITCH,
        "uneven": np.sort(rng.integers(0, 64 * PITCH, 64)),
    }[lying]
    bases = address(codes) + places.astype(np.int64)
    # Rows of 16 steps lie together; where one begins is any place, in any order.
    begins = rng.permutation(rows) * 64 + rng.integers(0, 64, rows)
    offsets = (begins[:, None] + 4 * np.arange(16)).astype(np.int64).reshape(-1)
    if lying == "torn":  # only two steps lie together
        offsets = np.add.outer(rng.permutation(8 * rows) * 9, [0, 4]).astype(np.int64).reshape(-1)
    near = (-(1 << 31), (1 << 31) - 1)  # the sums wrap
    init = rng.integers(*near, (64, width) if start == OWN else width, dtype=np.int32)
    panel = np.zeros(matrix.PANEL, np.uint8)

    out = blocks(width, rows, lying != "torn", init, bases, offsets, weights, panel)

    taken = codes[places[:, None, None] + offsets[:, None] + np.arange(4)]
    sums = np.einsum("psi,sci->pc", taken.astype(np.int64), weights.astype(np.int64)) + init
    np.testing.assert_array_equal(out, sums.astype(np.int32))


def test_rows_that_lie_apart_are_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "MATRIX", True)
    together = 4 * np.arange(40)
    assert matrix.matrix_steps(together, 8, 64) == (32, 32)
    assert matrix.matrix_steps(together[:15], 8, 64) == (0, 0)
    broken = together.copy()
    broken[20:] += 8
    assert matrix.matrix_steps(broken, 8, 64) == (0, 32)  # the smaller part lies together
    assert matrix.matrix_steps(broken[:32], 8, 64) == (16, 32)
    assert matrix.matrix_steps(broken[:32], 8, 32) == (16, 0)
    assert matrix.matrix_steps(together, 8, 16) == (0, 0)
    torn = together + np.arange(40) // 2
    assert matrix.matrix_steps(torn, 8, 64) == (0, 32)
    assert matrix.matrix_steps(torn[1:], 8, 64) == (0, 0)
    assert matrix.matrix_steps(together, 7, 64) == (0, 0)
    monkeypatch.setattr(matrix, "MATRIX", False)
    assert matrix.matrix_steps(together, 8, 64) == (0, 0)
