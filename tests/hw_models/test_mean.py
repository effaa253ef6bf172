"""Mean: divisions and requantizers against the definition, TFLite's folded count, refusals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.mean import Division, mean, over_count, reference
from hw_models.rounding import DIVISIONS, splitmix64
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo

DIVISIONS = [Division(r) for r in DIVISIONS]
SCHEMES = [
    over_count(FixedPoint.from_scale(1.3), 12),
    over_count(FixedPoint.from_scale(0.8, rounding="single"), 12),
    FixedPoint.from_scale(1 / 12, rounding="double-half-up"),
    PowerOfTwo(4, "half_even"),
    FloatScale(1 / 12),
]


def lines(x, axes):
    """Yield the codes of every mean, in C order of the result."""
    dims = sorted(axis % x.ndim for axis in axes)
    kept = [axis for axis in range(x.ndim) if axis not in dims]
    moved = x.transpose(*kept, *dims)
    return moved.reshape(-1, math.prod(x.shape[axis] for axis in dims)).tolist()


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    st.integers(0, 1 << 32),
    st.sampled_from(DIVISIONS + SCHEMES),
    st.sampled_from([(0,), (1,), (2,), (-1,), (1, 2), (2, 0), (-3, 1, 2)]),
    st.sampled_from([np.int8, np.uint8, np.int16, np.int32]),
    st.booleans(),
)
def test_random_against_the_definition(seed, averager, axes, dtype, keepdims):
    rng = np.random.default_rng(seed)
    info = np.iinfo(dtype)
    low, high = (max(info.min, -9), 9) if seed % 2 else (max(info.min, -999), min(info.max, 999))
    x = rng.integers(low, high, (3, 4, 3), endpoint=True).astype(dtype).transpose(0, 2, 1)
    x_zero, zero = rng.integers(-20, 20, 2).tolist()
    limits = (zero, 90) if seed % 3 == 0 else None
    ledger = Ledger()
    arguments = (axes, averager, x_zero, zero, FixedFormat(8), limits)
    y = mean(x, *arguments, keepdims=keepdims, ledger=ledger)
    np.testing.assert_array_equal(mean(x, *arguments, keepdims=keepdims), y)
    assert y.shape == np.sum(x, tuple(axes), keepdims=keepdims).shape
    plain = [reference(v, averager, x_zero, zero, None, limits) for v in lines(x, axes)]
    assert y.reshape(-1).tolist() == plain
    values = [reference(v, averager, x_zero, zero, FixedFormat(64)) for v in lines(x, axes)]
    assert (ledger.minimum, ledger.maximum) == (min(values), max(values))
    changed = np.argwhere((np.array(values) != np.array(plain)).reshape(y.shape))
    assert ledger.clamped == len(changed)
    assert ledger.first == (tuple(changed[0].tolist()) if len(changed) else None)
    assert ledger.kernel.startswith("mean-")


def test_ties_of_a_division():
    x = np.array([[1, 2], [-1, -2], [0, 1], [0, -1]], np.int8)
    expected = {
        "half_away": [2, -2, 1, -1], "half_up": [2, -1, 1, 0], "half_even": [2, -2, 0, 0],
        "floor": [1, -2, 0, -1], "toward_zero": [1, -1, 0, 0],
    }  # fmt: skip
    for rounding, codes in expected.items():
        assert mean(x, 1, Division(rounding)).tolist() == codes
    # Away from the zero point, not from code 0: -1.5 + 10 against 8.5.
    assert mean(np.array([8, 9], np.int8), 0, Division(), 10, 10).tolist() == 8
    assert mean(np.array([8, 9], np.int8), 0, Division()).tolist() == 9


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 49, 1000, 4097, (1 << 31) - 1])
@pytest.mark.parametrize("scale", [1.0, 0.37, 3.9, 1e-5, 2.0**-31])
def test_the_folded_count_is_tflites(count, scale):
    rescale = FixedPoint.from_scale(scale)
    folded = over_count(rescale, count)
    # As the C++ has it: exponents to the left, CountLeadingZeros of a 64-bit count.
    exponent = 31 - rescale.right_shift
    shift = min(63 - (64 - count.bit_length()), 32, 31 + exponent)
    multiplier = (rescale.multiplier << shift) // count
    assert folded == FixedPoint.from_tflite(multiplier, exponent - shift)
    real = Fraction(rescale.multiplier, count << rescale.right_shift)
    ours = Fraction(folded.multiplier, 1 << folded.right_shift)
    assert 0 <= real - ours < Fraction(1, 1 << folded.right_shift)


def test_the_folded_count_of_other_multipliers():
    assert over_count(FixedPoint(-5, 31), 2) == FixedPoint(-5, 32)
    assert over_count(FixedPoint(-5, 31), 3) == FixedPoint(-3, 32)  # -10 / 3, as C truncates
    assert over_count(FixedPoint(5, 44, "double", 16), 9) == FixedPoint(2, 46, "double", 16)
    assert over_count(FixedPoint(5, 62), 9) == FixedPoint(0, 62)


def test_a_folded_count_rounds_otherwise_than_a_division():
    x = np.array([[1, 1, 0, 0, 0, 0], [-1, -1, -1, 0, 0, 0], [1, 1, 1, 0, 0, 0]], np.int8)
    assert mean(x, 1, Division("half_up")).tolist() == [0, 0, 1]
    # The multiplier is just below 1 / 6: what was a tie is none.
    once = over_count(FixedPoint.from_scale(1.0, rounding="single"), 6)
    assert mean(x, 1, once).tolist() == [0, 0, 0]
    # 1/3 is rounded to 1/2, and that to 1.
    assert mean(x, 1, over_count(FixedPoint.from_scale(1.0), 6)).tolist() == [1, -1, 1]


def test_layouts_types_draws_and_empty():
    x = np.arange(120, dtype=np.int16).reshape(2, 3, 4, 5).transpose(0, 2, 3, 1)
    y = mean(x, (1, 2), Division("floor"), output=FixedFormat(16), keepdims=True)
    np.testing.assert_array_equal(y, x.astype(int).sum((1, 2), keepdims=True) // 20)
    assert mean(x[:, ::-2], [1, 2, 3, 0], Division("floor"), output=FixedFormat(9)).shape == ()
    big = np.full((2, 5), (1 << 32) - 1, np.uint32)
    assert mean(big, 1, Division(), output=FixedFormat(32, False)).tolist() == [(1 << 32) - 1] * 2
    scheme = PowerOfTwo(3, "stochastic", 5)
    drawn = mean(x, (2,), scheme, output=FixedFormat(16))
    expected = [reference(v, scheme, output=FixedFormat(16), draw=splitmix64(5, i))
                for i, v in enumerate(lines(x, (2,)))]  # fmt: skip
    assert drawn.reshape(-1).tolist() == expected
    for averager in (Division(), FloatScale(0.5)):
        ledger = Ledger(9, 9, 9)
        assert mean(np.empty((0, 3), np.int8), 1, averager, ledger=ledger).shape == (0,)
        assert (ledger.elements, ledger.minimum, ledger.maximum) == (0, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"axes": 2}, r"axes must name dimensions.*-2\.\.1"),
        ({"axes": ()}, "one or more"),
        ({"axes": (0, True)}, "axes must name dimensions"),
        ({"axes": (1, -1)}, "each dimension once"),
        ({"x": np.empty((3, 0), int)}, "elements to average, not 0"),
        ({"x": np.zeros((2, 2))}, "x must be an integer"),
        ({"averager": FixedPoint((1, 2), 3)}, "per tensor, not one of 2 channels"),
        ({"averager": "half_even"}, "requantizer must be a scheme"),
        ({"averager": FixedPoint(1, 31), "x": np.full((2, 2), (1 << 31) - 1)}, "32-bit"),
        ({"x_zero_point": 1.0}, "x_zero_point"),
        ({"keepdims": 0}, "keepdims"),
        ({"clamp": (2, 1)}, "clamp"),
        ({"ledger": 1}, "Ledger"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ContractError, match=match):
        mean(**{"x": np.ones((2, 3), np.int8), "axes": 1, "averager": Division()} | arguments)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: Division("jam"), "rule of the quotient"),
        (lambda: Division("nearest"), "half_even"),
        (lambda: over_count(FixedPoint(1, 1), 0), "count"),
        (lambda: over_count(PowerOfTwo(1), 3), "FixedPoint per tensor"),
        (lambda: over_count(FixedPoint((1, 2), 1), 3), "FixedPoint per tensor"),
    ],
)
def test_refused_schemes(call, match):
    with pytest.raises(ContractError, match=match):
        call()
