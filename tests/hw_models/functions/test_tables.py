"""Tables: every entry against independent float and integer arithmetic, and pinned peers' codes."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.lookup import lookup
from hw_models.schemes import FixedPoint
from hw_models.tables import (
    FUNCTIONS,
    ONNX,
    TFLITE,
    TORCH,
    ByteLeakyRelu,
    HardSwish,
    LeakyRelu,
    Sigmoid16,
    TableArithmetic,
    Tanh16,
    leaky_relu,
    reference,
    table,
    unit_table,
)

INT16 = FixedFormat(16)
UINT8 = FixedFormat(8, signed=False)
EXACT = {
    "elu": lambda x: math.expm1(x) if x < 0 else x,
    "exp": math.exp,
    "gelu": lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: x / (1 + math.exp(-2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "hard_sigmoid": lambda x: min(max(x + 3, 0), 6) / 6,
    "hard_swish": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "sigmoid": lambda x: math.exp(x) / (1 + math.exp(x)),
    "silu": lambda x: x * math.exp(x) / (1 + math.exp(x)),
    "tanh": lambda x: 1 - 2 / (1 + math.exp(2 * x)),
}


def digest(entries) -> str:
    return hashlib.sha256(np.asarray(entries, np.int64).tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("arithmetic", [TFLITE, ONNX, TORCH, TableArithmetic("float64")], ids=str)
def test_a_table_is_next_to_the_real_function(name, arithmetic):
    scales, zeros = (0.03125, 0.015625), (5, -20)
    entries = table(name, *scales, *zeros, arithmetic=arithmetic)
    for code, entry in zip(range(-128, 128), entries.tolist(), strict=True):
        real = EXACT[name](scales[0] * (code - zeros[0])) / scales[1] + zeros[1]
        nearest = min(max(real, -128), 127)
        assert abs(entry - nearest) <= 0.5 + 1e-4, (code, real)


@pytest.mark.parametrize("name", ["reciprocal", "rsqrt"])
@pytest.mark.parametrize("signed", [True, False])
def test_tables_of_inverses_are_next_to_the_real_function(name, signed):
    """The zero point is the least code: 0 has the largest result."""
    form = FixedFormat(8, signed=signed)
    function = (lambda x: 1 / x if x else math.inf) if name == "reciprocal" else name
    entries = table(function, 0.125, 0.02, form.min, 3, form, form)
    assert entries[0] == form.max
    for c, entry in enumerate(entries.tolist()[1:], 1):
        real = (8 / c if name == "reciprocal" else math.sqrt(8 / c)) / 0.02 + 3
        assert abs(entry - min(real, form.max)) <= 0.5 + 1e-4, (c, real)


@pytest.mark.parametrize("rounding", ["half_away", "half_even", "half_up", "floor", "ceil", "jam"])
def test_ties_follow_the_rounding(rounding):
    """Halving is exact, so that every odd code is a tie."""
    ties = {
        "half_away": lambda v: math.copysign(math.floor(abs(v) + 0.5), v),
        "half_even": round,
        "half_up": lambda v: math.floor(v + 0.5),
        "floor": math.floor,
        "ceil": math.ceil,
        "jam": lambda v: math.floor(v) | 1 if v != math.floor(v) else v,
    }
    arithmetic = TableArithmetic("float32", rounding)
    entries = table(lambda x: x / 2, 1.0, 1.0, 1, -2, arithmetic=arithmetic)
    wanted = [int(ties[rounding](Fraction(code - 1, 2))) - 2 for code in range(-128, 128)]
    assert entries.tolist() == wanted


def test_float32_and_the_division_change_codes():
    """Some scale tells the arithmetics apart: TFLite, ONNX and torch are three tables."""
    rng = np.random.default_rng(0)
    apart = {"divide": 0, "float64": 0, "half_even": 0}
    for _ in range(200):
        scales = rng.integers(1, 200, 2) / 256
        tables = {
            "tflite": table(abs, *scales),
            "divide": table(abs, *scales, arithmetic=TableArithmetic(divide=True)),
            "float64": table(abs, *scales, arithmetic=TableArithmetic("float64")),
            "half_even": table(abs, *scales, arithmetic=TORCH),
        }
        for name in apart:
            apart[name] += int(not np.array_equal(tables[name], tables["tflite"]))
    assert min(apart.values()) > 0, apart


def test_float32_steps_by_hand():
    scales, zeros = (0.1, 0.007), (-3, 7)
    f32 = np.float32
    for code in range(-128, 128):
        x = f32(0.1) * f32(code + 3)
        ratio = f32(f32(1) / (f32(1) + f32(math.exp(-x)))) * (f32(1) / f32(0.007))
        wanted = min(math.floor(abs(ratio) + 0.5) + 7, 127)
        entry = reference(code, FUNCTIONS["sigmoid"], scales, zeros, FixedFormat(8))
        assert entry == wanted


def test_infinities_saturate_and_gaps_are_the_callers():
    up = table("rsqrt", 0.5, 0.01, -128)
    assert up[0] == 127
    assert table("log", 0.5, 0.01, -128)[0] == -128
    with pytest.raises(ContractError, match="NaN at code -128"):
        table("log", 0.5, 0.01)
    filled = table("log", 0.5, 0.01, undefined=-7)
    assert (filled[:128] == -7).all()
    assert filled[128] == -128
    assert table("exp", 1.0, 1.0, -128)[-1] == 127


def test_a_callers_function_may_lack_values_and_return_large_integers():
    inverse = table(lambda x: 1 / x, 0.5, 0.01, undefined=-7)
    assert inverse[[127, 128, 129]].tolist() == [-128, -7, 127]
    root = table(math.sqrt, 1.0, 1.0, undefined=-7)
    assert root[[127, 128, 132]].tolist() == [-7, 0, 2]
    large = table(lambda x: int(x) * 10**400, 1.0, 1.0)
    assert large[[0, 128, 255]].tolist() == [-128, 0, 127]


def test_formats_and_use_with_lookup():
    entries = table("sigmoid", 0.05, 1 / 256, 128, 0, UINT8, UINT8)
    assert entries.dtype == np.uint8
    x = np.array([[0, 128], [255, 64]], np.uint8)
    np.testing.assert_array_equal(lookup(x, entries, UINT8, UINT8), entries[x])
    assert table("tanh", 0.01, 1.0, input=FixedFormat(4, narrow=True)).shape == (15,)
    wide = table("tanh", 2**-12, 2**-15, input=INT16, output=INT16)
    assert (wide.shape, wide.dtype, wide[32768]) == ((65536,), np.int16, 0)


def test_a_leaky_relu_of_floats():
    entries = table(leaky_relu(0.25), 1.0, 1.0)
    assert entries[[0, 124, 128, 129, 255]].tolist() == [-32, -1, 0, 1, 127]


def hard_swish_by_c(code, unit, output):
    """The C++ in its own types: truncating division, 16-bit registers."""
    int16 = lambda v: (v + (1 << 15)) % (1 << 16) - (1 << 15)  # noqa: E731
    sat = lambda v: min(max(v, -(1 << 15)), (1 << 15) - 1)  # noqa: E731

    def mulh(a, b):
        if a == b == -(1 << 15):
            return (1 << 15) - 1
        product = a * b
        return int16(int(Fraction(product + (1 << 14 if product >= 0 else 1 - (1 << 14)), 1 << 15)))

    def divide(v, shift):
        mask = (1 << shift) - 1
        return (v >> shift) + ((v & mask) > (mask >> 1) + (v < 0))

    value = int16((code - unit.input_zero_point) * 128)
    scaled, reluish = mulh(value, unit.multiplier), value
    if unit.reluish_exponent > 0:
        reluish = sat(reluish << (unit.reluish_exponent - 1))
    reluish = mulh(reluish, unit.reluish_multiplier)
    if unit.reluish_exponent > 0:
        reluish = sat(reluish << 1)
    if unit.reluish_exponent < 0:
        reluish = divide(reluish, -unit.reluish_exponent)
    reluish = (reluish + (1 << 15)) >> 1
    product = int(Fraction(reluish * scaled, 1 << 15))
    return min(max(divide(product, unit.right_shift) + unit.zero_point, output.min), output.max)


def test_hard_swish_as_the_c_code():
    rng = np.random.default_rng(1)
    for _ in range(60):
        scale = 10 ** rng.uniform(-3, 1)
        out = scale * 10 ** rng.uniform(-2, 2)
        zeros = rng.integers(-128, 128, 2).tolist()
        unit = HardSwish.from_scales(scale, out, *zeros)
        wanted = [hard_swish_by_c(code, unit, FixedFormat(8)) for code in range(-128, 128)]
        assert unit_table(unit).tolist() == wanted


def test_hard_swish_is_next_to_the_real_function():
    unit = HardSwish.from_scales(0.05, 0.04, 10, -100)
    for code, entry in zip(range(-128, 128), unit_table(unit).tolist(), strict=True):
        real = EXACT["hard_swish"](0.05 * (code - 10)) / 0.04 - 100
        assert abs(entry - min(max(real, -128), 127)) <= 1


@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize("form", [FixedFormat(8), UINT8, INT16], ids=str)
def test_leaky_relu_is_two_rescales(form, rounding):
    unit = LeakyRelu.from_scales(0.03, 0.02, 0.1, 3, -4, rounding)
    entries = unit_table(unit, form, form).tolist()
    above = FixedPoint.from_scale(float(np.float32(0.03) / np.float32(0.02)), rounding=rounding)
    low = np.float32(np.float32(0.03) * np.float32(0.1)) / np.float32(0.02)
    below = FixedPoint.from_scale(float(low), rounding=rounding)
    for code in range(form.min, form.max + 1, 37):
        scheme = above if code >= 3 else below
        assert entries[code - form.min] == form.saturate(scheme.reference(code - 3) - 4)


def test_byte_leaky_relu_ties_go_up():
    unit = ByteLeakyRelu.from_scales(1.0, 2.0, 0.25)
    assert (unit.positive, unit.negative) == (128, 32)
    entries = unit_table(unit)
    assert entries[[128 + 1, 128 + 3, 128 - 4, 128 - 12, 0]].tolist() == [1, 2, 0, -1, -16]
    negative = ByteLeakyRelu.from_scales(1.0, 1.0, -0.5)
    assert unit_table(negative)[0] == 64


# Codes of LiteRT 2.3's reference kernels for every int16 code: SHA-256 of the int64 array, cut.
SIGMOID = {
    2**-12: "ce78c8a65a2520d6",
    2**-11: "f29239755895a687",
    5e-5: "d6f9ac649f2c5524",
    0.01: "5992f22d981112d9",
}
TANH = {
    2**-12: "54bd3334fdd6b8c1",
    2**-11: "66637ca953687dcf",
    5e-4: "0865bc044687fbfb",
    2**-13: "c3db8af87d93540f",
}


@pytest.mark.parametrize("unit", [Sigmoid16, Tanh16])
def test_sixteen_bit_curves_are_next_to_the_real_function(unit):
    for scale in (2**-12, 2**-11, 3e-4, 2e-5):
        entries = unit_table(unit.from_scale(scale), INT16, INT16).astype(np.float64)
        x = np.arange(-32768, 32768) * scale
        real = 1 / (1 + np.exp(-x)) if unit is Sigmoid16 else np.tanh(x)
        assert np.abs(entries - real * 2**15).max() < (4 if unit is Sigmoid16 else 8)
        assert (np.diff(entries) >= 0).all()


def test_powers_of_two_take_no_shift():
    assert Sigmoid16.from_scale(2**-12) == Sigmoid16(3, 0)
    assert Sigmoid16.from_scale(2**-11) == Sigmoid16(24576, 12)
    assert Tanh16.from_scale(2**-11) == Tanh16(6, 0)
    assert Tanh16.from_scale(2**-13) == Tanh16(24576, 14)


@pytest.mark.parametrize(("unit", "peers"), [(Sigmoid16, SIGMOID), (Tanh16, TANH)])
def test_sixteen_bit_curves_are_literts(unit, peers):
    for scale, wanted in peers.items():
        assert digest(unit_table(unit.from_scale(scale), INT16, INT16)) == wanted, scale


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: table("sine", 1.0, 1.0), "function must be a name.*'sine'.*sigmoid"),
        (lambda: table(3, 1.0, 1.0), "function must be a name"),
        (lambda: table("exp", 0.0, 1.0), "input_scale must be a positive"),
        (lambda: table("exp", 1.0, math.nan), "output_scale must be a positive"),
        (lambda: table("exp", 1.0, 1.0, 0.5), "input_zero_point must be an integer"),
        (lambda: table("exp", 1.0, 1.0, input=FixedFormat(17)), "input must be.*1 to 16"),
        (lambda: table("exp", 1.0, 1.0, output=FixedFormat(33)), "output must be.*1 to 32"),
        (lambda: table("log", 1.0, 1.0, undefined=200), "undefined must be.*-128..127"),
        (lambda: TableArithmetic("float16"), "dtype must be one of"),
        (lambda: TableArithmetic(rounding="stochastic"), "rule of the value"),
        (lambda: TableArithmetic(rounding="up"), "rounding must be one of"),
        (lambda: TableArithmetic(divide=1), "divide must be a bool"),
        (lambda: leaky_relu("a"), "slope must be"),
        (lambda: unit_table("tanh"), "unit must be an integer unit"),
        (lambda: unit_table(Sigmoid16(1, 1), FixedFormat(20)), "input must be.*1 to 16"),
        (lambda: HardSwish(1 << 15, 0, 0, 0), "HardSwish.multiplier"),
        (lambda: HardSwish.from_scales(1.0, 1e-3), "16-bit shifts reach"),
        (lambda: HardSwish.from_scales(1e-3, 1.0), "16-bit shifts reach"),
        (lambda: LeakyRelu(FixedPoint((1, 2), 31), FixedPoint(1, 31)), "LeakyRelu.positive"),
        (lambda: ByteLeakyRelu.from_scales(1.0, 1.0, 1e-3), "8 fraction bits hold"),
        (lambda: Sigmoid16.from_scale(3.0), "below 8/3"),
        (lambda: Tanh16(-1, 0), "multiplier must be"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ContractError, match=match):
        call()
