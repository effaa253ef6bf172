"""Quantized addition: every scheme against its definition, on whole grids of codes."""

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
    add,
    f32,
    reference,
)
from hw_models.errors import AccumulatorOverflowError, ContractError
from hw_models.formats import Accumulator, FixedFormat
from hw_models.ledger import Ledger
from hw_models.rounding import ROUNDINGS, splitmix64
from hw_models.schemes import FixedPoint, PowerOfTwo
from tests.hw_models.operands import codes


def check(a, b, adder, za=0, zb=0, zo=0, output=None, clamp=None):
    output = output or FixedFormat(8)
    ledger = Ledger()
    y = add(a, b, adder, za, zb, zo, output, clamp)
    np.testing.assert_array_equal(add(a, b, adder, za, zb, zo, output, clamp, ledger), y)
    pairs = zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)
    expected = [reference(p, q, adder, za, zb, zo, output, clamp) for p, q in pairs]
    assert y.reshape(-1).tolist() == expected
    assert y.dtype == output.dtype
    assert ledger.elements == y.size
    return ledger


SCALES = st.sampled_from([0.5, 0.25, 0.1, 0.037, 1 / 3, 0.0021])
ZEROS = st.integers(-128, 127)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.integers(0, 1 << 32), SCALES, SCALES, SCALES, ZEROS, ZEROS, ZEROS)
def test_every_scheme_from_scales(seed, sa, sb, so, za, zb, zo):
    a, b = codes(seed)
    for formula in ADD_FORMULAS:
        check(a, b, FloatAdd(sa, sb, so, formula), za, zb, zo)
    if so > max(sa, sb) / 100:
        for rounding in ("double", "single"):
            shifted = ShiftedAdd.from_scales(sa, sb, so, rounding=rounding)
            check(a, b, shifted, za, zb, zo, clamp=(zo, 127))
        check(a, b, MultiplierAdd.from_scales(sa, sb, so), za, zb, zo)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("fractions", [(7, 7, 7), (7, 5, 6), (3, 7, 2), (4, 4, 9)])
def test_aligned(rounding, fractions):
    a, b = codes(1)
    adder = AlignedAdd.from_fractions(*fractions, rounding)
    y = add(a, b, adder, 1, -2, 3)
    pairs = zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)
    for index, (p, q) in enumerate(pairs):
        value = adder.reference(p - 1, q + 2, draw=splitmix64(0, index)) + 3
        assert y.reshape(-1)[index] == min(max(value, -128), 127)


@pytest.mark.parametrize("overflow", ["wrap", "saturate", "saturate_symmetric"])
def test_aligned_accumulator(overflow):
    a, b = codes(2)
    adder = AlignedAdd(0, 1, PowerOfTwo(1), Accumulator(8, overflow))
    ledger = check(a, b, adder)
    sums = a.astype(int) + 2 * b.astype(int)
    over = (sums < adder.accumulator.min) | (sums > 127)
    assert (ledger.minimum, ledger.maximum) == (sums.min(), sums.max())
    assert ledger.overflows == over.sum()
    assert ledger.registers[0].first == tuple(np.argwhere(over)[0].tolist())


def test_aligned_error_names_the_element():
    a = np.array([[1, 2], [3, 100]], np.int8)
    with pytest.raises(AccumulatorOverflowError) as caught:
        add(a, a, AlignedAdd(0, 0, PowerOfTwo(0), Accumulator(8, "error")))
    assert (caught.value.index, caught.value.value) == ((1, 1), 200)


def test_tflite_example():
    # 0.5 + 0.25 steps: 3 * 0.5 + 1 * 0.25 = 1.75, in steps of 0.5: 3.5, away from zero.
    adder = ShiftedAdd.from_scales(0.5, 0.25, 0.5)
    assert adder.a == FixedPoint(1 << 30, 31)
    assert reference(3, 1, adder) == 4
    assert reference(-3, -1, adder) == -4
    assert reference(3, 1, FloatAdd(0.5, 0.25, 0.5)) == 4
    assert reference(5, 1, FloatAdd(0.5, 0.25, 0.5)) == 6
    # mlas adds the zero point before it rounds: an odd one turns the tie.
    assert reference(3, 1, FloatAdd(0.5, 0.25, 0.5, "mlas"), zero_point=1) == 4
    assert reference(3, 1, FloatAdd(0.5, 0.25, 0.5, "onnx"), zero_point=1) == 5


def test_f32_rounds_exactly_where_float64_would_mislead():
    tie = Fraction(1) + Fraction(1, 1 << 24)
    assert f32(tie) == 1
    assert f32(tie + Fraction(1, 1 << 80)) == 1 + Fraction(1, 1 << 23)
    assert f32(-tie - Fraction(1, 1 << 80)) == -1 - Fraction(1, 1 << 23)


@pytest.mark.parametrize("adder", [FloatAdd(0.5, 0.25, 1.0), MultiplierAdd(1 << 22, 1 << 21, 23)])
def test_wide_operands_broadcast_without_a_warning(adder):
    # An int64 operand needs no conversion: NumPy warns of broadcast views, and warnings are errors.
    a, b = np.arange(6, dtype=np.int64).reshape(2, 3), np.arange(3, dtype=np.int64)
    for x, y in ((a, b), (b, a)):
        p, q = (v.reshape(-1).tolist() for v in np.broadcast_arrays(x, y))
        expected = [reference(i, j, adder) for i, j in zip(p, q, strict=True)]
        assert add(x, y, adder).reshape(-1).tolist() == expected


def test_layout_broadcast_and_ledger():
    a = np.arange(24, dtype=np.int8).reshape(2, 3, 4).transpose(0, 2, 1)
    adder = FloatAdd(0.5, 0.5, 0.01)
    y = add(a, a, adder)
    assert y.strides == a.strides
    b = np.array([1, 2, 3], np.int16)
    full = np.broadcast_to(b, a.shape)
    ledger = Ledger()
    got = add(a, b, adder, output=FixedFormat(12), ledger=ledger)
    np.testing.assert_array_equal(got, add(a, np.array(full), adder, output=FixedFormat(12)))
    assert (ledger.minimum, ledger.maximum, ledger.clamped) == (50, 1300, 0)
    for other in (adder, MultiplierAdd(1 << 20, 1 << 20, 15), AlignedAdd(5, 5, PowerOfTwo(1))):
        add(a, a, other, ledger=ledger)
        expected = np.argwhere(add(a, a, other, output=FixedFormat(20)) > 127)[0]
        assert ledger.first == tuple(expected.tolist())
    assert add(np.empty((0, 2), int), np.empty((0, 2), int), adder, ledger=Ledger()).size == 0


ONES = np.ones(2, np.int8)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: add(ONES, np.ones(3, int), FloatAdd(1, 1, 1)), "broadcast"),
        (lambda: add(ONES, np.ones(2), FloatAdd(1, 1, 1)), "b must be an integer"),
        (lambda: add(ONES, ONES, "float"), "ShiftedAdd"),
        (lambda: add(ONES, np.array([0, 1 << 20]), ShiftedAdd.from_scales(1, 1, 1)), r"\(1,\)"),
        (lambda: FloatAdd(0.0, 1, 1), "positive"),
        (lambda: FloatAdd(1e-30, 1, 1), "usual size"),
        (lambda: FloatAdd(1, 1, 1, "other"), "mlas"),
        (lambda: ShiftedAdd(31, *[FixedPoint(1, 1)] * 3), "left_shift"),
        (lambda: ShiftedAdd(1, *[FixedPoint([1], [1])] * 3), "per tensor"),
        (lambda: AlignedAdd(-1, 0, PowerOfTwo(1)), "left_a"),
        (lambda: MultiplierAdd(1 << 23, 0, 1), "multiplier_a"),
        (lambda: MultiplierAdd(1, 0, 1, "stochastic"), "deterministic"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ContractError, match=match):
        call()
