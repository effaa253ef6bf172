"""The requantizer objects: normalisation, derivation of multipliers, refusals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.schemes import (
    Converter,
    FixedPoint,
    Float64Scale,
    FloatScale,
    MulAddShift,
    PowerOfTwo,
)


def test_value_objects_compare_hash_and_print():
    a = FixedPoint(np.array([3, 5]), np.array([1, 2]))
    assert a == FixedPoint((3, 5), [1, 2])
    assert hash(a) == hash(FixedPoint((3, 5), (1, 2)))
    assert (
        repr(a) == "FixedPoint(multiplier=(3, 5), right_shift=(1, 2), rounding='double', bits=32)"
    )
    assert a != FixedPoint((3, 5), (1, 2), "single")
    assert (a.channels, FixedPoint(3, 1).channels, PowerOfTwo([1, 2, 3]).channels) == (2, 0, 3)
    assert FloatScale(0.1) == FloatScale(np.float32(0.1))


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (0.0, (0, 31)),
        (0.5, (1 << 30, 31)),
        (1.0, (1 << 30, 30)),
        (0.25, (1 << 30, 32)),
        (1 - 2.0**-33, (1 << 30, 30)),  # rounds up to 2**31: halved, exponent raised
        (2.0**-32, (1 << 30, 62)),  # exponent -31: the smallest that is kept
        (2.0**-33, (0, 31)),  # exponent -32: flushed
        (0.1, (1717986918, 34)),
        (2.0**30, (1 << 30, 0)),
    ],
)
def test_from_scale_corners(scale, expected):
    made = FixedPoint.from_scale(scale)
    assert (made.multiplier, made.right_shift) == expected


def test_single_saturates_a_large_scale_and_double_refuses_it():
    made = FixedPoint.from_scale(2.0**31, rounding="single")
    assert (made.multiplier, made.right_shift) == ((1 << 31) - 1, 1)
    made = FixedPoint.from_scale(2.0**29, rounding="single")
    assert (made.multiplier, made.right_shift) == (1 << 30, 1)
    with pytest.raises(ContractError, match="too large"):
        FixedPoint.from_scale(2.0**31)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.floats(2.0**-31, 2.0**20), st.sampled_from([4, 8, 16, 24, 32]))
def test_from_scale_is_the_nearest_normalised_multiplier(scale, bits):
    if scale >= 2.0 ** (bits - 3):
        scale = scale % 1.0 + 0.5
    made = FixedPoint.from_scale(scale, bits)
    m, s = made.multiplier, made.right_shift
    assert 1 << (bits - 2) <= m < 1 << (bits - 1)
    error = abs(Fraction(m) - Fraction(scale) * 2**s)
    assert error <= Fraction(1, 2)
    mantissa, exponent = math.frexp(scale)
    if error == Fraction(1, 2) and exponent == bits - 1 - s:
        assert m > mantissa * 2 ** (bits - 1)  # half away from zero


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.floats(2.0**-70, 2.0**12), st.sampled_from([16, 32]))
def test_tosa_scales_as_the_arm_backend(scale, bits):
    """From the definition: half to even, and a shift beyond 62 taken off the multiplier."""
    made = FixedPoint.from_scale(scale, bits, "tosa-single")
    mantissa, exponent = math.frexp(scale)
    whole = round(Fraction(mantissa) * 2 ** (bits - 1))
    shift = bits - 1 - exponent
    if whole == 1 << (bits - 1):
        whole, shift = whole >> 1, shift - 1
    assert made.right_shift == min(shift, 62)
    assert made.multiplier == whole >> max(shift - 62, 0)


def test_tosa_scales_round_ties_to_even():
    tie = (2.0**30 + 0.5) / 2**31
    assert FixedPoint.from_scale(tie).multiplier == 2**30 + 1
    assert FixedPoint.from_scale(tie, rounding="tosa-single").multiplier == 2**30


def test_other_derivations():
    assert MulAddShift.from_scale([0.25, 0.0], 16) == MulAddShift((1 << 14, 0), 0, 16)
    assert MulAddShift.from_scale(2.5 / 4, 2, "floor") == MulAddShift(2, 0, 2, "floor")
    assert Converter.from_scale(0.25, 9) == Converter(9, 1 << 14, 16)
    assert Converter.from_scale([0.25, 0.5]) == Converter(0, (1 << 14, 1 << 14), (16, 15))
    assert Float64Scale([0.1, 0.2]).channels == 2
    assert Float64Scale(0.1) != FloatScale(0.1)
    assert MulAddShift([1, 2], 0, 3).channels == Converter(0, [1, 2], 3).channels == 2


def test_tflite_convention():
    assert FixedPoint.from_tflite(1 << 30, -3) == FixedPoint(1 << 30, 34)
    assert FixedPoint.from_tflite([7, 8], [0, 2]).right_shift == (31, 29)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: FixedPoint(1 << 31, 1), "multiplier must be in"),
        (lambda: FixedPoint(1, 63, "single"), "right_shift must be in 0..62"),
        (lambda: FixedPoint(1, 47, bits=16), "right_shift must be in 0..46"),
        (lambda: FixedPoint(1, 1, "triple"), "double, single"),
        (lambda: FixedPoint(1, 1, bits=1), "accepted: 2..32"),
        (lambda: FixedPoint(1.5, 1), "integer"),
        (lambda: FixedPoint([1, 2], [1, 2, 3]), "one length"),
        (lambda: FixedPoint(True, 1), "integer"),
        (lambda: FixedPoint.from_scale(-1.0), "positive and finite"),
        (lambda: FixedPoint.from_scale([0.1, math.nan]), "positive and finite"),
        (lambda: PowerOfTwo(63), "-62..62"),
        (lambda: PowerOfTwo(1, "nearest"), "half_even"),
        (lambda: PowerOfTwo(1, "stochastic", -1), "64-bit unsigned"),
        (lambda: FixedPoint(-1, 4, "tosa-single"), "multiplier must be in 0.."),
        (lambda: FixedPoint(1, 1, "tosa-double"), "right_shift must be in 2..62"),
        (lambda: FixedPoint(1, 4, "tosa-double", 16), "accepted: 32"),
        (lambda: FixedPoint(1, 4, "tosa-single", 8), "accepted: 16, 32"),
        (lambda: FixedPoint(1, 15, "s64-reduced"), "right_shift must be in 16..62"),
        (lambda: FixedPoint.from_scale(2.0**16, rounding="s64-reduced"), "too large"),
        (lambda: FixedPoint.from_scale(2.0**30, rounding="tosa-single"), "too large"),
        (lambda: FixedPoint.from_scale(2.0**31, rounding="double-half-up"), "too large"),
        (lambda: MulAddShift(1, 0, 1, "stochastic"), "deterministic"),
        (lambda: MulAddShift([1, 2], [1, 2, 3], 1), "one length"),
        (lambda: MulAddShift(1 << 31, 0, 1), "mul must be in"),
        (lambda: MulAddShift.from_scale(1.0, 31), "too large"),
        (lambda: MulAddShift.from_scale(1.0, [1, 2]), "one for all channels"),
        (lambda: Converter(0, 1 << 15, 1), "scale must be in"),
        (lambda: Converter(1 << 31, 1, 1), "offset must be in"),
        (lambda: Float64Scale(math.inf), "positive and finite"),
        (lambda: FloatScale(0.0), "positive and finite"),
        (lambda: FloatScale(1e-60), "positive and finite"),
        (lambda: FloatScale(math.inf), "positive and finite"),
        (lambda: FloatScale([[0.1]]), "1-D"),
        (lambda: FixedPoint([], 1), "1-D"),
    ],
)
def test_refusals_name_what_is_accepted(make, match):
    with pytest.raises(ContractError, match=match):
        make()
