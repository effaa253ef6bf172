"""The requantizer objects: normalisation, derivation of multipliers, refusals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo


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
