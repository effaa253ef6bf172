"""Requantize: reference = kernels, on directed and random accumulators."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.requantize import reference, requantize
from hw_models.rounding import ROUNDINGS, splitmix64
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo

I32 = (-(1 << 31), (1 << 31) - 1)
I64 = (-(1 << 63), (1 << 63) - 1)


def expect(x, scheme, axis=1, **kw):
    """Codes and values before the clamp, by the definition."""
    codes, values = np.zeros(x.shape, np.int64), []
    for flat, index in enumerate(np.ndindex(x.shape)):
        channel = index[axis] if scheme.channels else 0
        draw = splitmix64(scheme.seed, flat) if isinstance(scheme, PowerOfTwo) else 0
        args = {"channel": channel, "draw": draw}
        codes[index] = reference(int(x[index]), scheme, **kw, **args)
        offset, zero = kw.get("input_zero_point", 0), kw.get("zero_point", 0)
        values.append(scheme.reference(int(x[index]) - offset, channel, draw=draw) + zero)
    return codes, values


def check(x, scheme, axis=1, **kw):
    codes, values = expect(x, scheme, axis, **kw)
    ledger = Ledger()
    quiet, loud = requantize(x, scheme, axis=axis, **kw), None
    loud = requantize(x, scheme, axis=axis, ledger=ledger, **kw)
    output = kw.get("output", FixedFormat(8))
    for y in (quiet, loud):
        assert y.dtype == output.dtype
        assert y.shape == x.shape
        np.testing.assert_array_equal(y.astype(np.int64), codes, f"{scheme} {kw}")
    clamped = [v != c for v, c in zip(values, codes.reshape(-1).tolist(), strict=True)]
    first = np.unravel_index(clamped.index(True), x.shape) if any(clamped) else None
    assert (ledger.minimum, ledger.maximum) == (min(values), max(values))
    assert (ledger.elements, ledger.clamped, ledger.overflows) == (x.size, sum(clamped), 0)
    assert ledger.first == first


def ties(shift, scale=1, low=I32[0], high=I32[1]):
    """Accumulators at and next to exact ties of both signs, exact multiples, extremes, zero."""
    half = (1 << shift) // 2
    found = {0, 1, -1, low, low + 1, high, high - 1}
    for odd in (1, 3, 5, 127, 255, 257):
        for sign in (1, -1):
            for near in (-1, 0, 1):
                found |= {sign * odd * half // scale + near, sign * odd * 2 * half // scale + near}
    return np.array(sorted(v for v in found if low <= v <= high), np.int64)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("shift", [-3, 0, 1, 2, 8, 20, 30, 31, 40, 62])
def test_power_of_two_at_ties(rounding, shift):
    scheme = PowerOfTwo(shift, rounding, seed=11)
    x = ties(max(shift, 0), low=I64[0], high=I64[1])
    check(x, scheme)
    narrow = x[(x >= I32[0]) & (x <= I32[1])].astype(np.int32)
    check(narrow, scheme, zero_point=-7)
    check(narrow, scheme, output=FixedFormat(32))


@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize("bits", [2, 8, 16, 32])
@pytest.mark.parametrize("sign", [1, -1])
def test_fixed_point_at_ties_and_corners(rounding, bits, sign):
    n = bits - 1
    for m in (1, 1 << (n - 1), (1 << n) - 1, 1 << n):
        if m == 1 << n and sign > 0:
            continue
        for shift in {0, 1, n - 1, n, n + 1, n + 8, bits + 30}:
            scheme = FixedPoint(sign * m, max(shift, 0), rounding, bits)
            x = ties(min(max(shift, 0), 40), m).astype(np.int32)
            check(x, scheme)
            check(x, scheme, zero_point=3, output=FixedFormat(8, signed=False), clamp=(3, 200))


def test_gemmlowp_where_others_differ():
    # An exact-multiple negative (Vela's fp_math gives 0), the saturation corner, the wrap.
    assert reference(-25, FixedPoint.from_tflite(42949673, 0)) == -1
    corner = FixedPoint(-(1 << 31), 31)
    assert corner.reference(-(1 << 31)) == (1 << 31) - 1
    assert FixedPoint(1 << 30, 0).reference(1 << 30) == 0  # wraps: 2**30 << 31 in 32 bits
    x = np.array([-(1 << 31), (1 << 31) - 1, -25, 25], np.int32)
    for scheme in (corner, FixedPoint.from_tflite(42949673, 0), FixedPoint(1 << 30, 0)):
        check(x, scheme, output=FixedFormat(32))


def test_single_and_double_part_ways():
    # 3 * 0.5 / 4: double rounds 1.5 up to 2, then 2/4 = 0.5 away to 1; single rounds 0.375 to 0.
    double, single = (FixedPoint(1 << 30, 33, r) for r in ("double", "single"))
    assert (reference(3, double), reference(3, single)) == (1, 0)


SCHEMES = st.sampled_from(["double", "single", "shift", "float"])


def make_scheme(kind, rng, channels):
    def many(draw):
        return [draw() for _ in range(channels)] if channels else draw()

    bits = rng.choice([4, 8, 16, 32])
    high = (1 << (bits - 1)) - 1
    if kind == "shift":
        rounding = rng.choice(ROUNDINGS)
        return PowerOfTwo(many(lambda: rng.randint(-62, 62)), rounding, rng.randrange(1 << 64))
    if kind == "float":
        return FloatScale(many(lambda: rng.choice([1.0, 0.5, 3e-5, 1e30, rng.random() + 1e-9])))
    usual = rng.random() < 0.5
    shifts = many(lambda: rng.randint(bits, bits + 20) if usual else rng.randint(0, bits + 30))
    extremes = (-high - 1, high, high // 2 + 1)
    pick = many(lambda: rng.choice([*extremes, rng.randint(-high - 1, high)]))
    return FixedPoint(pick, shifts, kind, bits)


def make_array(rng, low, high, dtype, layout):
    def value():
        size = rng.randrange(1, 65)
        return min(max(rng.randrange(-(1 << size), 1 << size), low), high)

    x = np.array([rng.choice([low, high, 0]) if rng.random() < 0.1 else value() for _ in range(42)])
    x = x.astype(dtype).reshape(2, 3, 7)
    if layout == "last":
        return np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    return x[:, :, ::-2] if layout == "strided" else x[:, :, :1] if layout == "thin" else x


@settings(deadline=None, derandomize=True, max_examples=250)
@given(
    SCHEMES,
    st.integers(0, 1 << 32),
    st.sampled_from([0, 3]),
    st.sampled_from(["c", "last", "strided", "thin"]),
    st.sampled_from([np.int32, np.int64, np.int16, np.uint8, np.uint32, np.uint64]),
)
def test_random_against_the_definition(kind, seed, channels, layout, dtype):
    rng = random.Random(seed)  # noqa: S311  # test vectors, not secrets
    scheme = make_scheme(kind, rng, channels)
    info = np.iinfo(dtype)
    bounds = I32 if kind == "double" else I64
    low, high = max(int(info.min), bounds[0]), min(int(info.max), bounds[1])
    x = make_array(rng, low, high, dtype, layout)
    offset = rng.choice([0, 128, -5]) if kind == "single" else 0
    output = FixedFormat(rng.choice([1, 4, 8, 8, 8, 16, 32]), rng.random() < 0.5)
    zero = rng.choice([0, 3, -128, 255])
    check(x, scheme, output=output, zero_point=zero, input_zero_point=offset)


@pytest.mark.parametrize("shift", [-12, [-12, 3], [-12, -20]])
@pytest.mark.parametrize("sign", [1, -1])
def test_stochastic_left_shifts_beyond_64_bits_keep_exact_extremes(shift, sign):
    x = np.array([[9_223_274_239_738_818_592, (1 << 62) + 5]]) * sign
    check(x, PowerOfTwo(shift, "stochastic", seed=5), zero_point=3263)


def test_memory_order_is_kept_and_empty_arrays_pass():
    x = np.ones((2, 3, 4, 5), np.int32).transpose(0, 3, 1, 2)
    y = requantize(x, FixedPoint([1 << 30] * 5, [31] * 5))
    assert y.strides == tuple(s // 4 for s in x.strides)
    ledger = Ledger(clamped=9)
    empty = requantize(np.empty((0, 5, 2), np.int32), PowerOfTwo([1] * 5), ledger=ledger)
    assert (empty.shape, empty.dtype, ledger.elements, ledger.clamped) == ((0, 5, 2), np.int8, 0, 0)
    assert requantize(np.array(5, np.int16), PowerOfTwo(1)) == 2


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: requantize(np.ones(2), PowerOfTwo(1)), "integer array, not float64"),
        (lambda: requantize(np.ones((1, 3), int), PowerOfTwo([1, 2])), "2 for 3 channels"),
        (lambda: requantize(np.ones(3, int), PowerOfTwo([1, 2, 3])), "axis must name"),
        (lambda: requantize(np.ones(3, int), "double"), "scheme object"),
        (lambda: requantize(np.ones(3, int), PowerOfTwo(1), clamp=(2, 1)), "low <= high"),
        (lambda: requantize(np.ones(3, int), PowerOfTwo(1), zero_point=0.5), "zero_point"),
        (lambda: requantize(np.ones(3, int), PowerOfTwo(1), output=FixedFormat(33)), "1 to 32"),
        (lambda: requantize(np.array([[0, 1 << 31]]), FixedPoint(1, 31)), r"index \(0, 1\)"),
        (lambda: requantize(np.array([1 << 63], np.uint64), PowerOfTwo(1)), r"index \(0,\)"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ContractError, match=match):
        call()


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    SCHEMES,
    st.integers(0, 1 << 32),
    st.sampled_from(["c", "last", "thin", "tensor"]),
    st.booleans(),
)
def test_fast_kernels_equal_the_exact_ones(kind, seed, layout, signed):
    """Whole vectors and tails; the ledger selects the exact kernels, which are checked above."""
    rng, draw = random.Random(seed), np.random.default_rng(seed)  # noqa: S311  # test vectors
    channels = 0 if layout == "tensor" else 37
    if kind == "shift":
        rounding = rng.choice(ROUNDINGS[:-1])
        scheme = PowerOfTwo([rng.randint(0, 30) for _ in range(channels)] or 9, rounding)
    elif kind == "float":
        scheme = FloatScale([rng.random() / 500 + 1e-7 for _ in range(channels)] or 0.004)
    else:
        bits = rng.choice([8, 16, 32, 32])
        scales = [rng.choice([1, 2, 200]) * (rng.random() + 1e-4) / 999 for _ in range(channels)]
        scheme = FixedPoint.from_scale(scales or 0.0123, bits, kind)
    span = 1 << rng.choice([9, 16, 24, 31])
    x = draw.integers(-span, span, (2, 37, 1 if layout == "thin" else 35), np.int32)
    x[0, :4, 0] = [I32[0], I32[1], I32[0] + 1, -1]
    if layout == "last":
        x = np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    output, zero = FixedFormat(rng.choice([5, 8, 8]), signed), rng.choice([0, 3, -128, 255])
    clamp = rng.choice([None, (0, 11), (zero % 100, 127)])
    quick = requantize(x, scheme, zero, output, clamp)
    exact = requantize(x, scheme, zero, output, clamp, ledger=Ledger())
    np.testing.assert_array_equal(quick, exact)
    assert quick.dtype == exact.dtype
    assert quick.strides == exact.strides


@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize("shift", [32, 33, 34, 38, 45, 61, 62])
@pytest.mark.parametrize("m", [1 << 30, (1 << 31) - 1, -(1 << 30), 1, 1 << 29, -(1 << 31)])
def test_fast_kernels_at_ties_and_extremes(rounding, shift, m):
    scheme = FixedPoint(m, shift, rounding)
    near = [
        v + d for k in range(32) for v in (1 << k, 3 << k, -1 << k, -3 << k) for d in (-1, 0, 1)
    ]
    x = np.array([v for v in (*near, *I32) if I32[0] <= v <= I32[1]], np.int32)
    expected = [reference(int(v), scheme, 5, FixedFormat(8, False)) for v in x]
    assert requantize(x, scheme, 5, FixedFormat(8, False)).tolist() == expected
