"""Softmax: the three schemes against C-like definitions written here, corners and ledgers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.schemes import FixedPoint
from hw_models.softmax import FixedSoftmax, FloatSoftmax, TableSoftmax, reference, softmax
from hw_models.softmaxes import gemmlowp as gemmlowp

INT8, INT16, UINT8 = FixedFormat(8), FixedFormat(16), FixedFormat(8, signed=False)
MAX32 = (1 << 31) - 1


def doubling_high_mul(a: int, b: int) -> int:
    """gemmlowp's C++: truncating division after a nudge."""
    if a == b == -(1 << 31):
        return MAX32
    product = a * b
    nudge = 1 << 30 if product >= 0 else 1 - (1 << 30)
    return int(Fraction(product + nudge, 1 << 31))


def divide_by_pot(x: int, exponent: int) -> int:
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def saturating_shift(x: int, bits: int) -> int:
    return min(max(x << bits, -MAX32 - 1), MAX32)


BARREL = {
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}


def exponential(raw: int) -> int:
    """exp_on_negative_values of FixedPoint<int32, 5>, with the header's own constants."""
    if raw == 0:
        return MAX32
    quarter = 1 << 24
    within = (raw & (quarter - 1)) - quarter
    x = saturating_shift(within, 5) + (1 << 28)
    x2 = doubling_high_mul(x, x)
    x3, x4 = doubling_high_mul(x2, x), doubling_high_mul(x2, x2)
    sixth = doubling_high_mul(divide_by_pot(x4, 2) + x3, 715827883) + x2
    result = 1895147668 + doubling_high_mul(1895147668, x + divide_by_pot(sixth, 1))
    for exponent, multiplier in BARREL.items():
        if (within - raw) & (1 << (26 + exponent)):
            result = doubling_high_mul(result, multiplier)
    return result


def reciprocal(raw: int) -> int:
    """one_over_one_plus_x_for_x_in_0_1."""
    total = raw + MAX32
    half = int(Fraction(total + (1 if total >= 0 else -1), 2))
    x = 1515870810 + doubling_high_mul(half, -1010580540)
    for _ in range(3):
        rest = (1 << 29) - doubling_high_mul(half, x)
        x += saturating_shift(doubling_high_mul(x, rest), 2)
    return saturating_shift(x, 1)


def tflite_row(row, scheme, bits):
    """Softmax<int8, intN> of the reference kernels."""
    top = max(row)
    raws = [
        exponential(doubling_high_mul((c - top) << scheme.left_shift, scheme.multiplier))
        if c - top >= scheme.min_difference
        else None
        for c in row
    ]
    total = sum(divide_by_pot(raw, 12) for raw in raws if raw is not None)
    zeros = f"{total:032b}".index("1")
    scale = reciprocal((total << zeros) - (1 << 31))
    low = -(1 << (bits - 1))
    return [
        low
        if raw is None
        else min(
            divide_by_pot(doubling_high_mul(scale, raw), 12 - zeros + 31 - bits) + low, -low - 1
        )
        for raw in raws
    ]


def test_the_constants_are_gemmlowps():
    assert gemmlowp.EXP_MINUS_EIGHTH == 1895147668
    assert gemmlowp.THIRD == 715827883
    assert (gemmlowp.NEWTON_48, gemmlowp.NEWTON_32) == (1515870810, -1010580540)
    for exponent, multiplier in BARREL.items():
        assert round(math.exp(-(2.0**exponent)) * 2**31) == multiplier


def test_fixed_point_functions():
    rng = np.random.default_rng(0)
    inputs = [*rng.integers(0, 1 << 31, 2000).tolist(), 0, 1, MAX32, 1 << 30, (1 << 24) - 1]
    for raw in inputs:
        wanted = reciprocal(raw)
        assert gemmlowp.one_over_one_plus(raw) == wanted
        assert int(gemmlowp.compiled_one_over_one_plus(raw)) == wanted
        assert gemmlowp.exp_on_negative_values(-raw, 5) == exponential(-raw)
        assert abs(wanted / 2**31 - 1 / (1 + raw / 2**31)) < 2**-28
        assert abs(exponential(-raw) / 2**31 - math.exp(-raw / 2**26)) < 2**-22
    assert gemmlowp.exp_on_negative_values(-MAX32 - 1, 5) == exponential(-MAX32 - 1)


def rows(rng, depth, spread, low=-128, high=127, count=6):
    return np.clip(np.rint(rng.normal(0, spread, (count, depth))), low, high).astype(np.int64)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("scale", [1e-3, 0.05, 0.3, 2.0, 40.0])
def test_fixed_softmax_as_the_c_code(scale, bits):
    rng = np.random.default_rng(bits)
    scheme, output = FixedSoftmax.from_scale(scale, 1.5), FixedFormat(bits)
    for depth in (1, 2, 7, 100):
        x = rows(rng, depth, 60)
        y = softmax(x, scheme, output=output)
        wanted = [tflite_row(row, scheme, bits) for row in x.tolist()]
        assert y.tolist() == wanted
        assert [reference(row, scheme, output) for row in x.tolist()] == wanted
        assert y.dtype == output.dtype


def test_fixed_softmax_parameters():
    assert FixedSoftmax.from_scale(1 / 16) == FixedSoftmax(1 << 30, 23, -248)
    assert FixedSoftmax.from_scale(1.0, 1e9).left_shift == 31
    top = FixedSoftmax.from_scale(1000.0)
    assert (top.multiplier, top.left_shift, top.min_difference) == (MAX32, 31, 0)
    assert softmax(np.array([5, 4, 5]), top).tolist() == [0, -128, 0]


def test_a_certain_class_is_clamped():
    ledger = Ledger()
    x = np.array([[100, -100, -100], [1, 1, 1]], np.int8)
    y = softmax(x, FixedSoftmax.from_scale(0.5), ledger=ledger)
    assert y.tolist() == [[127, -128, -128], [-43, -43, -43]]
    assert (ledger.elements, ledger.clamped, ledger.first) == (6, 1, (0, 0))
    assert (ledger.minimum, ledger.maximum) == (-128, 128)
    unsigned = softmax(x, FixedSoftmax.from_scale(0.5), output=UINT8)
    assert unsigned.tolist() == [[255, 0, 0], [85, 85, 85]]


def test_many_equal_codes():
    """A sum of 512 shifts right by 32; one of 4096 does not fit the register."""
    scheme = FixedSoftmax.from_scale(0.1)
    for depth, code in ((255, -127), (511, -127), (512, -128), (4095, -128)):
        y = softmax(np.zeros((1, depth), np.int8), scheme)
        assert (y == code).all(), depth
        assert reference([0] * depth, scheme) == y[0].tolist()
    wide = softmax(np.zeros(512, np.int8), scheme, output=INT16)
    assert (wide == -32768 + 128).all()
    with pytest.raises(ContractError, match="fit 32 bits, not 4096 codes in row 1 "):
        softmax(np.stack([np.arange(4096) % 2 * -127, np.zeros(4096, int)]), scheme)


def float_row(row, scheme, output):
    f32 = np.float32
    scale = f32(-f32(scheme.input_scale) * f32(scheme.beta))
    terms = [f32(math.exp(float(f32(scale * f32(max(row) - code))))) for code in row]
    total = f32(0)
    for term in terms:
        total = f32(total + term)
    inverse = f32(f32(1) / f32(total * f32(scheme.output_scale)))
    codes = [math.floor(float(f32(term * inverse)) + 0.5) + scheme.zero_point for term in terms]
    return [min(max(code, output.min), output.max) for code in codes]


@pytest.mark.parametrize(
    ("scheme", "output"),
    [
        (FloatSoftmax(0.05), INT8),
        (FloatSoftmax(0.3, 1 / 65536, -32768, 0.7), INT16),
        (FloatSoftmax(0.01, 1 / 256, 0), UINT8),
        (FloatSoftmax(2.0, 0.003, 5), FixedFormat(6)),
    ],
    ids=str,
)
def test_float_softmax_operation_by_operation(scheme, output):
    rng = np.random.default_rng(3)
    for depth in (1, 3, 64):
        x = rows(rng, depth, 50)
        y = softmax(x, scheme, output=output)
        wanted = [float_row(row, scheme, output) for row in x.tolist()]
        assert y.tolist() == wanted == [reference(row, scheme, output) for row in x.tolist()]


def lut_lookup(value, lut):
    index = 256 + (value >> 7)
    return lut[index] + (((lut[index + 1] - lut[index]) * (value & 127) + 64) >> 7)


def samples(function, low, high):
    """TFLite's table of 513 entries for an output of -1..1, in float64."""
    away = lambda v: math.copysign(math.floor(abs(v) + 0.5), v)  # noqa: E731
    step, inverse = (high - low) / 512, 65536 / 2.0
    lut = []
    for i in range(512):
        here, after = (function(low + (i + k) * step) * inverse for k in (0, 1))
        middle = away(function(low + i * step + step / 2) * inverse)
        bias = away((away((after + away(here)) / 2) - middle) / 2)
        lut.append(int(min(max(away(here) - bias, -32768), 32767)))
    return [*lut, int(min(away(function(high) * inverse), 32767))]


EXP = samples(math.exp, -10.0, 0.0)
INVERSE = samples(lambda x: 1 / (1 + x), 0.0, 1.0)


def table_row(row, scheme):
    """SoftmaxInt16."""
    rescale = scheme.rescale
    shift = 31 - int(rescale.shifts[0])
    terms = []
    for code in row:
        scaled = (code - max(row)) << max(shift, 0)
        scaled = doubling_high_mul(scaled, int(rescale.multipliers[0]))
        scaled = divide_by_pot(scaled, max(-shift, 0)) + 32767
        terms.append(lut_lookup(min(max(scaled, -32768), 32767), EXP))
    total = sum(terms)
    zeros = f"{total:032b}".index("1")
    shifted = ((total << (zeros - 1)) + (1 << 13)) >> 14
    inverse = lut_lookup(min(shifted - (1 << 15) - (1 << 16), 32767), INVERSE)
    right = 31 - zeros
    values = [(term * inverse + (1 << (right - 1))) >> right for term in terms]
    return [min(max(value, 0), 32767) for value in values]


@pytest.mark.parametrize("scale", [1e-5, 2e-4, 1e-3, 0.05])
def test_table_softmax_as_the_c_code(scale):
    rng = np.random.default_rng(7)
    scheme = TableSoftmax.from_scale(scale)
    for depth in (1, 2, 9, 60):
        x = rows(rng, depth, 9000, -32768, 32767)
        y = softmax(x, scheme, input=INT16, output=INT16)
        assert y.tolist() == [table_row(row, scheme) for row in x.tolist()]
        assert y.dtype == np.int16
    assert y[0].tolist() == reference(x[0].tolist(), scheme, INT16)
    assert abs(int(y.sum(axis=1).max()) - 32768) < 200


@pytest.mark.parametrize("scale", [2.0**-14, 0.004, 0.05, 0.3, 2.0])
def test_every_pair_of_8_bit_codes_is_within_the_stated_error(scale):
    """And longer rows, whose sums err more: many equal codes, one far above the rest."""
    rng = np.random.default_rng(2)
    long = np.concatenate([rows(rng, 400, spread, count=3) for spread in (2, 60)])
    long[0], long[3], long[3, 7] = 5, -128, 127
    pairs = np.stack(np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)), -1).reshape(-1, 2)
    for x in (pairs, long):
        depth = x.shape[1]
        p = np.exp(scale * (x - x.max(1, keepdims=True)))
        p /= p.sum(1, keepdims=True)
        for scheme, step, low, error in (
            (FixedSoftmax.from_scale(scale), 2.0**-8, -128, (depth + 2) * 2.0**-20),
            (FixedSoftmax.from_scale(scale), 2.0**-16, -32768, (depth + 2) * 2.0**-20),
            (FloatSoftmax(scale), 2.0**-8, -128, (depth + 6) * 2.0**-24),
            (FloatSoftmax(scale, 2.0**-16, -32768), 2.0**-16, -32768, (depth + 6) * 2.0**-24),
            (TableSoftmax.from_scale(scale), 2.0**-15, 0, (depth * p + 1) * 2.0**-14),
        ):
            bits = 8 if step == 2.0**-8 else 16
            y = (softmax(x, scheme, output=FixedFormat(bits)).astype(float) - low) * step
            most = ((1 << (bits - 1)) - 1 - low) * step
            over = np.abs(y - np.minimum(p, most)) - step / 2 - error
            assert over.max() <= 1e-12, (type(scheme).__name__, depth, over.max() / step)


def test_table_softmax_corners():
    scheme = TableSoftmax.from_scale(1e-3)
    one = softmax(np.array([[7], [-32768]]), scheme, input=INT16, output=INT16)
    assert one.tolist() == [[table_row([7], scheme)[0]]] * 2
    ends = [32767, -32768, 32766, 0]
    y = softmax(np.array(ends), scheme, input=INT16, output=INT16)
    assert y.tolist() == table_row(ends, scheme)
    with pytest.raises(ContractError, match="fit 32 bits"):
        softmax(np.zeros((1, 70000), np.int16), scheme, input=INT16, output=INT16)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64, np.uint8])
def test_axis_layout_and_container(dtype):
    scheme = FixedSoftmax.from_scale(0.1)
    x = (np.arange(120, dtype=dtype) * 7 % 100).reshape(2, 3, 4, 5).transpose(0, 2, 3, 1)
    x.setflags(write=False)
    wanted = softmax(np.ascontiguousarray(x), scheme)
    assert softmax(x, scheme).tolist() == wanted.tolist()
    for axis in range(-4, 4):
        y = softmax(x, scheme, axis)
        along = np.apply_along_axis(lambda v: reference(v.tolist(), scheme), axis, x)
        np.testing.assert_array_equal(y, along)
    np.testing.assert_array_equal(softmax(x[:, ::-2], scheme), wanted[:, ::-2])
    ledger = Ledger()
    assert softmax(np.empty((0, 3), dtype), scheme, ledger=ledger).shape == (0, 3)
    assert softmax(np.empty((3, 0), dtype), scheme).shape == (3, 0)
    assert (ledger.elements, ledger.minimum, ledger.first) == (0, 0, None)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: softmax([0], "fixed"), "scheme must be a softmax scheme"),
        (lambda: softmax([0.0], FloatSoftmax(0.1)), "x must be an integer array"),
        (lambda: softmax([[0, 128]], FloatSoftmax(0.1)), r"128 at index \(0, 1\)"),
        (lambda: softmax(3, FloatSoftmax(0.1)), "x must have a dimension"),
        (lambda: softmax([3], FloatSoftmax(0.1), 1), "axis must be an integer"),
        (lambda: softmax([3], FloatSoftmax(0.1), input=INT16), "FloatSoftmax.*1 to 8 bits"),
        (
            lambda: softmax([3], FixedSoftmax(1, 0, 0), output=FixedFormat(17)),
            "output of FixedSoftmax.*1 to 16",
        ),
        (lambda: FixedSoftmax(1 << 31, 0, 0), "multiplier must be"),
        (lambda: FixedSoftmax(1, 32, 0), "left_shift must be"),
        (lambda: FixedSoftmax(1, 23, -249), "min_difference must be.*-248..0"),
        (lambda: FixedSoftmax.from_scale(1e-9), "exceed 2"),
        (lambda: FixedSoftmax.from_scale(0.0), "input_scale must be"),
        (lambda: FloatSoftmax(0.1, 2.0), "of probabilities"),
        (lambda: FloatSoftmax(0.1, 0.1, 0, -1.0), "beta must be"),
        (lambda: TableSoftmax(FixedPoint(1 << 30, 31, "single")), "rescale must be"),
        (lambda: TableSoftmax(FixedPoint(1 << 30, 15)), "right_shift of 16 or more"),
        (lambda: TableSoftmax.from_scale(10.0), "right_shift of 16 or more"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ContractError, match=match):
        call()
