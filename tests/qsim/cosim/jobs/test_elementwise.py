"""Jobs of the element-wise primitives: what their beats hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest

from hw_models import Accumulator, FixedFormat
from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd
from hw_models.formats import HOLDING, At, Overflow
from hw_models.rounding import splitmix64
from hw_models.schemes import FixedPoint, FixedRounding, FloatScale, PowerOfTwo
from qsim.cosim.jobs.bias_add import overflow_code
from qsim.cosim.jobs.correlation import ATS
from qsim.cosim.jobs.elementwise import code_width, draws
from qsim.cosim.jobs.makers import has_rtl, job
from qsim.cosim.jobs.scheme_fields import fixed_code
from qsim.cosim.jobs.unit import Job
from qsim.errors import UsageError
from qsim.golden import Case
from qsim.program.primitives import PRIMITIVES
from qsim.target import Target
from tests.qsim.cosim.jobs import elementwise_cases as make

TFLITE, Q7 = Target.load("tflite"), Target.load("q7")
HALF = FixedPoint(1 << 30, 31)
ACC = np.arange(-12, 12).reshape(1, 2, 3, 4) * 1000


def fields(made: Job) -> dict[str, list[int]]:
    unpacked = made.unit.inputs.unpack(made.beats)
    return {name: values[:, 0].tolist() for name, values in unpacked.items()}


def results(made: Job) -> list[int]:
    values: list[int] = made.unit.outputs.unpack(made.expected)[made.field][:, 0].tolist()
    return values


def test_parameters_per_channel_reach_every_element() -> None:
    case = make.requantize(
        ACC,
        FixedPoint((1 << 30, -3), (31, 40), "double"),
        zero_point=-2,
        input_zero_point=5,
        clamp=[-100, 90],
    )
    made = job(case, TFLITE)
    sent = fields(made)
    assert sent["acc"] == ACC.reshape(-1).tolist()
    assert sent["multiplier"] == [1 << 30] * 12 + [-3] * 12
    assert sent["shift"] == [31] * 12 + [40] * 12
    assert {
        name: set(sent[name]) for name in ("input_zero_point", "zero_point", "low", "high")
    } == {
        "input_zero_point": {5},
        "zero_point": {-2},
        "low": {-100},
        "high": {90},
    }
    assert results(made) == case.expected.reshape(-1).tolist()
    assert made.element[:, 0].tolist() == list(range(24))
    assert (made.name, made.layer, made.shape) == ("requantize", "layer", (1, 2, 3, 4))


def test_a_packet_is_a_row_of_the_last_dimension() -> None:
    made = job(make.requantize(ACC, PowerOfTwo(5)), Q7)
    assert np.flatnonzero(made.last).tolist() == [3, 7, 11, 15, 19, 23]
    assert (made.last == made.expected_last).all()


def test_the_beat_of_an_8_bit_target_is_the_one_that_is_documented() -> None:
    made = job(make.requantize(ACC, FixedPoint(1 << 30, 35)), TFLITE)
    layout = [(field.name, field.bits, field.signed) for field in made.unit.inputs.fields]
    assert layout == [
        ("acc", 32, True),
        ("multiplier", 32, True),
        ("shift", 7, True),
        ("input_zero_point", 9, True),
        ("zero_point", 9, True),
        ("low", 9, True),
        ("high", 9, True),
    ]


def test_calls_of_one_target_share_a_unit() -> None:
    calls = [
        make.requantize(ACC, FixedPoint(77, 35), zero_point=-128, clamp=[-128, 3]),
        make.requantize(ACC, FixedPoint((5, 6), (35, 37)), input_zero_point=255),
        make.requantize([[1, 2]], FixedPoint(3, 2), acc_format=make.INT8),
    ]
    assert all(job(call, TFLITE).unit == job(calls[0], TFLITE).unit for call in calls)


@pytest.mark.parametrize(
    ("changes", "parameter", "value"),
    [
        ({"acc_format": FixedFormat(40)}, "ACC_W", 40),
        ({"acc_format": FixedFormat(32, signed=False), "acc": abs(ACC)}, "ACC_W", 33),
        ({"output": FixedFormat(16)}, "OUT_W", 16),
        ({"zero_point": 300}, "OUT_W", 9),
        ({"zero_point": -257}, "OUT_W", 9),
        ({"zero_point": -256}, "OUT_W", 8),
        ({"input_zero_point": -257}, "ZI_W", 10),
        ({"scheme": FixedPoint(3, 9, "double", 4)}, "MUL_W", 4),
        ({"scheme": FixedPoint(3, 9, "single", 4)}, "MUL_W", 32),
        ({"scheme": FixedPoint(3, 9, "single", 4)}, "SCHEME", 1),
        ({"scheme": PowerOfTwo(-3, "half_odd")}, "ROUNDING", 9),
        ({"scheme": PowerOfTwo(-3, "half_odd")}, "SCHEME", 2),
    ],
)
def test_a_unit_is_as_wide_as_its_call_needs(
    changes: dict[str, Any], parameter: str, value: int
) -> None:
    made = job(make.requantize(**({"acc": ACC, "scheme": FixedPoint(3, 9)} | changes)), TFLITE)
    assert made.unit.parameters[parameter] == value


@pytest.mark.parametrize("seed", [0, 9, (1 << 64) - 1])
def test_draws_are_those_of_the_definition(seed: int) -> None:
    assert draws(seed, 50).tolist() == [splitmix64(seed, index) for index in range(50)]


def test_a_stochastic_call_carries_its_draws() -> None:
    made = job(make.requantize(ACC, PowerOfTwo(5, "stochastic", 9)), Q7)
    assert fields(made)["draw"] == [splitmix64(9, index) for index in range(24)]


def test_a_clamp_is_a_shift_of_0() -> None:
    made = job(make.clamp(np.arange(256), 3, 200, make.UINT8), TFLITE)
    sent = fields(made)
    assert (made.primitive, made.unit.primitive, made.unit.module) == (
        "clamp",
        "clamp",
        "requantize",
    )
    assert sent["acc"] == list(range(256))
    assert (set(sent["shift"]), set(sent["low"]), set(sent["high"])) == ({0}, {3}, {200})


def test_a_bias_reaches_every_element_of_its_channel() -> None:
    case = make.bias_add(ACC, [7, -7], Accumulator(20, "saturate"), bias_format=FixedFormat(16))
    made = job(case, TFLITE)
    assert fields(made) == {"acc": ACC.reshape(-1).tolist(), "bias": [7] * 12 + [-7] * 12}
    assert dict(made.unit.parameters) == {"ACC_W": 32, "BIAS_W": 32, "SUM_W": 20, "OVERFLOW": 1}


@pytest.mark.parametrize(
    ("overflow", "number"),
    [("wrap", 0), ("saturate", 1), ("saturate_symmetric", 2), ("error", 0)],
)
def test_overflow_rules_have_the_numbers_of_the_rtl(overflow: Any, number: int) -> None:
    made = job(make.bias_add(ACC, [1, 2], Accumulator(32, overflow)), TFLITE)
    assert made.unit.parameters["OVERFLOW"] == number


def test_a_bias_with_a_scale_of_its_own_arrives_shifted() -> None:
    assert (Q7.bias.bits, Q7.bias.scale) == (8, "power_of_two")
    made = job(make.bias_add(ACC, [1, 2], Accumulator(32), bias_format=FixedFormat(8)), Q7)
    assert made.unit.parameters["BIAS_W"] == 32


def test_add_broadcasts_both_operands() -> None:
    a, b = np.arange(6).reshape(2, 1, 3), np.arange(4).reshape(1, 4, 1)
    case = make.add(a, b, AlignedAdd(2, 0, PowerOfTwo(1)), points=(1, 2, 3))
    made = job(case, Q7)
    sent = fields(made)
    assert sent["a"] == np.broadcast_to(a, (2, 4, 3)).reshape(-1).tolist()
    assert sent["b"] == np.broadcast_to(b, (2, 4, 3)).reshape(-1).tolist()
    scalars = {name: set(sent[name]) for name in sent if name not in ("a", "b")}
    assert scalars == {
        "a_zero_point": {1},
        "b_zero_point": {2},
        "a_left": {2},
        "b_left": {0},
        "shift": {1},
        "zero_point": {3},
        "low": {-128},
        "high": {127},
    }
    assert results(made) == case.expected.reshape(-1).tolist()


def test_the_scales_of_a_shifted_add_lie_between_the_zero_points() -> None:
    adder = ShiftedAdd(20, FixedPoint(11, 31), FixedPoint(22, 32), FixedPoint(33, 49))
    made = job(make.add([1], [2], adder), TFLITE)
    assert [field.name for field in made.unit.inputs.fields] == [
        "a", "b", "a_zero_point", "b_zero_point",
        "a_multiplier", "a_shift", "b_multiplier", "b_shift", "out_multiplier", "out_shift",
        "zero_point", "low", "high",
    ]  # fmt: skip
    sent = fields(made)
    scales = [
        sent[f"{name}_{part}"][0] for name in ("a", "b", "out") for part in ("multiplier", "shift")
    ]
    assert scales == [11, 31, 22, 32, 33, 49]
    assert made.unit.parameters["LEFT_SHIFT"] == 20


def test_operands_of_either_sign_share_a_signed_field() -> None:
    adder = MultiplierAdd(5, 3, 4)
    made = job(make.add([200], [-3], adder, (make.UINT8, make.INT8)), TFLITE)
    assert (made.unit.parameters["IN_W"], made.unit.parameters["IN_SIGNED"]) == (9, 1)
    assert (fields(made)["a"], fields(made)["b"]) == ([200], [-3])


def test_the_entries_of_a_table_lie_at_the_bits_of_their_codes() -> None:
    codes = FixedFormat(3, narrow=True)  # -3..3
    case = make.lookup([[-3, 3], [0, -1]], [10, 11, 12, 13, 14, 15, -16], codes)
    made = job(case, TFLITE)
    sent = fields(made)
    assert sent["load"] == [1] * 7 + [0] * 4
    assert sent["address"] == [5, 6, 7, 0, 1, 2, 3, 5, 3, 0, 7]
    assert sent["value"] == [10, 11, 12, 13, 14, 15, 256 - 16] + [0] * 4
    assert np.flatnonzero(made.last).tolist() == [6, 8, 10]
    assert results(made) == [10, -16, 13, 12]
    assert made.elements == 4


def test_every_primitive_has_rtl_or_is_said_to_have_none() -> None:
    none = {name for name in PRIMITIVES if not has_rtl(name)}
    assert none == {
        *("reshape", "pad", "argmax"),
        *("sub", "prelu", "minimum", "maximum", "shift_right", "mean"),
        *("transposed_correlation", "resize", "resize_scaled", "interpolate"),
        *("min_max", "choose_scale", "choose_zero_point", "quantize", "dequantize"),
        *("dequantize_sums", "linear_pairs", "linear_groups"),
        *("float_add", "float_mul", "float_function", "float_softmax", "float_layer_norm"),
        *("float_matmul", "dynamic_matmul"),
    }


REFUSED: dict[str, Callable[[], Case]] = {
    "no RTL for the scheme float_scale": lambda: make.requantize(ACC, FloatScale(0.5)),
    "no RTL for the scheme float_add": lambda: make.add([1], [2], FloatAdd(1, 1, 1)),
    "no RTL for the scheme shifted_add with different rescalings": lambda: make.add(
        [1], [2], ShiftedAdd(20, HALF, HALF, FixedPoint(1 << 30, 31, "single"))
    ),
    **{
        f"no RTL for the scheme shifted_add with the rounding {r!r}": (
            lambda r=r: make.add([1], [2], ShiftedAdd.from_scales(0.5, 0.5, 1.0, 20, r))
        )
        for r in ("double-half-up", "s64-reduced", "tosa-double")
    },
    "no RTL for the primitive reshape (accepted: correlation, ": lambda: make.made(
        "reshape", {"shape": [6]}, {"x": (np.ones((2, 3)), make.INT8)}, make.INT8, (6,)
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_call_without_rtl_is_refused_by_name(message: str) -> None:
    case = REFUSED[message]()
    with pytest.raises(UsageError) as caught:
        job(case, TFLITE)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"case {case.name!r}: ")


@pytest.mark.parametrize(
    ("bits", "points", "width"),
    [(8, (0,), 8), (8, (255, -256), 8), (8, (256,), 9), (8, (-257,), 9), (1, (3, -4), 2)],
)
def test_code_width_holds_every_point(bits: int, points: tuple[int, ...], width: int) -> None:
    assert code_width(bits, *points) == width


def test_every_closed_set_has_its_numbers() -> None:
    fixed = {fixed_code(rounding) for rounding in get_args(FixedRounding)}
    assert fixed == {0, 1, 3, 5, 6}  # of a single rounding TOSA's range is the narrower one
    held = [overflow_code(Accumulator(8, overflow)) for overflow in HOLDING]
    assert (held, overflow_code(Accumulator(8, "error"))) == ([0, 1, 2], 0)
    assert {*HOLDING, "error"} == set(get_args(Overflow))
    assert set(ATS) == set(get_args(At))


@pytest.mark.parametrize(
    "rounding", sorted({*get_args(FixedRounding)} - {"double", "single", "tosa-single"})
)
def test_an_adder_whose_rescalings_have_no_rtl_is_refused(rounding: FixedRounding) -> None:
    adder = ShiftedAdd.from_scales(0.1, 0.2, 0.3, rounding=rounding)
    with pytest.raises(UsageError, match=f"with the rounding '{rounding}"):
        job(make.add([1], [2], adder), TFLITE)
