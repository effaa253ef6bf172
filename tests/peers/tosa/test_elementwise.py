"""TOSA's TABLE, shifts, products, extremes, ARGMAX and RESIZE, exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tosa_serializer as ts

import hw_models as hw
from hw_models.interpolation import interpolate
from hw_models.resize import ScaledResize, resize
from tests.peers.tosa import model as tosa
from tests.peers.tosa.model import INT8, INT16, INT32, INT48

NAN = ts.NanPropagationMode.PROPAGATE
WIDE = hw.FixedFormat(32)


def table(x: Any, entries: Any, dtype: Any, output: Any) -> Any:
    operands = [tosa.fed(x, dtype), tosa.const(entries, dtype)]
    return tosa.run("TABLE", operands, x.shape, output, lambda a: a.TableAttribute())


@pytest.mark.peer("TOSA reference model", ["lookup"])
def test_table_of_bytes() -> None:
    rng = np.random.default_rng(0)
    entries = tosa.codes(rng, INT8, 256)
    x = np.arange(-128, 128, dtype=np.int8)
    expected = hw.lookup(x, entries, input=hw.FixedFormat(8), output=hw.FixedFormat(8))
    np.testing.assert_array_equal(table(x, entries, INT8, INT8), expected)


@pytest.mark.peer("TOSA reference model", ["interpolate"])
def test_table_of_words() -> None:
    """Every 16-bit code; neighbours in the table as far apart as TOSA admits, and no further."""
    rng = np.random.default_rng(1)
    entries = np.clip(np.cumsum(rng.integers(-9000, 9001, 513)), -32768, 32767).astype(np.int16)
    entries[:5] = (-16384, 16383, -16385, -32768, -1)
    x = np.arange(-32768, 32768, dtype=np.int16)
    expected = interpolate(x, entries, result="exact")
    np.testing.assert_array_equal(table(x, entries, INT16, INT32), expected)


@pytest.mark.parametrize("neighbours", [(-16384, 16384), (32767, -2), (-32768, 32767)])
def test_a_table_too_steep_is_refused_by_both(neighbours: tuple[int, int]) -> None:
    entries = np.zeros(513, np.int16)
    entries[256:258] = neighbours
    with pytest.raises(tosa.RefusedError):
        table(np.arange(3, dtype=np.int16), entries, INT16, INT32)
    with pytest.raises(hw.ContractError):
        interpolate(np.arange(3, dtype=np.int16), entries, result="exact")


@pytest.mark.peer("TOSA reference model", ["shift_right"])
@pytest.mark.parametrize("rounding", ["floor", "half_up"])
@pytest.mark.parametrize(("dtype", "bits"), [(INT8, 8), (INT16, 16), (INT32, 32)])
def test_arithmetic_right_shift(dtype: Any, bits: int, rounding: Any) -> None:
    rng = np.random.default_rng(bits)
    shift = np.arange(bits).repeat(60).reshape(bits, 60)
    x = tosa.codes(rng, dtype, shift.shape).astype(np.int64)
    ties = (2 * rng.integers(-4, 4, (bits, 20)) + 1) << np.maximum(shift[:, :20] - 1, 0)
    form = hw.FixedFormat(bits)
    x[:, :40] = form.saturate(np.concatenate([ties, ties - 1], axis=1))
    x[:, 40:44] = (form.min, form.max, -1, 1)
    expected = hw.shift_right(x.astype(form.dtype), shift, rounding, form)
    actual = tosa.run(
        "ARITHMETIC_RIGHT_SHIFT",
        [tosa.fed(x, dtype), tosa.fed(shift, dtype)],
        x.shape,
        dtype,
        lambda a: a.ArithmeticRightShiftAttribute(rounding == "half_up"),
    )
    np.testing.assert_array_equal(actual, expected)


def mul(a: Any, b: Any, dtype: Any, shift: int) -> Any:
    operands = [tosa.fed(a, dtype), tosa.fed(b, dtype), tosa.const(shift, INT8)]
    return tosa.run(
        "MUL", operands, np.broadcast_shapes(a.shape, b.shape), INT32, lambda x: x.MulAttribute()
    )


@pytest.mark.peer("TOSA reference model", ["mul"])
@pytest.mark.parametrize("shift", [0, 1, 7, 31, 32, 47, 62])
def test_mul_of_words_with_shift(shift: int) -> None:
    """The product, 64 bits, shifted with ties up; what leaves int32 is for the next test."""
    rng = np.random.default_rng(shift)
    limit = min(31, (31 + shift) // 2)
    a = rng.integers(-(1 << limit) + 1, 1 << limit, (400, 3))
    b = rng.integers(-(1 << limit) + 1, 1 << limit, (400, 3)) * rng.choice([-1, 0, 1], (400, 3))
    a[:200, 0] = np.where(rng.random(200) < 0.5, 1, -1)
    if 0 < shift < 31:
        b[:200, 0] = (2 * rng.integers(-9, 9, 200) + 1) << (shift - 1)  # ties of both signs
    expected = hw.mul(a, b, hw.PowerOfTwo(shift, "half_up"), output=WIDE)
    np.testing.assert_array_equal(mul(a, b, INT32, shift), expected)


@pytest.mark.peer("TOSA reference model", ["mul"])
@pytest.mark.parametrize("dtype", [INT8, INT16])
def test_mul_of_narrow_codes(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    a, b = tosa.codes(rng, dtype, (50, 6)), tosa.codes(rng, dtype, (1, 6), "ends")
    expected = hw.mul(a, b, hw.PowerOfTwo(0), output=WIDE)
    np.testing.assert_array_equal(mul(a, b, dtype, 0), expected)


@pytest.mark.peer("TOSA reference model", ["minimum"], operator="MINIMUM")
@pytest.mark.peer("TOSA reference model", ["maximum"], operator="MAXIMUM")
@pytest.mark.parametrize("operator", ["MINIMUM", "MAXIMUM"])
def test_extremes(operator: str) -> None:
    rng = np.random.default_rng(4)
    a, b = tosa.codes(rng, INT32, (9, 40)), tosa.codes(rng, INT32, (1, 40))
    a[0], a[1] = b[0], b[0] + 1
    expected = getattr(hw, operator.lower())(a, b)
    actual = tosa.run(
        operator,
        [tosa.fed(a, INT32), tosa.fed(b, INT32)],
        a.shape,
        INT32,
        lambda x: getattr(x, f"{operator.capitalize()}Attribute")(NAN),
    )
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.peer("TOSA reference model", ["argmax"], ["tosa"], dtype="INT8")
@pytest.mark.parametrize("dtype", [INT8, INT16])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_argmax(axis: int, dtype: Any) -> None:
    """Few different codes, so that most maxima are shared: the first counts."""
    x = np.random.default_rng(axis).integers(-2, 3, (4, 5, 7))
    expected = hw.argmax(x.astype(np.int8), axis)
    actual = tosa.run(
        "ARGMAX",
        [tosa.fed(x, dtype)],
        expected.shape,
        INT32,
        lambda a: a.ArgMaxAttribute(axis, NAN),
    )
    np.testing.assert_array_equal(actual, expected)


RESIZES = [  # size, scale (y_n, y_d, x_n, x_d), offset, border
    ((5, 6), (2, 1, 2, 1), (0, 0), (0, 0)),
    ((5, 6), (4, 2, 4, 2), (-1, -1), (1, 1)),
    ((7, 5), (16, 6, 4, 2), (0, 1), (0, 1)),
    ((9, 8), (3, 4, 5, 7), (0, 0), (0, 0)),
    ((4, 3), (6, 2, 8, 2), (3, -3), (1, 3)),
    ((11, 17), (2048, 20480, 2048, 32767), (0, 1), (0, 0)),
]


@pytest.mark.peer("TOSA reference model", ["resize_scaled"], ["tosa"], dtype="INT8")
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize(("dtype", "accumulator"), [(INT8, INT32), (INT16, INT48)])
@pytest.mark.parametrize(("size", "scale", "offset", "border"), RESIZES)
def test_resize(
    size: Any, scale: Any, offset: Any, border: Any, dtype: Any, accumulator: Any, mode: Any
) -> None:
    x = tosa.codes(np.random.default_rng(sum(scale)), dtype, (2, 3, *size))
    expected = resize(x, ScaledResize(scale, offset, border, mode))
    actual = tosa.run(
        "RESIZE",
        [tosa.fed(tosa.nhwc(x), dtype), *map(tosa.shape, (scale, offset, border))],
        tosa.nhwc(expected).shape,
        dtype if mode == "nearest" else accumulator,
        lambda a: a.ResizeAttribute(getattr(ts.ResizeMode, mode.upper())),
    )
    np.testing.assert_array_equal(tosa.nchw(actual), expected)
