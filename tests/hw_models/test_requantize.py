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
from hw_models.rounding import DETERMINISTIC, ROUNDINGS, splitmix64
from hw_models.schemes import (
    FIXED_REFERENCES,
    Converter,
    FixedPoint,
    Float64Scale,
    FloatScale,
    MulAddShift,
    PowerOfTwo,
)
from tests.hw_models.registers import Registers, of_requantizer

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
    assert (ledger.elements, ledger.clamped) == (x.size, sum(clamped))
    assert ledger.first_clamped == first
    held, offset = Registers(), kw.get("input_zero_point", 0)
    for index in np.ndindex(x.shape):
        channel = index[axis] if scheme.channels else 0
        held.hold(index, of_requantizer(scheme, int(x[index]) - offset, channel))
    assert ledger.registers == held.all


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


@pytest.mark.parametrize("rounding", ["double", "single", "double-half-up"])
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


@pytest.mark.parametrize(
    ("rounding", "bits"),
    [("s64-reduced", 32), ("tosa-single", 32), ("tosa-single", 16), ("tosa-double", 32)],
)
@pytest.mark.parametrize("shift", [2, 16, 17, 31, 32, 33, 40, 47, 62])
def test_other_fixed_points_at_ties_and_corners(rounding, bits, shift):
    n = bits - 1
    shift = max(shift, 16) if rounding == "s64-reduced" else shift
    wide = 1 << (FixedPoint(1, shift, rounding, bits).operand_bits - 1)
    for m in (0, 1, 1 << (n - 1), (1 << n) - 1, 0x7FFEFFFF & ((1 << n) - 1)):
        scheme = FixedPoint(m, shift, rounding, bits)
        x = ties(min(shift, 40), max(m, 1), -wide, wide - 1)
        x = np.array([v for v in x.tolist() if rounding[:4] != "tosa" or gives32(scheme, v)])
        check(x, scheme)
        check(x, scheme, zero_point=3, output=FixedFormat(16), clamp=(3, 20000))


def gives32(scheme, x):
    try:
        scheme.reference(x)
    except ContractError:
        return False
    return True


def test_the_second_rounding_of_double_half_up():
    # b = -3 and -5 over 2**1: -1.5 and -2.5 go up, gemmlowp takes them away from zero.
    m, x = 1 << 30, np.array([-6, -10, 6, 10], np.int32)
    up = FixedPoint(m, 32, "double-half-up")
    assert requantize(x, up).tolist() == [-1, -2, 2, 3]
    assert requantize(x, FixedPoint(m, 32)).tolist() == [-2, -3, 2, 3]


def test_the_reduced_multiplier():
    # TFLite: 0x7FFF0000 and more give 0x7FFF; below, the upper half rounded half up.
    for m, r in ((0x7FFFFFFF, 0x7FFF), (0x7FFF0000, 0x7FFF), (0x7FFEFFFF, 0x7FFF),
                 (0x40008000, 0x4001), (0x40007FFF, 0x4000)):  # fmt: skip
        scheme = FixedPoint.from_tflite(m, 0, "s64-reduced")
        assert scheme.right_shift == 31  # 15 - shift = right_shift - 16
        for x in (1 << 40, -(1 << 40), 3, -3, 1 << 14, -(1 << 14)):
            assert scheme.reference(x) == (x * r + (1 << 14)) >> 15
    x = np.array([(1 << 46) + 12345, -(1 << 47)])
    check(x, FixedPoint.from_tflite(0x7FFEFFFF, -20, "s64-reduced"), output=FixedFormat(16))


def test_tosa_double_is_gemmlowp_where_both_are_defined():
    for m in (1 << 30, (1 << 31) - 1, 1_717_986_918):
        for shift in (32, 33, 36, 45, 62):
            for x in (*ties(shift - 31, 1).tolist(), -25, 25, *I32):
                tosa, gemm = (FixedPoint(m, shift, r) for r in ("tosa-double", "double"))
                assert tosa.reference(x) == gemm.reference(x)


def test_tosa_refuses_what_its_register_cannot_hold_by_its_place():
    scheme = FixedPoint([1, 1 << 30], [31, 20], "tosa-single")
    x = np.array([[5, 4], [1 << 29, 1 << 19]], np.int32)
    with pytest.raises(ContractError, match=r"index \(1, 1\): tosa-single must have a value of 20"):
        requantize(x, scheme)
    assert requantize(x[:1], scheme, output=FixedFormat(32)).tolist() == [[0, 4096]]
    narrow = FixedPoint([1, (1 << 15) - 1], [31, 2], "tosa-single", 16)
    with pytest.raises(ContractError, match=r"index \(1, 1\): tosa-single must give 32 bits, not"):
        requantize(np.array([[1 << 40, 4], [7, 1 << 20]]), narrow, output=FixedFormat(32))
    with pytest.raises(ContractError, match="48-bit accumulators, not on 140737488355328 at"):
        requantize(np.array([[0, 1 << 47]]), FixedPoint(1, 20, "tosa-single", 16))


def test_multiply_add_shift_and_converter():
    x = np.array([[-3, -2, -1, 0, 1, 2, 3, 1 << 30, -(1 << 31)]])
    assert MulAddShift(3, 2, 2).reference(-2) == -1  # (-6 + 2 + 2) >> 2
    assert MulAddShift(3, 2, 2, "floor").reference(-1) == -1
    assert Converter(1, 2, 2).reference(0) == -1  # -0.5 goes away from zero
    for scheme in (MulAddShift(3, -7, 4), Converter(-(1 << 31), -(1 << 15), 20)):
        check(x, scheme, output=FixedFormat(32))
    per_channel = MulAddShift([3, -5], [1 << 46, -9], [40, 0], "half_even")
    check(np.array([[[1 << 44, 7], [-(1 << 62), 9]]]), per_channel, zero_point=4)
    check(np.array([[[1 << 62, 7], [-(1 << 62), 9]]]), Converter([7, -1], [9, -9], [30, 31]))


def test_float64_rounds_ties_away_and_nothing_else():
    x = np.array([5, -5, 3, -3, 1, -1, (1 << 31) - 1], np.int32)
    assert requantize(x, Float64Scale(0.5), output=FixedFormat(32)).tolist() == [
        3, -3, 2, -2, 1, -1, 1 << 30,
    ]  # fmt: skip
    # The largest number below a half: adding 0.5 to it would give 1.
    assert requantize(x[4:6], Float64Scale(0.49999999999999994)).tolist() == [0, 0]
    check(np.array([I64[0], I64[1], 1 << 53]), Float64Scale(1.5), output=FixedFormat(32))


def test_xnnpack_clamps_first_and_means_the_same():
    """google/XNNPACK:src/qs8-requantization: fmagic and lrintf, both after a clamp in float."""
    rng = np.random.default_rng(11)
    acc = rng.integers(-(1 << 31), 1 << 31, 20000) >> rng.integers(0, 28, 20000)
    acc = acc.astype(np.int32)
    for scale, zero in ((0.5, -3), (2.0**-9, 7), (0.0123, 0), (0.25, -128)):
        low, high = np.float32(-128 - zero), np.float32(127 - zero)
        value = np.clip(acc.astype(np.float32) * np.float32(scale), low, high)
        lrintf = np.rint(value).astype(np.int32) + zero
        fmagic = (value + np.float32(12582912.0)).view(np.int32) - (0x4B400000 - zero)
        codes = requantize(acc, FloatScale(scale), zero)
        np.testing.assert_array_equal(codes, lrintf)
        np.testing.assert_array_equal(codes, fmagic)


KINDS = (*FIXED_REFERENCES, "shift", "float", "float64", "mas", "converter")
SCHEMES = st.sampled_from(KINDS)


def wide_int(rng, bits):
    return rng.choice([0, -1, 1 << bits, 1]) - rng.randrange(1, 2 << rng.randrange(bits))


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
    if kind == "float64":
        return Float64Scale(many(lambda: rng.choice([1.0, 0.5, 1e30, rng.random() + 1e-9])))
    if kind in ("mas", "converter"):
        shift = many(lambda: rng.randint(0, 62))
        first, second = many(lambda: wide_int(rng, 31)), many(lambda: wide_int(rng, 47))
        if kind == "mas":
            return MulAddShift(first, second, shift, rng.choice(DETERMINISTIC))
        return Converter(first, many(lambda: wide_int(rng, 15)), shift)
    if kind in ("s64-reduced", "tosa-single", "tosa-double"):
        bits = rng.choice([16, 32]) if kind == "tosa-single" else 32
        low = -(1 << 31) if kind == "s64-reduced" else 0
        pick = many(lambda: rng.randint(low, (1 << (bits - 1)) - 1))
        return FixedPoint(pick, many(lambda: rng.randint(33, 62)), kind, bits)
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
    reach = 1 << (getattr(scheme, "operand_bits", 64) - 1)
    bounds = (-reach, reach - 1)
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
    st.sampled_from(("shift", "float", *FIXED_REFERENCES)),
    st.integers(0, 1 << 32),
    st.sampled_from(["c", "last", "thin", "tensor"]),
    st.booleans(),
)
def test_fast_kernels_equal_the_exact_ones(kind, seed, layout, signed):
    """Whole vectors and tails; the ledger selects the exact kernels, which are checked above."""
    rng, draw = random.Random(seed), np.random.default_rng(seed)  # noqa: S311  # test vectors
    channels = 0 if layout == "tensor" else 37
    if kind == "shift":
        rounding = rng.choice(DETERMINISTIC)
        scheme = PowerOfTwo([rng.randint(0, 30) for _ in range(channels)] or 9, rounding)
    elif kind == "float":
        scheme = FloatScale([rng.random() / 500 + 1e-7 for _ in range(channels)] or 0.004)
    else:
        bits = rng.choice([8, 16, 32, 32])
        if kind in ("s64-reduced", "tosa-double"):
            bits = 32
        elif kind == "tosa-single":
            bits = max(bits, 16)
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


@pytest.mark.parametrize("rounding", FIXED_REFERENCES)
@pytest.mark.parametrize("shift", [32, 33, 34, 38, 45, 61, 62])
@pytest.mark.parametrize("m", [1 << 30, (1 << 31) - 1, -(1 << 30), 1, 1 << 29, -(1 << 31)])
def test_fast_kernels_at_ties_and_extremes(rounding, shift, m):
    m = abs(m) & I32[1] if rounding.startswith("tosa") else m
    scheme = FixedPoint(m, shift, rounding)
    near = [
        v + d for k in range(32) for v in (1 << k, 3 << k, -1 << k, -3 << k) for d in (-1, 0, 1)
    ]
    x = np.array([v for v in (*near, *I32) if I32[0] <= v <= I32[1]], np.int32)
    expected = [reference(int(v), scheme, 5, FixedFormat(8, False)) for v in x]
    assert requantize(x, scheme, 5, FixedFormat(8, False)).tolist() == expected
