"""TOSA's AVG_POOL2D and MAX_POOL2D, exact.

AVG_POOL2D multiplies the sum by a 31-bit reciprocal of the count that is too large by at most one
part in 2**30, and rounds half up. In windows of up to 2**14 taps that moves ties below 0 down and
nothing else: it is division rounded half away from zero, of codes less their zero point. Taps in
the padding do not count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tosa_serializer as ts

import hw_models as hw
from tests.peers.tosa import model as tosa
from tests.peers.tosa.model import INT8, INT16, INT32

POOLS = {  # size, kernel, stride, padding
    "2x2": ((6, 8), (2, 2), (2, 2), ((0, 0), (0, 0))),
    "3x3-padded": ((5, 7), (3, 3), (2, 2), ((1, 1), (1, 1))),
    "3x2-mixed": ((7, 7), (3, 2), (1, 3), ((2, 0), (1, 0))),
    "global": ((7, 9), (7, 9), (1, 1), ((0, 0), (0, 0))),
    "1x6": ((3, 8), (1, 6), (1, 2), ((0, 0), (2, 2))),
}
DTYPES = [(INT8, 8), (INT16, 16)]


def average(x: Any, dtype: Any, pool: Any, zeros: tuple[int, int], shape: Any) -> Any:
    _, kernel, stride, padding = pool
    pad = [size for pair in padding for size in pair]
    actual = tosa.run(
        "AVG_POOL2D",
        [tosa.fed(tosa.nhwc(x), dtype), *(tosa.const(zero, dtype) for zero in zeros)],
        (shape[0], *shape[2:], shape[1]),
        dtype,
        lambda a: a.AvgPool2dAttribute(list(kernel), list(stride), pad, INT32),
    )
    return tosa.nchw(actual)


@pytest.mark.peer("TOSA reference model", ["avg_pool"], ["tosa"], bits=8)
@pytest.mark.parametrize(("dtype", "bits"), DTYPES, ids=["i8", "i16"])
@pytest.mark.parametrize("name", POOLS)
def test_avg_pool2d(name: str, dtype: Any, bits: int) -> None:
    size, kernel, stride, padding = POOLS[name]
    rng = np.random.default_rng(bits + len(name))
    for kind in ("any", "ends", "small"):
        # Small codes make ties of both signs in nearly every window.
        x = tosa.codes(rng, dtype, (2, 3, *size), kind) if kind != "small" else rng.integers(
            -3, 4, (2, 3, *size)
        ).astype(f"int{bits}")  # fmt: skip
        zero = int(rng.integers(-128, 128)) if dtype == INT8 and kind != "small" else 0
        expected = hw.avg_pool(
            x, kernel, stride, padding, "half_away", zero_point=zero, centered=True
        )
        actual = average(x, dtype, POOLS[name], (zero, zero), expected.shape)
        np.testing.assert_array_equal(actual, expected)


def test_every_tie_of_every_window() -> None:
    """All sums of windows of 1 to 12 codes: one code differs from the rest."""
    for count in range(1, 13):
        x = np.zeros((1, 255, 1, count), np.int8)
        x[0, :, 0, 0] = np.arange(-127, 128)
        expected = hw.avg_pool(x, (1, count), rounding="half_away", centered=True)
        pool = ((1, count), (1, count), (1, count), ((0, 0), (0, 0)))
        actual = average(x, INT8, pool, (0, 0), expected.shape)
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.peer("TOSA reference model", ["max_pool"], ["tosa"], bits=8)
@pytest.mark.parametrize(("dtype", "bits"), DTYPES, ids=["i8", "i16"])
@pytest.mark.parametrize("name", POOLS)
def test_max_pool2d(name: str, dtype: Any, bits: int) -> None:
    size, kernel, stride, padding = POOLS[name]
    x = tosa.codes(np.random.default_rng(bits), dtype, (2, 3, *size))
    expected = hw.max_pool(x, kernel, stride, padding)
    pad = [side for pair in padding for side in pair]
    actual = tosa.run(
        "MAX_POOL2D",
        [tosa.fed(tosa.nhwc(x), dtype)],
        tosa.nhwc(expected).shape,
        dtype,
        lambda a: a.MaxPool2dAttribute(
            list(kernel), list(stride), pad, ts.NanPropagationMode.PROPAGATE
        ),
    )
    np.testing.assert_array_equal(tosa.nchw(actual), expected)
