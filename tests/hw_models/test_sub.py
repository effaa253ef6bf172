"""Quantized subtraction: every scheme against its definition, and the two ways to negate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.add import (
    ADD_FORMULAS,
    AlignedAdd,
    FloatAdd,
    MultiplierAdd,
    ShiftedAdd,
)
from hw_models.errors import AccumulatorOverflowError, ContractError
from hw_models.formats import Accumulator, FixedFormat
from hw_models.ledger import Ledger
from hw_models.schemes import FixedPoint, PowerOfTwo
from hw_models.sub import NEGATES, reference, sub
from tests.hw_models.operands import codes


def check(a, b, adder, zeros=(0, 0, 0), negate="term", output=None, clamp=None):
    output = output or FixedFormat(8)
    ledger = Ledger()
    y = sub(a, b, adder, *zeros, output, clamp, negate)
    np.testing.assert_array_equal(sub(a, b, adder, *zeros, output, clamp, negate, ledger), y)
    pairs = zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)
    expected = [reference(p, q, adder, *zeros, output, clamp, negate) for p, q in pairs]
    assert y.reshape(-1).tolist() == expected
    assert y.dtype == output.dtype
    assert ledger.elements == y.size
    assert ledger.kernel == f"sub-{type(adder).__name__}" or isinstance(adder, MultiplierAdd)
    return y


SCALES = st.sampled_from([0.5, 0.25, 0.1, 0.037, 1 / 3])
ZEROS = st.integers(-128, 127)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(st.integers(0, 1 << 32), SCALES, SCALES, SCALES, st.tuples(ZEROS, ZEROS, ZEROS))
def test_every_scheme_from_scales(seed, sa, sb, so, zeros):
    a, b = codes(seed)
    for formula in ADD_FORMULAS:
        check(a, b, FloatAdd(sa, sb, so, formula), zeros)
    check(a, b, MultiplierAdd.from_scales(sa, sb, so), zeros)
    for negate in NEGATES:
        for rounding in ("double", "single", "double-half-up"):
            shifted = ShiftedAdd.from_scales(sa, sb, so, rounding=rounding)
            check(a, b, shifted, zeros, negate, clamp=(zeros[2], 127))


def test_a_tie_tells_a_negated_term_from_a_negated_operand():
    # With M = 2**24 - 3, b's first rounding makes M / 2 of 8 << 20 and -M / 2 of its negative, ties
    # that both go up; after the second, 2**22 and -(2**22 - 1). A half of the result is 2**22.
    adder = ShiftedAdd.from_scales(0.5, (2**24 - 3) / 2**25, 8.0)
    assert adder.b == FixedPoint((2**24 - 3) << 7, 32)
    assert reference(0, 8, adder, negate="term") == -1
    assert reference(0, 8, adder, negate="operand") == 0
    grid = np.arange(-128, 128, dtype=np.int8)
    a, b = (v.copy() for v in np.meshgrid(grid, grid))
    both = [check(a[:, ::8], b[:, ::8], adder, negate=negate) for negate in NEGATES]
    assert (both[0] != both[1]).any()


def test_real_difference_of_exact_scales():
    # Steps of 1/2, 1/4 and 1/8: every difference is exact, whatever the scheme.
    a, b = codes(3)
    real = a.astype(int) * 4 - b.astype(int) * 2
    expected = np.clip(real + 5, -128, 127)
    for adder in (
        ShiftedAdd.from_scales(0.5, 0.25, 0.125),
        AlignedAdd.from_fractions(1, 2, 3),
        MultiplierAdd.from_scales(0.5, 0.25, 0.125),
        *(FloatAdd(0.5, 0.25, 0.125, formula) for formula in ADD_FORMULAS),
    ):
        for negate in NEGATES:
            y = sub(a, b, adder, zero_point=5, negate=negate)
            np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("overflow", ["wrap", "saturate", "saturate_symmetric"])
def test_aligned_accumulator(overflow):
    a, b = codes(2)
    check(a, b, AlignedAdd(0, 1, PowerOfTwo(1, "half_away"), Accumulator(8, overflow)), (1, -2, 3))


def test_errors_are_those_of_a_subtraction():
    a = np.array([[1, 2], [3, 100]], np.int8)
    with pytest.raises(AccumulatorOverflowError, match="sub") as caught:
        sub(a, -a, AlignedAdd(0, 0, PowerOfTwo(0), Accumulator(8, "error")))
    assert (caught.value.index, caught.value.value) == ((1, 1), 200)


HALF = FixedPoint(1 << 30, 31, "tosa-single")  # of values of 31 bits
QUARTER = FixedPoint(1 << 30, 32, "tosa-single")  # of any
TWICE = FixedPoint((1 << 31) - 1, 30, "tosa-single")  # nearly times 2, of values of 30 bits
TIMES16 = FixedPoint(1 << 14, 10, "tosa-single", 16)  # apply_scale_16: the result is what overflows


@pytest.mark.parametrize(
    ("parts", "a", "b", "match"),
    [
        ((TWICE, HALF, HALF), 512, 0, "value of 30 bits"),
        ((HALF, TWICE, HALF), 0, -513, "value of 30 bits"),
        ((TWICE, TWICE, HALF), 511, -2, "value of 31 bits"),
        ((TIMES16, HALF, QUARTER), 128, 0, "give 32 bits"),
        ((HALF, TIMES16, QUARTER), 0, -129, "give 32 bits"),
        ((HALF, HALF, TIMES16), 256, 0, "give 32 bits"),
    ],
)
def test_tosa_refuses_what_its_registers_do_not_hold(parts, a, b, match):
    adder = ShiftedAdd(20, *parts)
    with pytest.raises(ContractError, match=match):
        reference(a, b, adder)
    with pytest.raises(ContractError, match=r"32-bit register.*\(1,\)"):
        sub(np.array([0, a]), np.array([0, b]), adder)
    inside = np.array([a - np.sign(a) * 2, 3]), np.array([b - np.sign(b) * 2, -1])
    check(*inside, adder, output=FixedFormat(32))


def test_without_tosa_only_the_sum_must_fit():
    plain = [FixedPoint(1 << 30, k, "single") for k in (29, 31, 62)]
    # 2**31, which no register holds, less 2**29, then over 2**32.
    check(np.array([1]), np.array([1]), ShiftedAdd(30, *plain), output=FixedFormat(32))


def test_broadcast_layout_and_ledger():
    a = np.arange(24, dtype=np.int8).reshape(2, 3, 4).transpose(0, 2, 1)
    b = np.array([1, 2, 3], np.int16)
    b.setflags(write=False)
    adder = FloatAdd(0.5, 0.5, 0.01)
    ledger = Ledger()
    y = sub(a, b, adder, output=FixedFormat(12), ledger=ledger)
    exact = (a.astype(int) - b) * 50
    np.testing.assert_array_equal(y, exact)
    assert y.strides == tuple(2 * s for s in a.strides)
    assert (ledger.minimum, ledger.maximum, ledger.clamped) == (exact.min(), exact.max(), 0)
    sub(a, b, adder, ledger=ledger)
    assert ledger.first == tuple(np.argwhere((exact > 127) | (exact < -128))[0].tolist())
    assert sub(np.empty((0, 2), int), np.empty((0, 2), int), adder, ledger=Ledger()).size == 0


def test_float_terms_are_exact_negations():
    adder = FloatAdd(0.1, 0.037, 0.09)
    exact = Fraction(float(np.float32(0.1))) * 7 - Fraction(float(np.float32(0.037))) * 50
    assert reference(7, 50, adder) == round(exact / Fraction(float(np.float32(0.09)))) == -13


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"negate": "b"}, "negate must be one of its names.*term, operand"),
        ({"adder": "float"}, "ShiftedAdd"),
        ({"b": np.ones(3, int)}, "broadcast"),
        ({"b": np.ones(2)}, "b must be an integer"),
        ({"a": np.array([1, 1 << 32])}, "32 bits"),
        ({"zero_point": 0.5}, "zero_point"),
        ({"ledger": 1}, "Ledger"),
    ],
)
def test_refusals(arguments, match):
    ones = np.ones(2, np.int8)
    with pytest.raises(ContractError, match=match):
        sub(**{"a": ones, "b": ones, "adder": FloatAdd(1, 1, 1)} | arguments)
