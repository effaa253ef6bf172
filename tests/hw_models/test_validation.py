"""Bad arguments of every public function: one line names the rule, the offender, what is accepted.

Every argument of every function and value object gets every value that its kind cannot take, one at
a time and, at random, several together. Nothing but ``ContractError`` and
``AccumulatorOverflowError`` may come out (and ``TypeError`` where an argument is missing).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import hw_models as hw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAN = float("nan")
INF = float("inf")
HUGE = 10**40


def _objects(*values: Any) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array


# What no argument of a kind can take. Every entry must be refused.
NO_NUMBER: list[Any] = [
    "1", b"1", None, {}, {1}, object(), 1j, Fraction(1, 2), [[1], [2, 3]], _objects(1, "a"),
    np.datetime64("2020-01-01"), np.array("x"),
]  # fmt: skip
NO_SCALAR: list[Any] = [*NO_NUMBER, [], [1, 2, 3, 4, 5, 6, 7], np.zeros((2, 2, 2), np.int64)]
NO_INT: list[Any] = [
    *NO_SCALAR, NAN, INF, -INF, 1.5, 1.0, True, False, np.True_, np.float32(1), HUGE, -HUGE,
    np.array([1.0]), np.array([True]), np.ones((1, 1, 1), np.int64),
]  # fmt: skip
NO_POSITIVE: list[Any] = [*NO_INT, 0, -1, -HUGE]
NO_INTS: list[Any] = [v for v in NO_INT if not (isinstance(v, np.ndarray) and v.shape == (1, 1, 1))]
NO_SCALE: list[Any] = [
    *NO_SCALAR, NAN, INF, -INF, 0.0, -1.0, -0.0, 0, True, HUGE, 1e-60, 1e60, np.array([True]),
]  # fmt: skip
NO_FLOAT64_SCALE: list[Any] = [v for v in NO_SCALE[:-3] if v is not HUGE]
NO_CODES: list[Any] = [
    *NO_NUMBER, 1.5, NAN, True, HUGE, np.zeros((1, 2, 3, 3)), np.zeros((1, 2, 3, 3), bool),
    np.zeros((1, 2, 3, 3), np.complex64), np.full((1, 2, 3, 3), 1, object),
    np.full((1, 2, 3, 3), "a"), [[1.0, 2.0]], [NAN], [None], [HUGE], [1, HUGE],
    np.zeros(3, "datetime64[s]"), np.zeros(3, "timedelta64[s]"), np.zeros(2, [("a", "i4")]),
]  # fmt: skip
NO_FLOATS: list[Any] = [
    *NO_NUMBER, True, 1, HUGE, np.zeros((1, 2, 3, 3), np.int8), [1, 2], np.full((2, 3), NAN),
    np.float32(NAN), np.zeros((2, 2), bool), np.full((2, 2), 1.0, object), [1.0, None],
    np.zeros(2, np.complex128),
]  # fmt: skip
NO_FLAG: list[Any] = ["yes", "", None, 2, 0.0, NAN, [], np.zeros(2, bool)]
NO_VALUE_OBJECT: list[Any] = [None, 8, "int8", {}, [], 1.5, object(), hw.Ledger(), int]
NO_FORMAT: list[Any] = [*NO_VALUE_OBJECT, hw.FixedFormat(33), hw.FixedFormat(64), hw.Accumulator()]
NO_OPTIONAL_FORMAT: list[Any] = [v for v in NO_FORMAT if v is not None]
NO_ACCUMULATOR: list[Any] = [*NO_VALUE_OBJECT, hw.FixedFormat(), hw.Accumulator]
NO_LEDGER: list[Any] = [0, 1, "", {}, [], object(), int, hw.Accumulator()]
NO_CLAMP: list[Any] = [
    0, 1.5, "", "ab", (), (1,), (1, 2, 3), (2, 1), (0.5, 1), (NAN, 1), (True, 1), (None, 1),
    ("a", "b"), {}, object(), np.zeros((2, 2)), ([0], [1]),
]  # fmt: skip
NO_NAME: list[Any] = [
    None,
    0,
    "",
    "nearest",
    "Half_Even",
    b"floor",
    [],
    {},
    ("floor",),
    NAN,
    object(),
]
NO_NAME += [np.array(["floor", "ceil"]), np.zeros(2)]
NO_PADDING: list[Any] = [
    *(v for v in NO_INT if v is not HUGE), -1, (-1, 0), ((0, -1), (0, 0)), ((1, 2, 3), (0, 0)),
    ((0, 1), 2), ((0.5, 0), (0, 0)), (("a", "b"), (0, 0)), (None, None), "12", ((0, 0),),
    (((0, 0),),),
]  # fmt: skip
NO_PER_DIM: list[Any] = [
    *(v for v in NO_POSITIVE if not isinstance(v, bytes)), (0, 1), (1, -1), (1, 1.5), (1, True),
    (1, None), "12", b"12", (1, 1, 1), (1, (1,)),
]  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A callable, arguments that it accepts, and what each must refuse."""

    call: Callable[..., Any]
    good: dict[str, Any]
    bad: dict[str, list[Any]]


IMAGE = np.arange(-9, 9, dtype=np.int8).reshape(1, 2, 3, 3)
WEIGHT = np.arange(-12, 12, dtype=np.int8).reshape(3, 2, 2, 2)
FIXED = hw.FixedPoint(1 << 30, 33)
_SHAPED = [np.int8(1), np.zeros(3, np.int8), np.zeros((1, 2, 3, 3, 3), np.int8)]
_OTHER_SHAPES = [*_SHAPED, np.zeros((1, 3, 3, 3), np.int8), np.full((1, 2, 3, 3), 1 << 40)]
NO_ZERO_POINTS = [*NO_INT, np.zeros((3, 1), np.int8), np.zeros(2, np.int8)]
NO_SCHEME = [*NO_VALUE_OBJECT, hw.FixedPoint, hw.FixedFormat(), hw.FloatAdd(1.0, 1.0, 1.0)]

_CORRELATION = {
    "stride": 1,
    "padding": ((1, 0), (0, 1)),
    "dilation": (1, 1),
    "groups": 1,
    "x_zero_point": 1,
    "weight_zero_point": 0,
    "pad_value": 0,
    "accumulator": hw.Accumulator(),
}
_CORRELATION_BAD = {
    "weight": [*NO_CODES, *_OTHER_SHAPES[:3]],
    "stride": NO_PER_DIM,
    "padding": [*NO_PADDING, HUGE],
    "dilation": NO_PER_DIM,
    "groups": [*NO_POSITIVE, 2],
    "x_zero_point": NO_INT,
    "weight_zero_point": NO_ZERO_POINTS,
    "pad_value": [v for v in NO_INT if v is not None],
    "accumulator": NO_ACCUMULATOR,
}
_POOL_BAD = {
    "x": [*NO_CODES, *_SHAPED],
    "kernel": NO_PER_DIM,
    "stride": [v for v in NO_PER_DIM if v is not None and v is not HUGE],
    "padding": [*NO_PADDING, HUGE],
    "ceil_mode": NO_FLAG,
    "ledger": NO_LEDGER,
}
_AVERAGE_BAD = {
    "rounding": [*NO_NAME, "jam", "stochastic"],
    "output": NO_OPTIONAL_FORMAT,
    "zero_point": NO_INT,
    "centered": NO_FLAG,
}
_LINEAR_BAD = {
    "weight": [*NO_CODES, *_OTHER_SHAPES],
    "x_zero_point": NO_INT,
    "weight_zero_point": NO_ZERO_POINTS,
    "accumulator": NO_ACCUMULATOR,
}
_FLOATS_BAD = {
    "scale": NO_SCALE,
    "zero_point": NO_INT,
    "formula": NO_NAME,
    "axis": [2, -5, 1.5, "0", True, NAN, [], HUGE],
    "ledger": NO_LEDGER,
}

TARGETS: dict[str, Target] = {
    "correlation": Target(
        hw.correlation,
        {"x": IMAGE, "weight": WEIGHT, **_CORRELATION, "ledger": None},
        {"x": [*NO_CODES, *_OTHER_SHAPES], **_CORRELATION_BAD, "ledger": NO_LEDGER},
    ),
    "correlation_plan": Target(
        hw.correlation_plan, {"weight": WEIGHT, **_CORRELATION}, _CORRELATION_BAD
    ),
    "linear": Target(
        hw.linear,
        {
            "x": IMAGE[0, 0],
            "weight": IMAGE[0, 1],
            "x_zero_point": 1,
            "weight_zero_point": 0,
            "accumulator": hw.Accumulator(),
            "ledger": None,
        },
        {"x": [*NO_CODES, *_SHAPED[:1], np.zeros(4, np.int8)], **_LINEAR_BAD, "ledger": NO_LEDGER},
    ),
    "linear_plan": Target(hw.linear_plan, {"weight": IMAGE[0, 1]}, _LINEAR_BAD),
    "matmul": Target(
        hw.matmul,
        {"a": IMAGE[0], "b": IMAGE[0], "accumulator": hw.Accumulator(20, "saturate", "mac")},
        {
            "a": [*NO_CODES, *_SHAPED[:1], np.zeros((3, 2), np.int8), np.zeros((5, 3, 3), np.int8)],
            "b": [*NO_CODES, *_SHAPED[:1], np.zeros((2, 3), np.int8), np.zeros((5, 3, 3), np.int8)],
            "a_zero_point": NO_INT,
            "b_zero_point": NO_ZERO_POINTS,
            "accumulator": NO_ACCUMULATOR,
            "ledger": NO_LEDGER,
        },
    ),
    "bias_add": Target(
        hw.bias_add,
        {"acc": IMAGE, "bias": np.array([1, 2]), "accumulator": hw.Accumulator(), "axis": 1},
        {
            "acc": NO_CODES,
            "bias": [*NO_CODES, np.zeros(3, np.int8), np.zeros((1, 2), np.int8), HUGE],
            "accumulator": NO_ACCUMULATOR,
            "axis": [*NO_INT, 4, -5, 0],
            "ledger": NO_LEDGER,
        },
    ),
    "requantize_plan": Target(
        hw.requantize_plan,
        {"requantizer": hw.FixedPoint((1 << 30, 3), 33)},
        {
            "requantizer": NO_SCHEME,
            "zero_point": NO_INT,
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "axis": NO_INT,
            "input_zero_point": NO_INT,
        },
    ),
    "requantize": Target(
        hw.requantize,
        {"acc": IMAGE.astype(np.int32), "requantizer": hw.FixedPoint((1 << 30, 3), 33)},
        {
            "acc": NO_CODES,
            "requantizer": [*NO_SCHEME, hw.FixedPoint((1, 2, 3), 33)],
            "zero_point": NO_INT,
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "axis": [*NO_INT, 4, -5, 0],
            "input_zero_point": NO_INT,
            "ledger": NO_LEDGER,
        },
    ),
    "float_requantize": Target(
        hw.float_requantize,
        {"acc": IMAGE.astype(np.int32), "scheme": hw.FloatBias("onednn", 0.5, (0.5, 1.0), 2.0)},
        {
            "acc": NO_CODES,
            "scheme": [*NO_SCHEME, FIXED, hw.FloatBias("onednn", 0.5, (0.5, 1.0, 2.0), 2.0)],
            "zero_point": [*NO_INT, 1 << 25],
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "axis": [*NO_INT, 4, -5, 0],
            "ledger": NO_LEDGER,
        },
    ),
    "FloatBias": Target(
        hw.FloatBias,
        {"kind": "onednn", "input_scale": 0.5, "weight_scale": (0.5, 1.0), "output_scale": 2.0},
        {
            "kind": NO_NAME,
            "input_scale": NO_SCALE,
            "weight_scale": [v for v in NO_SCALE if not isinstance(v, list) or not v],
            "output_scale": NO_SCALE,
            "bias": [*NO_NUMBER, NAN, INF, True, 1e60, [], (1.0, 2.0, 3.0), np.ones((2, 2))],
        },
    ),
    "add": Target(
        hw.add,
        {"a": IMAGE, "b": IMAGE, "adder": hw.ShiftedAdd.from_scales(0.5, 0.25, 1.0)},
        {
            "a": [*NO_CODES, np.zeros(5, np.int8), np.full(3, 1 << 40)],
            "b": [*NO_CODES, np.zeros(5, np.int8), np.full(3, -(1 << 40))],
            "adder": [*NO_VALUE_OBJECT, FIXED, hw.ShiftedAdd],
            "a_zero_point": NO_INT,
            "b_zero_point": NO_INT,
            "zero_point": NO_INT,
            "output": NO_FORMAT,
            "clamp": NO_CLAMP,
            "ledger": NO_LEDGER,
        },
    ),
    "clamp": Target(
        hw.clamp,
        {"x": IMAGE, "low": -3, "high": 3},
        {"x": NO_CODES, "low": [*NO_INT, 4], "high": [*NO_INT, -4], "ledger": NO_LEDGER},
    ),
    "lookup": Target(
        hw.lookup,
        {"x": IMAGE, "table": np.arange(-128, 128)},
        {
            "x": [*NO_CODES, np.full(2, 128), np.array(-129)],
            "table": [*NO_CODES, *_SHAPED, np.arange(-127, 129), np.arange(-127, 128)],
            "input": [*NO_FORMAT, hw.FixedFormat(17), hw.FixedFormat(9)],
            "output": [*NO_FORMAT, hw.FixedFormat(7)],
            "ledger": NO_LEDGER,
        },
    ),
    "relu": Target(
        hw.relu, {"x": IMAGE}, {"x": NO_CODES, "zero_point": NO_INT, "ledger": NO_LEDGER}
    ),
    "relu6": Target(
        hw.relu6,
        {"x": IMAGE, "scale": 0.5},
        {
            "x": NO_CODES,
            "scale": NO_SCALE,
            "zero_point": NO_INT,
            "output": NO_OPTIONAL_FORMAT,
            "formula": NO_NAME,
            "ledger": NO_LEDGER,
        },
    ),
    "max_pool": Target(
        hw.max_pool, {"x": IMAGE, "kernel": 2}, {**_POOL_BAD, "dilation": NO_PER_DIM}
    ),
    "avg_pool": Target(
        hw.avg_pool,
        {"x": IMAGE, "kernel": 2, "output": None},
        {**_POOL_BAD, **_AVERAGE_BAD, "count_include_pad": NO_FLAG},
    ),
    "global_avg_pool": Target(
        hw.global_avg_pool,
        {"x": IMAGE},
        {"x": [*NO_CODES, *_SHAPED, IMAGE[..., :0]], **_AVERAGE_BAD, "ledger": NO_LEDGER},
    ),
    "quantize": Target(
        hw.quantize,
        {"x": np.ones((2, 3), np.float32), "scale": 0.5, "zero_point": 1, "axis": 0},
        {
            **_FLOATS_BAD,
            "x": NO_FLOATS,
            "output": NO_FORMAT,
            "block": [*(v for v in NO_POSITIVE if v is not None), 2],
        },
    ),
    "dequantize": Target(
        hw.dequantize,
        {"q": np.ones((2, 3), np.int8), "scale": 0.5, "zero_point": 1, "axis": 0},
        {
            **_FLOATS_BAD,
            "q": [*NO_CODES, np.full(2, 1 << 40)],
            "block": [*(v for v in NO_POSITIVE if v is not None), 2],
        },
    ),
    "round_shift": Target(
        hw.round_shift, {"x": 5, "k": 1, "rounding": "floor"}, {"rounding": NO_NAME}
    ),
    "FixedFormat": Target(
        hw.FixedFormat,
        {},
        {
            "bits": [*NO_POSITIVE, 65],
            "signed": NO_FLAG,
            "fraction": [v for v in NO_INT if not isinstance(v, int) or isinstance(v, bool)],
            "narrow": NO_FLAG,
        },
    ),
    "Accumulator": Target(
        hw.Accumulator,
        {},
        {"bits": [*NO_POSITIVE, 1, 65], "overflow": NO_NAME, "at": NO_NAME, "order": NO_NAME},
    ),
    "FixedPoint": Target(
        hw.FixedPoint,
        {"multiplier": 3, "right_shift": 4},
        {
            "multiplier": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 1 << 31],
            "right_shift": [*(v for v in NO_INTS if not isinstance(v, list) or not v), -1, 63],
            "rounding": NO_NAME,
            "bits": [*NO_POSITIVE, 1, 33],
        },
    ),
    "FixedPoint.from_scale": Target(
        hw.FixedPoint.from_scale,
        {"scale": 0.25},
        {
            "scale": [*NO_NUMBER, NAN, INF, -1.0, True, HUGE, 1e60, [], np.ones((2, 2))],
            "bits": [*NO_POSITIVE, 1, 33],
            "rounding": NO_NAME,
        },
    ),
    "FixedPoint.from_tflite": Target(
        hw.FixedPoint.from_tflite,
        {"multiplier": 3, "shift": -1},
        {
            "multiplier": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 1 << 31],
            "shift": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 32, -32],
            "rounding": NO_NAME,
        },
    ),
    "PowerOfTwo": Target(
        hw.PowerOfTwo,
        {"right_shift": 3},
        {
            "right_shift": [*(v for v in NO_INTS if not isinstance(v, list) or not v), 63, -63],
            "rounding": NO_NAME,
            "seed": [*NO_INT, -1, 1 << 64],
        },
    ),
    "FloatScale": Target(
        hw.FloatScale,
        {"scale": 0.5},
        {"scale": [*(v for v in NO_SCALE if not isinstance(v, list) or not v)]},
    ),
    "ShiftedAdd": Target(
        hw.ShiftedAdd,
        {"left_shift": 20, "a": FIXED, "b": FIXED, "out": FIXED},
        {
            "left_shift": [*NO_INT, -1, 31],
            **{
                n: [*NO_SCHEME, hw.PowerOfTwo(1), hw.FixedPoint((1, 2), 3)]
                for n in ("a", "b", "out")
            },
        },
    ),
    "ShiftedAdd.from_scales": Target(
        hw.ShiftedAdd.from_scales,
        {"scale_a": 0.5, "scale_b": 0.5, "scale_out": 1.0},
        {
            **dict.fromkeys(("scale_a", "scale_b", "scale_out"), NO_FLOAT64_SCALE),
            "left_shift": [*NO_INT, -1, 31],
            "rounding": NO_NAME,
        },
    ),
    "AlignedAdd": Target(
        hw.AlignedAdd,
        {"left_a": 0, "left_b": 1, "out": hw.PowerOfTwo(3)},
        {
            "left_a": [*NO_INT, -1, 31],
            "left_b": [*NO_INT, -1, 31],
            "out": [*NO_SCHEME, FIXED, hw.PowerOfTwo((1, 2))],
            "accumulator": NO_ACCUMULATOR,
        },
    ),
    "AlignedAdd.from_fractions": Target(
        hw.AlignedAdd.from_fractions,
        {"fraction_a": 3, "fraction_b": 4, "fraction_out": 2},
        {
            **{n: [*NO_INT, 100] for n in ("fraction_a", "fraction_b", "fraction_out")},
            "rounding": NO_NAME,
            "accumulator": NO_ACCUMULATOR,
        },
    ),
    "MultiplierAdd": Target(
        hw.MultiplierAdd,
        {"multiplier_a": 3, "multiplier_b": 4, "right_shift": 2},
        {
            "multiplier_a": [*NO_INT, 1 << 23],
            "multiplier_b": [*NO_INT, -(1 << 23) - 1],
            "right_shift": [*NO_INT, -1, 32],
            "rounding": [*NO_NAME, "stochastic"],
        },
    ),
    "MultiplierAdd.from_scales": Target(
        hw.MultiplierAdd.from_scales,
        {"scale_a": 0.5, "scale_b": 0.5, "scale_out": 1.0},
        dict.fromkeys(("scale_a", "scale_b", "scale_out"), NO_SCALE),
    ),
    "FloatAdd": Target(
        hw.FloatAdd,
        {"scale_a": 0.5, "scale_b": 0.5, "scale_out": 1.0},
        {**dict.fromkeys(("scale_a", "scale_b", "scale_out"), NO_SCALE), "formula": NO_NAME},
    ),
}


def problem_of(target: Target, arguments: dict[str, Any], *, must_refuse: bool) -> str | None:
    """Call, and say what is wrong with what comes out."""
    try:
        target.call(**arguments)
    except (hw.ContractError, hw.AccumulatorOverflowError) as error:
        text = str(error)
        if "\n" in text or len(text) > 600:
            return f"not one short line: {text!r:.200}"
        if "accept" not in text or (
            not ("not " in text or "too large" in text) and isinstance(error, hw.ContractError)
        ):
            return f"names no offender or nothing accepted: {text!r}"
        return None
    except Exception as error:  # any other exception is the finding
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''!s:.120}"
    return "accepted" if must_refuse else None


def findings(name: str) -> Iterator[str]:
    target = TARGETS[name]
    assert problem_of(target, target.good, must_refuse=False) is None
    for argument, values in target.bad.items():
        for value in values:
            problem = problem_of(target, target.good | {argument: value}, must_refuse=True)
            if problem:
                yield f"{name}({argument}={value!r:.60}): {problem}"


@pytest.mark.parametrize("name", TARGETS)
def test_every_bad_argument_is_refused_in_one_line(name: str) -> None:
    assert list(findings(name)) == []


@pytest.mark.parametrize("name", TARGETS)
def test_several_bad_arguments_together(name: str) -> None:
    target, rng, found = TARGETS[name], np.random.default_rng(20240607), []
    names = list(target.bad)
    for _ in range(200):
        chosen = rng.permutation(len(names))[: int(rng.integers(1, len(names) + 1))]
        arguments = dict(target.good)
        for i in chosen:
            values = target.bad[names[i]]
            arguments[names[i]] = values[int(rng.integers(len(values)))]
        problem = problem_of(target, arguments, must_refuse=True)
        if problem:
            found.append(
                f"{name}({ {names[i]: arguments[names[i]] for i in chosen}!r:.200}): {problem}"
            )
    assert found == []


@pytest.mark.parametrize("name", [n for n, t in TARGETS.items() if t.good])
def test_a_missing_argument_is_a_type_error(name: str) -> None:
    target = TARGETS[name]
    first, *rest = target.good
    with pytest.raises(TypeError, match=first):
        target.call(**{n: target.good[n] for n in rest})


def test_every_public_function_is_here() -> None:
    left_out = {"ROUNDINGS", "FLOAT_BIAS_KINDS", "Ledger", "Requantizer"}
    left_out |= {"AccumulatorOverflowError", "ContractError"}
    # Made by correlation_plan, linear_plan and requantize_plan.
    plans = {"CorrelationPlan", "LinearPlan", "RequantizePlan"}
    assert set(hw.__all__) - left_out - plans <= set(TARGETS)
