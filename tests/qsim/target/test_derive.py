"""Multipliers and shifts from scales, against the definitions in Python's own numbers."""

from __future__ import annotations

import dataclasses
import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hw_models
from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd
from hw_models.schemes import (
    Converter,
    FixedPoint,
    Float64Scale,
    FloatScale,
    MulAddShift,
    PowerOfTwo,
)
from qsim.errors import TargetError
from qsim.target import Target, derive

SCALES = st.floats(2.0**-7, 2.0, width=32)
REPRODUCIBLE = settings(deadline=None, max_examples=200, derandomize=True)


def single(x: float) -> float:
    """Round to float32. A product or quotient of two float32 may be rounded to float64 first."""
    return struct.unpack("f", struct.pack("f", x))[0]


def multiplier(real: float, bits: int) -> Fraction:
    """TFLite's QuantizeMultiplier from the definition; the real value of multiplier and shift."""
    mantissa, exponent = math.frexp(real)
    m = Fraction(mantissa) * 2 ** (bits - 1)
    return Fraction(math.floor(m + Fraction(1, 2))) * Fraction(2) ** (exponent - (bits - 1))


def value(scheme: FixedPoint, channel: int = 0) -> Fraction:
    m, s = int(scheme.multipliers[channel]), int(scheme.shifts[channel])
    return Fraction(m, 2**s)


@REPRODUCIBLE
@given(SCALES, SCALES, SCALES)
def test_fixed_point_from_float64(s_x: float, s_w: float, s_y: float) -> None:
    scheme = derive.requantizer(Target.load("tflite"), s_x, s_w, s_y)
    assert isinstance(scheme, FixedPoint)
    assert (scheme.rounding, scheme.bits, scheme.channels) == ("double", 32, 0)
    assert value(scheme) == multiplier(s_x * s_w / s_y, 32)


@REPRODUCIBLE
@given(SCALES, st.lists(SCALES, min_size=1, max_size=5), SCALES)
def test_per_channel_is_each_channel(s_x: float, s_w: list[float], s_y: float) -> None:
    target = Target.load("narrow20")
    scheme = derive.requantizer(target, s_x, np.array(s_w, np.float32), s_y)
    assert isinstance(scheme, FixedPoint)
    assert (scheme.rounding, scheme.bits, scheme.channels) == ("single", 16, len(s_w))
    for channel, s in enumerate(s_w):
        assert value(scheme, channel) == multiplier(s_x * s / s_y, 16)


@REPRODUCIBLE
@given(SCALES, SCALES, SCALES)
def test_float_scale_is_two_float32_roundings(s_x: float, s_w: float, s_y: float) -> None:
    for name in ("onnxruntime", "pytorch"):
        scheme = derive.requantizer(Target.load(name), s_x, s_w, s_y)
        assert isinstance(scheme, FloatScale)
        assert scheme.scale == single(single(s_x * s_w) / s_y)


def test_every_target_derives_its_scheme() -> None:
    made = {
        name: derive.requantizer(Target.load(name), 0.02, np.float32([0.004, 0.005])[:count], 0.03)
        for name in Target.names()
        for count in [2 if Target.load(name).weight.per_channel else 1]
        if not name.startswith("q")
    }
    roundings = {n: s.rounding for n, s in made.items() if isinstance(s, FixedPoint)}
    assert roundings == {
        "asic-example": "single",
        "cmsis-nn": "double",
        "int4": "double",
        "integer-transformer": "double",
        "litert-optimized": "double-half-up",
        "litert-reference": "double",
        "narrow20": "single",
        "tflite": "double",
        "tflite-int16x8": "s64-reduced",
        "tflite-single": "single",
        "tosa": "tosa-single",
    }
    factor = float(np.float32(0.02)) * float(np.float32(0.004)) / float(np.float32(0.03))
    second = float(np.float32(0.02)) * float(np.float32(0.005)) / float(np.float32(0.03))
    assert made["deeploy-like"] == MulAddShift(
        (round(factor * 2**16), round(second * 2**16)), 0, 16, "half_up"
    )
    converter = made["nvdla-like"]
    assert isinstance(converter, Converter)
    assert Fraction(*map(int, (converter.multipliers[0], 1 << converter.shifts[0]))) == multiplier(
        factor, 16
    )
    linear = derive.requantizer(Target.load("litert-reference"), 0.02, 0.004, 0.03, "linear")
    assert linear == Float64Scale(factor)


def test_products_are_scaled_in_float32() -> None:
    s_a, s_b, s_y = map(single, (0.0173, 0.0391, 0.0227))
    mul = derive.requantizer(Target.load("tflite"), s_a, s_b, s_y, "mul")
    assert isinstance(mul, FixedPoint)
    assert value(mul) == multiplier(single(single(s_a * s_b) / s_y), 32)
    assert mul != derive.requantizer(Target.load("tflite"), s_a, s_b, s_y)
    tosa = derive.requantizer(Target.load("tosa"), s_a, s_b, s_y, "mul")
    assert isinstance(tosa, FixedPoint)
    assert value(tosa) == multiplier(s_a * s_b / s_y, 32)


def test_the_seed_of_stochastic_rounding() -> None:
    q7 = Target.load("q7")
    r = dataclasses.replace(q7.requantize, rounding="stochastic", seed=77)
    drawing = dataclasses.replace(q7, requantize=r)
    assert derive.requantizer(drawing, 0.5, 0.25, 1.0) == PowerOfTwo(3, "stochastic", 77)
    adder = derive.adder(drawing, 0.5, 0.25, 1.0)
    assert adder.out == PowerOfTwo(2, "stochastic", 77)


def test_the_two_arithmetics_differ() -> None:
    rng = np.random.default_rng(3)
    tflite = Target.load("tflite")
    single_derived = dataclasses.replace(
        tflite, requantize=dataclasses.replace(tflite.requantize, derive="float32")
    )
    differing = 0
    for s_x, s_w, s_y in rng.uniform(0.001, 0.1, (100, 3)).astype(np.float32).tolist():
        one = derive.requantizer(single_derived, s_x, s_w, s_y)
        other = derive.requantizer(tflite, s_x, s_w, s_y)
        assert isinstance(one, FixedPoint)
        assert value(one) == multiplier(single(single(s_x * s_w) / s_y), 32)
        differing += one != other
    assert differing > 50


def test_scales_are_float32_first() -> None:
    target = Target.load("tflite")
    assert derive.requantizer(target, 0.1, 0.3, 0.7) == derive.requantizer(
        target, single(0.1), single(0.3), single(0.7)
    )


@pytest.mark.parametrize("x", [-6, 0, 3])
@pytest.mark.parametrize("w", [-9, 1])
@pytest.mark.parametrize("y", [-4, 0, 5])
def test_power_of_two_shift(x: int, w: int, y: int) -> None:
    target = Target.load("q7")
    scheme = derive.requantizer(target, 2.0**x, 2.0**w, 2.0**y)
    assert scheme == PowerOfTwo(y - x - w, "half_up")
    scheme = derive.requantizer(target, 2.0**x, np.array([2.0**w, 1.0]), 2.0**y)
    assert scheme == PowerOfTwo((y - x - w, y - x), "half_up")


@pytest.mark.parametrize("scale", [0.3, 3.0, 0.75, float(np.nextafter(np.float32(0.5), 1))])
def test_power_of_two_refuses_others(scale: float) -> None:
    target = Target.load("q7")
    for arguments in ((scale, 1.0, 1.0), (1.0, scale, 1.0), (1.0, 1.0, scale)):
        with pytest.raises(TargetError, match=r"must be a power of two, not .*2\*\*n"):
            derive.requantizer(target, *arguments)
        with pytest.raises(TargetError, match="must be a power of two"):
            derive.adder(target, *arguments)
    with pytest.raises(TargetError, match=r"weight scale must be a power of two.*at channel 1"):
        derive.requantizer(target, 1.0, np.array([1.0, scale]), 1.0)


@pytest.mark.parametrize(
    "scale", [0.0, -1.0, math.nan, math.inf, 1e60, 1e-60, "a", None, [[1.0]], []]
)
@pytest.mark.parametrize("name", Target.names())
def test_bad_scales(name: str, scale: object) -> None:
    target = Target.load(name)
    for place, arguments in {
        "input scale": (scale, 1.0, 1.0),
        "weight scale": (1.0, scale, 1.0),
        "output scale": (1.0, 1.0, scale),
    }.items():
        with pytest.raises(TargetError, match=place) as caught:
            derive.requantizer(target, *arguments)  # type: ignore[arg-type]
        assert name in str(caught.value)
        with pytest.raises(TargetError):
            derive.adder(target, *arguments)  # type: ignore[arg-type]


def test_factors_out_of_reach() -> None:
    with pytest.raises(TargetError, match="too large"):
        derive.requantizer(Target.load("tflite"), 2.0**20, 2.0**20, 1.0)
    with pytest.raises(TargetError, match="leaves float32"):
        derive.requantizer(Target.load("pytorch"), 2.0**100, 2.0**100, 1.0)
    with pytest.raises(TargetError, match=r"q7: requantize\.scheme"):
        derive.requantizer(Target.load("q7"), 2.0**40, 2.0**40, 1.0)
    with pytest.raises(TargetError, match=r"q7: add\.formula"):
        derive.adder(Target.load("q7"), 2.0**40, 1.0, 1.0)


@pytest.mark.parametrize("name", ["tflite", "tflite-single", "litert-optimized", "tosa"])
@REPRODUCIBLE
@given(SCALES, SCALES, SCALES)
def test_shifted_adder(name: str, s_a: float, s_b: float, s_out: float) -> None:
    target = Target.load(name)
    adder = derive.adder(target, s_a, s_b, s_out)
    assert isinstance(adder, ShiftedAdd)
    assert adder.left_shift == 20
    rounding = "double" if name == "litert-optimized" else target.requantize.rounding
    assert {adder.a.rounding, adder.b.rounding, adder.out.rounding} == {rounding}
    twice = 2 * max(s_a, s_b)
    assert value(adder.a) == multiplier(s_a / twice, 32)
    assert value(adder.b) == multiplier(s_b / twice, 32)
    assert value(adder.out) == multiplier(twice / (2**20 * s_out), 32)


def test_aligned_adder() -> None:
    adder = derive.adder(Target.load("q7"), 2.0**-5, 2.0**-7, 2.0**-4)
    assert adder == AlignedAdd(2, 0, PowerOfTwo(3, "half_up"), hw_models.Accumulator(32))
    # 10/32 + 100/128 = 140/128 = 17.5/16: a tie, and half_up takes it up; -17.5 goes up to -17.
    assert adder.reference(10, 100) == 18
    assert adder.reference(-10, -100) == -17
    coarse = derive.adder(Target.load("q7"), 0.25, 0.25, 0.125)
    assert isinstance(coarse, AlignedAdd)
    assert coarse.reference(3, 4) == 14


@REPRODUCIBLE
@given(SCALES, SCALES, SCALES)
def test_xnnpack_adder(s_a: float, s_b: float, s_out: float) -> None:
    """From the definition: lrintf(ratio * 2**shift), the larger of them in 2**20..2**21."""
    adder = derive.adder(Target.load("xnnpack"), s_a, s_b, s_out)
    assert isinstance(adder, MultiplierAdd)
    ratios = [single(s_a / s_out), single(s_b / s_out)]
    shift = 20 - math.floor(math.log2(max(ratios)))
    assert adder == MultiplierAdd(*(round(r * 2**shift) for r in ratios), shift, "half_up")
    assert 1 << 20 <= max(adder.multiplier_a, adder.multiplier_b) <= 1 << 21


def test_no_adder() -> None:
    with pytest.raises(TargetError, match=r"q15: add\.formula: there is no addition"):
        derive.adder(Target.load("q15"), 0.5, 0.25, 1.0)


def test_float_adders() -> None:
    pytorch = derive.adder(Target.load("pytorch"), 0.1, 0.2, 0.3)
    assert pytorch == FloatAdd(0.1, 0.2, 0.3, "torch_quantized")
    assert derive.adder(Target.load("onnxruntime"), 0.1, 0.2, 0.3) == FloatAdd(
        0.1, 0.2, 0.3, "mlas"
    )


def test_pad_value() -> None:
    assert derive.pad_value(Target.load("tflite"), -7) == -7
    assert derive.pad_value(Target.load("q7"), 0) == 0
    zero = dataclasses.replace(Target.load("tflite"), padding=Target.load("q7").padding)
    assert derive.pad_value(zero, -7) == 0
