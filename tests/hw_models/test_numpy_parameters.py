"""Parameters that are NumPy integers of few bits: they compute as Python's do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models import FixedPoint, FixedSoftmax, FloatSoftmax, SizedResize, resize, softmax
from hw_models.add import AlignedAdd, MultiplierAdd, ShiftedAdd
from hw_models.formats import Accumulator, FixedFormat
from hw_models.schemes import PowerOfTwo
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


@pytest.mark.parametrize("bits", [8, 20, 32, 33, 64])
def test_formats(bits: int) -> None:
    form: Any = FixedFormat(np.int8(bits), fraction=np.int8(-3))
    assert form == FixedFormat(bits, fraction=-3)
    assert (form.min, form.max) == (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    assert form.wrap(1 << (bits - 1)) == form.saturate(-(1 << 70)) == form.min
    unsigned = FixedFormat(np.uint8(bits), signed=False)
    assert (unsigned.max, unsigned.dtype) == ((1 << bits) - 1, FixedFormat(bits, False).dtype)
    assert str(form) == str(FixedFormat(bits, fraction=-3))


@pytest.mark.parametrize("overflow", ["wrap", "saturate", "saturate_symmetric"])
def test_accumulators(overflow: Any) -> None:
    actual, expected = Accumulator(np.int8(20), overflow), Accumulator(20, overflow)
    assert actual == expected
    assert (actual.min, actual.max) == (expected.min, (1 << 19) - 1)
    for total in (1 << 19, -(1 << 19) - 1, 12345):
        assert actual.hold(total) == expected.hold(total)


def test_adders() -> None:
    shifted = ShiftedAdd.from_scales(0.5, 0.25, 0.7, np.int8(20))
    assert shifted == ShiftedAdd.from_scales(0.5, 0.25, 0.7, 20)
    narrow = ShiftedAdd(np.int8(20), shifted.a, shifted.b, shifted.out)
    assert narrow.reference(100, -50) == shifted.reference(100, -50)
    aligned = AlignedAdd.from_fractions(np.int8(100), np.int8(70), np.int8(90))
    assert aligned == AlignedAdd.from_fractions(100, 70, 90)
    assert AlignedAdd(np.int8(0), np.int8(20), PowerOfTwo(10)).reference(3, 5) == 5 << 10
    few: Any = MultiplierAdd(np.int8(3), np.int16(-7), np.int8(20))
    assert few.reference(100, -90000) == MultiplierAdd(3, -7, 20).reference(100, -90000)


def test_seed() -> None:
    few, many = (PowerOfTwo(3, "stochastic", seed) for seed in (np.uint64(7), 7))
    assert few == many
    assert type(few.seed) is int
