"""The steps that are shown are those of the definition: they end in what the kernels make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import hw_models as hw
from hw_models import Accumulator, FixedFormat, IntegerNorm
from hw_models.add import AlignedAdd, MultiplierAdd, ShiftedAdd
from hw_models.rounding import DETERMINISTIC, DIVISIONS, ROUNDINGS
from hw_models.schemes import (
    FIXED_REFERENCES,
    Converter,
    FixedPoint,
    FloatScale,
    MulAddShift,
    PowerOfTwo,
)
from hw_models.schemes.fixed_point import TOSA
from hw_models.softmax import IbertSoftmax
from qsim.cosim.explaining.definitions import definition
from qsim.cosim.explaining.telling import _element
from qsim.cosim.jobs import conv_engine
from qsim.cosim.jobs.makers import _MAKERS, job
from qsim.golden import Case
from tests.qsim.cosim.jobs import array_cases as arrays
from tests.qsim.cosim.jobs import elementwise_cases as one
from tests.qsim.cosim.jobs import unit_cases as units
from tests.qsim.cosim.jobs.norm_cases import every, norm

TARGET = arrays.target(2, 2)
HALVED = FixedPoint.from_scale(0.5 / (1 << 14))
ACC = np.array([-90_001, -777, -6, -1, 0, 1, 3, 48, 1000, 65_537]).reshape(1, 2, 5)
NARROW = Accumulator(12, "saturate", "mac", "channel_last")


PRODUCTS = {
    "fixed point": FixedPoint.from_scale(0.01),
    "power of two": PowerOfTwo(7, "stochastic", 5),
    "per channel": FixedPoint((1 << 30, 3 << 28, 1518500250), (37, 38, 40), "single"),
    "affine": MulAddShift(5, 70, 9, "half_up"),
    "converter": Converter(100, 300, 15),
}
JOINED = {name: PRODUCTS[name] for name in ("power of two", "affine")} | {
    rounding: FixedPoint(1518500250, 31, rounding) for rounding in FIXED_REFERENCES
}


def requantizations() -> Iterator[tuple[str, Case]]:
    for rounding in FIXED_REFERENCES:
        low = 0 if rounding in TOSA else -(1 << 31)
        scheme = FixedPoint((1518500250, low), (40, 33), rounding)
        yield rounding, one.requantize(ACC, scheme, zero_point=3, input_zero_point=-2)
    yield "16 bits", one.requantize(ACC, FixedPoint(23170, 22, "tosa-single", 16))
    for rounding in ROUNDINGS:
        scheme = PowerOfTwo((5, -1), rounding, 7)
        yield f"power of two {rounding}", one.requantize(ACC, scheme, clamp=[-20, 90])
        if rounding in DETERMINISTIC:
            affine = MulAddShift((5, -3), (70, -5), 4, rounding)
            yield f"affine {rounding}", one.requantize(ACC, affine, zero_point=-9)
    yield "converter", one.requantize(ACC, Converter((100, -7), (300, 5), 9), zero_point=1)


def additions() -> Iterator[tuple[str, Case]]:
    a = arrays.codes(one.INT8, (4, 5))
    b = arrays.codes(one.INT8, (4, 5), 1)
    for rounding in ("double", "single", "tosa-single"):
        adder = ShiftedAdd.from_scales(0.1, 0.23, 0.3, rounding=rounding)
        yield f"shifted {rounding}", one.add(a, b, adder, points=(3, -4, 5), clamp=[-100, 77])
    for rounding in ROUNDINGS:
        aligned = AlignedAdd(3, 0, PowerOfTwo(2, rounding, 5), Accumulator(9, "saturate"))
        yield f"aligned {rounding}", one.add(a, b, aligned, points=(3, -4, 5))
        if rounding in DETERMINISTIC:
            multiplied = MultiplierAdd(3001, -2500, 13, rounding)
            yield f"multiplied {rounding}", one.add(a, b, multiplied)
    for overflow in ("wrap", "saturate_symmetric"):
        register = Accumulator(9, overflow)
        yield f"aligned {overflow}", one.add(a, b, AlignedAdd(3, 0, PowerOfTwo(2), register))


def pairs() -> Iterator[tuple[str, Case]]:
    a, b = arrays.codes(one.INT8, (2, 3, 4)), arrays.codes(one.INT8, (3, 1), 1)
    for name, scheme in PRODUCTS.items():
        yield name, one.mul(a, b, scheme, points=(3, -4, 5), clamp=[-100, 77])
    for name, scheme in JOINED.items():
        yield f"joined {name}", one.concat([a, a[:, :1]], [scheme, None], (5, 3), 5)
    yield "joined", one.concat([a, a[:, :1]], [None, None], (0, 0))


def products() -> Iterator[tuple[str, Case]]:
    points = np.array([1, -2, 3])
    for at in ("sum", "mac"):
        for overflow in ("wrap", "saturate", "saturate_symmetric"):
            register = {"bits": 12, "overflow": overflow, "at": at, "order": "channel_first"}
            yield f"correlation {at} {overflow}", arrays.correlation(
                (1, 2, 3, 3), (3, 2, 2, 2), padding=1, x_zero_point=-5, accumulator=register,
                weight_zero_point={"constant": "points"}, constants={"points": points},
            )  # fmt: skip
    yield "linear", arrays.linear((3, 5), (3, 5))
    yield "matmul", arrays.matmul((2, 3, 5), (2, 5, 3))


def others() -> Iterator[tuple[str, Case]]:
    bias = np.array([100, -2_000_000_000])
    for overflow in ("wrap", "saturate", "saturate_symmetric"):
        yield f"bias {overflow}", one.bias_add(ACC * 20_000, bias, Accumulator(32, overflow))
    yield "clamp", one.clamp(arrays.codes(one.INT8, (4, 5)), -30, 60)
    table = np.arange(256)[::-1] - 128
    yield "lookup", one.lookup(arrays.codes(one.INT8, (4, 5)), table)
    unsigned = FixedFormat(8, signed=False)
    yield "lookup of unsigned codes", one.lookup(arrays.codes(unsigned, (4, 5)), table, unsigned)
    yield "max_pool", arrays.pool("max_pool", (1, 3, 4, 4))
    for rounding in DIVISIONS:
        pooled = arrays.pool("avg_pool", (1, 3, 4, 4), rounding=rounding, padding=1)
        yield f"avg_pool {rounding}", pooled


def norms() -> Iterator[tuple[str, Case]]:
    yield from every().items()
    draws = IntegerNorm(PowerOfTwo(2, "stochastic", 5), 3, 8)
    yield "draws", norm("layer_norm", (2, 5), 1, draws, plain=True)
    yield "converter", norm("rms_norm", (1, 4), 1, IntegerNorm(Converter(3, 300, 12), 1, 6))


def moves() -> Iterator[tuple[str, Case]]:
    x = (arrays.codes(one.INT8, (2, 3, 4)), one.INT8)
    pick = {"starts": [0, 2, 3], "steps": [1, -2, -1], "sizes": [-1, 2, 3]}
    yield "strided_slice", one.made("strided_slice", pick, {"x": x}, one.INT8, (2, 2, 3))
    yield "permute", one.made("permute", {"dims": [2, 0, 1]}, {"x": x}, one.INT8, (4, 2, 3))
    where = (np.array([3, 0, 0]), FixedFormat(32))
    picked = {"x": x, "indices": where}
    yield "gather", one.made("gather", {"axis": -1}, picked, one.INT8, (2, 3, 3))
    read = {"table": x, "indices": (np.array([[1, 0], [1, 1]]), FixedFormat(64))}
    yield "embedding", one.made("embedding", {}, read, one.INT8, (2, 2, 3, 4))
    yield "cache_write", arrays.cache_write((2, 4, 3), [5, 2, -3], 1, ring=True)


def without_floats() -> Iterator[tuple[str, Case]]:
    x = np.array([[-128, -90, -3, 0, 1, 77, 126, 127]])
    for kind in units.UNITS:
        exp = kind is hw.IbertExp
        unit = kind.from_scales(0.05, 0.01, 0 if exp else 5, **({"top": 127} if exp else {}))
        yield kind.__name__, units.function(x, unit)
    converted = hw.ExpSilu(hw.Exponential.from_scale(0.05), Converter(-99, 77, 27), 7, -3)
    yield "converter", units.function(x, converted)
    for rounding in ("floor", "half_up"):
        scheme = IbertSoftmax.from_scale(0.06, 1.0, rounding)
        yield f"softmax {rounding}", units.softmax(x.reshape(2, 4), scheme)
    mask = np.array([[0, 1, 1, 0], [0] * 4])
    yield "masked", units.masked(x.reshape(2, 4), mask, IbertSoftmax.from_scale(0.06))
    yield "one code", units.softmax([[5]], IbertSoftmax.from_scale(0.06))
    cos, sin = hw.rotary_tables(2, 4)
    for pairing, scheme in (("half", PowerOfTwo(14, "stochastic", 3)), ("interleaved", HALVED)):
        x = x.reshape(2, 4)
        yield pairing, units.rotary(x, cos, sin, scheme, points=(3, -4), pairing=pairing)


CASES = {
    f"{case.primitive}: {name}": case
    for maker in (
        *(requantizations, additions, pairs, products, others, moves, norms, without_floats),
    )
    for name, case in maker()
}


@pytest.mark.parametrize("name", CASES)
def test_every_element_s_steps_end_in_its_expected_value(name: str) -> None:
    case = CASES[name]
    made = job(case, TARGET)
    for element in range(case.expected.size):
        told = _element((case,), made, element, TARGET)
        assert not told.refused
        assert told.operands
        assert told.steps
        assert told.steps[-1].value == told.defined == int(case.expected.flat[element]), element


def test_every_primitive_with_rtl_has_a_definition() -> None:
    assert {case.primitive for case in CASES.values()} == set(_MAKERS)
    assert all(definition(case) is not None for case in CASES.values())


def test_a_layer_has_the_steps_of_all_its_calls() -> None:
    sums = arrays.correlation((1, 2, 4, 4), (3, 2, 3, 2), padding=1, x_zero_point=-5)
    scheme = FixedPoint((1 << 30, 1700000000, 2**31 - 1), (39, 40, 41), "double")
    layer = arrays.layer(sums, scheme)
    target = arrays.target(2, 1, memory=4096)
    made = conv_engine.job(layer, target)
    for element in (0, 7, 20):
        told = _element(layer, made, element, target)
        assert told.defined == int(layer[-1].expected.flat[element])
        assert {each.name.split(":")[0] for each in told.operands} == {
            "correlation", "bias_add", "requantize",
        }  # fmt: skip


def test_what_the_vectors_have_wrong_is_said() -> None:
    case = CASES["requantize: double"]
    made = job(case, TARGET)
    told = replace(_element((case,), made, 3, TARGET), expected=int(case.expected.flat[3]) + 1)
    assert f"gives {told.defined}, and the vectors expect {told.expected}: they are wrong" in (
        "\n".join(told.lines())
    )


def test_a_scheme_without_rtl_has_no_job_and_no_steps() -> None:
    assert definition(replace(CASES["max_pool: max_pool"], primitive="max_pool")) is not None
    with pytest.raises(Exception, match="no RTL for the scheme float_scale"):
        job(one.requantize(ACC, FloatScale(0.01)), TARGET)


def test_a_long_list_is_shown_by_its_ends() -> None:
    case = arrays.correlation((1, 8, 3, 3), (2, 8, 3, 3))
    told = _element((case,), job(case, TARGET), 0, TARGET)
    assert len(told.steps) == 72
    lines = told.lines()
    assert sum("more, which --json has" in line for line in lines) == 2
    assert len(lines) < 45
    assert all(len(line) <= 100 for line in lines)
    assert len(told.to_dict()["operands"]) == 2 + 2 * 72
