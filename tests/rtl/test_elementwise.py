"""The element-wise modules on a simulator, at the widths and corners that no target reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hw_models import ROUNDINGS, Accumulator, FixedFormat
from hw_models.add import AlignedAdd, MultiplierAdd, ShiftedAdd
from hw_models.rounding import DETERMINISTIC
from hw_models.schemes import Converter, FixedPoint, MulAddShift, PowerOfTwo
from qsim.cosim.jobs.makers import job
from qsim.cosim.lanes.bulk import bulk_recipe, run_bulk
from qsim.cosim.lanes.interface import LaneResult, Stimulus
from qsim.cosim.simulators.builds import build
from qsim.cosim.simulators.toolchain import find
from qsim.cosim.simulators.wrapper import design
from qsim.golden import Case
from qsim.target import Target
from tests.qsim.cosim.jobs import elementwise_cases as make

TARGET = Target.load("tflite")
ROUGH = Stimulus(seed=5, stall_input=0.3, stall_output=0.4, resets=(7, 60, 61, 200))
WORST = Stimulus(wait_for_valid=True)


def run(case: Case, simulator: str, stimulus: Stimulus) -> LaneResult:
    made = job(case, TARGET)
    return run_bulk(made, build(bulk_recipe(design(made.unit), find(simulator))), stimulus)


def agree(case: Case, simulator: str = "icarus") -> None:
    for stimulus in (Stimulus(), ROUGH, WORST):
        assert run(case, simulator, stimulus).agrees


def integers(bits: int, count: int = 300, seed: int = 1) -> np.ndarray:
    """Return integers of a width: powers of two and their neighbours, and any size at random."""
    rng = np.random.default_rng(seed)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    powers = [sign * (1 << k) + d for k in range(bits - 1) for sign in (1, -1) for d in (-1, 0, 1)]
    drawn = rng.integers(low, high, count, endpoint=True) >> rng.integers(0, bits, count)
    return np.clip(np.concatenate([[low, high], powers, drawn]), low, high).astype(np.int64)


def every_shift(x: np.ndarray, low: int, high: int) -> np.ndarray:
    return np.resize(np.arange(low, high + 1), x.size)


@pytest.mark.parametrize("bits", [2, 3, 17, 32])
@pytest.mark.parametrize("rounding", ["double", "single"])
def test_fixed_point_with_every_shift(rounding: Any, bits: int) -> None:
    x = np.repeat(integers(32), 3)
    multipliers = np.resize(integers(bits, 61, seed=2), x.size)
    multipliers[:12] = -(1 << (bits - 1))
    top = bits + 30 if rounding == "double" else 62
    scheme = FixedPoint(multipliers, every_shift(x, 0, top), rounding, bits)
    agree(make.requantize(x, scheme, output=FixedFormat(20), zero_point=3, axis=0))


@pytest.mark.parametrize("bits", [2, 17, 32])
def test_two_roundings_half_up_with_every_shift(bits: int) -> None:
    x = np.repeat(integers(32), 3)
    multipliers = np.resize(integers(bits, 61, seed=2), x.size)
    scheme = FixedPoint(multipliers, every_shift(x, 0, bits + 30), "double-half-up", bits)
    agree(make.requantize(x, scheme, output=FixedFormat(20), zero_point=3, axis=0))


@pytest.mark.parametrize("acc", [48, 64])
def test_reduced_multipliers_with_every_shift(acc: int) -> None:
    x = np.repeat(integers(acc), 2)
    multipliers = np.resize(integers(32, 61, seed=3), x.size)
    multipliers[:4] = (1 << 31) - 1, 0x7FFF7FFF, 0x7FFF8000, -(1 << 31)
    scheme = FixedPoint(multipliers, every_shift(x, 16, 62), "s64-reduced")
    agree(make.requantize(x, scheme, FixedFormat(acc), FixedFormat(16), axis=0))


@pytest.mark.parametrize(
    ("rounding", "acc", "bits"),
    [("tosa-single", 32, 32), ("tosa-double", 32, 32), ("tosa-single", 48, 16)],
)
def test_apply_scale_with_every_shift(rounding: Any, acc: int, bits: int) -> None:
    x = np.repeat(integers(acc), 2)
    shifts = every_shift(x, 2, 62)
    if bits == 32:  # of which TOSA asks that an operand fits the shift
        x = np.where(shifts < 32, x >> np.clip(33 - shifts, 0, 31), x)
    multipliers = np.abs(np.resize(integers(bits, 61, seed=4), x.size))
    most = ((1 << 31) - 2) * 2.0**shifts / np.maximum(np.abs(x.astype(float)), 1)
    multipliers = np.minimum(multipliers, np.minimum(most, (1 << (bits - 1)) - 1).astype(np.int64))
    scheme = FixedPoint(multipliers, shifts, rounding, bits)
    agree(make.requantize(x, scheme, FixedFormat(acc), FixedFormat(16), axis=0))


@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_multiply_add_shift_in_every_rounding(rounding: Any) -> None:
    x = np.repeat(integers(32), 2)
    numbers = (np.resize(integers(bits, 61, seed=bits), x.size) for bits in (32, 48))
    scheme = MulAddShift(*numbers, every_shift(x, 0, 62), rounding)
    agree(make.requantize(x, scheme, output=FixedFormat(20), zero_point=-3, axis=0))


def test_the_converter_with_every_shift() -> None:
    x = np.repeat(integers(32), 2)
    offsets, scales = (np.resize(integers(bits, 61, seed=bits), x.size) for bits in (32, 16))
    scheme = Converter(offsets, scales, every_shift(x, 0, 62))
    points = {"zero_point": 5, "input_zero_point": -7}
    agree(make.requantize(x, scheme, output=FixedFormat(16), axis=0, **points))


def test_the_product_of_the_smallest_operands_saturates() -> None:
    x = np.full(4, -(1 << 31))
    scheme = FixedPoint(-(1 << 31), (31, 32, 40, 62), "double")
    case = make.requantize(x, scheme, output=FixedFormat(32), axis=0)
    assert case.expected.tolist() == [(1 << 31) - 1, 1 << 30, 1 << 22, 1]
    agree(case)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_rounding_with_every_shift(rounding: Any) -> None:
    x = np.repeat(integers(20), 5)
    shifts = every_shift(x, -62, 62)
    ties = np.where((shifts > 0) & (shifts < 20), np.int64(1) << np.clip(shifts - 1, 0, 19), 0)
    halves = ((x >> np.clip(shifts, 0, 20)) << np.clip(shifts, 0, 20)) + ties
    x = np.concatenate([x, np.clip(halves, -(1 << 19), (1 << 19) - 1)])
    scheme = PowerOfTwo(np.concatenate([shifts, shifts]), rounding, seed=3)
    agree(make.requantize(x, scheme, FixedFormat(20), FixedFormat(6, signed=False), 31, axis=0))


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_the_widest_registers(simulator: str) -> None:
    x = integers(64) >> 1
    scheme = PowerOfTwo(every_shift(x, -62, 62), "stochastic", seed=8)
    case = make.requantize(
        x, scheme, FixedFormat(64), FixedFormat(32), -(1 << 31), -(1 << 31), [-(1 << 31), 77], 0
    )
    agree(case, simulator)


@pytest.mark.parametrize("overflow", ["wrap", "saturate", "saturate_symmetric"])
@pytest.mark.parametrize(
    ("acc", "bias", "total"), [(64, 64, 64), (32, 8, 20), (8, 9, 33), (3, 3, 2)]
)
def test_bias_add_at_every_width(overflow: Any, acc: int, bias: int, total: int) -> None:
    x = np.stack([integers(acc)] * 7)
    biases = np.array(
        [-(1 << (bias - 1)), -1, 0, 1, 2, (1 << (bias - 1)) - 2, (1 << (bias - 1)) - 1]
    )
    formats = (FixedFormat(acc), FixedFormat(bias))
    agree(make.bias_add(x, biases, Accumulator(total, overflow), *formats, axis=0))


def codes(form: FixedFormat, count: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).integers(form.min, form.max, count, endpoint=True)
    drawn[:4] = form.min, form.max, form.min, form.max
    return drawn


@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize(("form", "left"), [(make.INT8, 20), (FixedFormat(16), 14)])
def test_shifted_addition(rounding: Any, form: FixedFormat, left: int) -> None:
    adder = ShiftedAdd.from_scales(0.1, 0.013, 0.07, left, rounding)
    operands = codes(form, 900, 1), codes(form, 900, 2)[::-1]
    agree(make.add(*operands, adder, (form, form), points=(-5, 7, 9), clamp=[-90, 100]))


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_aligned_addition(rounding: Any) -> None:
    adder = AlignedAdd(3, 0, PowerOfTwo(4, rounding, seed=2), Accumulator(10, "saturate_symmetric"))
    agree(make.add(codes(make.INT8, 900, 1), codes(make.INT8, 900, 2), adder, points=(1, -2, 3)))


def test_aligned_addition_at_its_widest() -> None:
    wide = FixedFormat(32)
    adder = AlignedAdd(30, 30, PowerOfTwo(40), Accumulator(64))
    points = (-(1 << 31), (1 << 31) - 1, 0)
    agree(make.add(codes(wide, 300, 1), codes(wide, 300, 2), adder, (wide, wide), wide, points))


@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_addition_by_multipliers(rounding: Any) -> None:
    adder = MultiplierAdd(-(1 << 23), (1 << 23) - 1, 19, rounding)
    operands = codes(make.UINT8, 900, 1), codes(make.INT8, 900, 2)
    formats = (make.UINT8, make.INT8)
    agree(make.add(*operands, adder, formats, FixedFormat(16), points=(255, -128, 4)))


@pytest.mark.parametrize(
    "form", [make.INT8, make.UINT8, FixedFormat(4, narrow=True), FixedFormat(1, signed=False)]
)
def test_lookup_of_every_code(form: FixedFormat) -> None:
    entries = codes(FixedFormat(12), max(form.max - form.min + 1, 4), 1)[: form.max - form.min + 1]
    x = np.stack([np.arange(form.min, form.max + 1)] * 2)
    agree(make.lookup(x, entries, form, FixedFormat(12)))


@pytest.mark.parametrize("form", [make.INT8, make.UINT8])
def test_clamp_of_every_code(form: FixedFormat) -> None:
    agree(make.clamp(np.arange(form.min, form.max + 1), form.min + 9, form.max - 9, form))


MODULES: dict[str, Callable[[], Case]] = {
    "requantize": lambda: make.requantize([range(100)], FixedPoint(1 << 30, 31)),
    "bias_add": lambda: make.bias_add([range(100)], range(100), Accumulator(32)),
    "add": lambda: make.add(range(100), range(100), MultiplierAdd(5, 3, 4)),
    "lookup": lambda: make.lookup(range(100), range(-128, 128)),
}


@pytest.mark.parametrize("module", MODULES)
def test_one_beat_a_cycle(module: str) -> None:
    case = MODULES[module]()
    beats = len(job(case, TARGET).beats)
    # Bench and design each hold a beat for one cycle.
    assert run(case, "icarus", Stimulus()).cycles <= beats + 2
