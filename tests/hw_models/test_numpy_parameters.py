"""Parameters that are NumPy integers of few bits: they compute as Python's do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models import FixedPoint, FixedSoftmax, FloatSoftmax, SizedResize, resize, softmax
from hw_models.formats import FixedFormat
from hw_models.tables import (
    ByteLeakyRelu,
    HardSwish,
    LeakyRelu,
    Sigmoid16,
    TableUnit,
    Tanh16,
    unit_table,
)

RESCALE = FixedPoint(1 << 30, 31)
INT16 = FixedFormat(16)


@pytest.mark.parametrize(
    ("unit", "numbers"),
    [
        (HardSwish, (30000, 3, 21845, 1, -100, 100)),
        (Sigmoid16, (24576, 1)),
        (Tanh16, (24576, 1)),
        (ByteLeakyRelu, (300, -77, -100, 100)),
        (lambda *points: LeakyRelu(RESCALE, RESCALE, *points), (-100, 100)),
    ],
)
def test_units(unit: Any, numbers: tuple[int, ...]) -> None:
    def narrow(n: int) -> Any:
        return np.int8(n) if -128 <= n <= 127 else np.int16(n)

    form = INT16 if unit in (Sigmoid16, Tanh16) else FixedFormat(8)
    expected: TableUnit = unit(*numbers)
    actual: TableUnit = unit(*map(narrow, numbers))
    assert actual == expected
    assert unit_table(actual, form, form).tolist() == unit_table(expected, form, form).tolist()


def test_softmax() -> None:
    x = np.arange(-128, 128).reshape(4, 64)
    expected = softmax(x, FixedSoftmax(1 << 30, 20, -1000))
    actual = softmax(x, FixedSoftmax(np.int32(1 << 30), np.int8(20), np.int16(-1000)))
    np.testing.assert_array_equal(actual, expected)
    signed = FloatSoftmax(0.1, zero_point=np.int8(-128))
    np.testing.assert_array_equal(softmax(x, signed), softmax(x, FloatSoftmax(0.1)))
    assert signed.reference([0], FixedFormat(8)) == [128]


def test_resize() -> None:
    x = np.arange(16, dtype=np.int8).reshape(1, 1, 4, 4)
    size: Any = np.array([7, 9], np.int8)
    expected = resize(x, SizedResize((7, 9), "bilinear"))
    np.testing.assert_array_equal(resize(x, SizedResize(size, "bilinear")), expected)
