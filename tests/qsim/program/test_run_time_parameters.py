"""Scales and zero points of run time in a Program: per token, per group, and what is no number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import hw_models as hw
from hw_models import FLOAT32, FixedFormat
from qsim.errors import InputError, ModelError
from qsim.program import Call, Program, TensorSpec
from tests.qsim.program.reference import interpret

RULE = {"formula": "fbgemm", "low": 0, "high": 255, "symmetric": False, "eps": 2.0**-23}
BYTE = {"bits": 8, "signed": False, "narrow": False}
ROWS = [[1.0, -2.0, 3.0, 0.5, 0.25, 8.0], [0.0, 0.0, 0.0, 4.0, 5.0, 6.0]]


def program(rule: dict[str, Any], quantizer: dict[str, Any], group: int = 6) -> Program:
    """Return a Program that quantizes [N, 6], and gives codes and scales."""
    parts = (-1, 6 // group, group)
    shapes = {"x": (-1, 6), "parts": parts, "range": (*parts[:2], 1, 2), "s": (*parts[:2], 1)}
    tensors = {name: TensorSpec(name, shape, FLOAT32) for name, shape in shapes.items()}
    form = FixedFormat(8, signed=False)
    tensors |= {
        name: TensorSpec(name, shape, form)
        for name, shape in {"z": shapes["s"], "q": parts, "y": (-1, 6)}.items()
    }
    calls = (
        Call("a", "encoder.fc", "reshape", ("x",), "parts", {"shape": list(parts)}),
        Call("b", "encoder.fc", "min_max", ("parts",), "range", {"axes": [2]}),
        Call("c", "encoder.fc", "choose_scale", ("range",), "s", rule),
        Call("d", "encoder.fc", "choose_zero_point", ("range",), "z", rule),
        Call("e", "encoder.fc", "quantize", ("parts", "s", "z"), "q", quantizer),
        Call("f", "encoder.fc", "reshape", ("q",), "y", {"shape": [-1, 6]}),
    )
    return Program("fc", ("x",), ("y", "s"), tensors, {}, calls)


@pytest.mark.parametrize("group", [6, 3, 2])
@pytest.mark.parametrize("formula", ["fbgemm", "torch-per-token"])
def test_rows_and_groups_are_those_of_the_models(group: int, formula: str) -> None:
    x = np.array(ROWS, np.float32)
    given = {**RULE, "formula": formula}
    codes, scales = program(given, {"formula": formula, "output": BYTE}, group).run(x)
    s, z = hw.choose_qparams(x, hw.QParamsRule(formula, 0, 255), group=group)  # type: ignore[arg-type]
    assert np.array_equal(scales[..., 0], s)
    form = FixedFormat(8, signed=False)
    wanted = hw.quantize(x, s, z, form, formula, axis=-1, block=group)  # type: ignore[arg-type]
    assert np.array_equal(codes, wanted)


@pytest.mark.parametrize("formula", ["fbgemm", "onnx", "power-of-two"])
@pytest.mark.parametrize("rows", [False, True])
def test_a_layer_equals_the_definition(formula: str, rows: bool) -> None:
    """Range, parameters, codes, product and sums of a linear layer, per row and per tensor."""
    rng = np.random.default_rng(1)
    one: tuple[int, ...] = (-1, 1) if rows else (1, 1)
    shapes = {"x": (-1, 6), "range": (*one, 2), "s": one, "y": (-1, 4), "back": (-1, 6)}
    tensors = {name: TensorSpec(name, shape, FLOAT32) for name, shape in shapes.items()}
    byte = FixedFormat(8, signed=False)
    tensors |= {
        name: TensorSpec(name, shape, byte) for name, shape in {"z": one, "q": (-1, 6)}.items()
    }
    tensors["acc"] = TensorSpec("acc", (-1, 4), FixedFormat(32))
    weight = rng.integers(-128, 128, (4, 6)).astype(np.int8)
    constants = {
        "w": weight,
        "sum": weight.sum(axis=1, dtype=np.int64),
        "scale": rng.uniform(0.01, 0.1, 4).astype(np.float32),
        "bias": rng.standard_normal(4).astype(np.float32),
    }
    rule = {**RULE, "formula": formula}
    product = {
        "x_zero_point": 0,
        "weight_zero_point": 0,
        "accumulator": {"bits": 32, "overflow": "wrap"},
    }
    sums = {
        "weight_scale": {"constant": "scale"},
        "weight_sum": {"constant": "sum"},
        "bias": {"constant": "bias"},
        "fused": True,
    }
    quantizer = {"formula": "onnx" if formula == "onnx" else "fbgemm", "output": BYTE}
    calls = (
        Call("a", "", "min_max", ("x",), "range", {"axes": [1] if rows else [0, 1]}),
        Call("b", "", "choose_scale", ("range",), "s", rule),
        Call("c", "", "choose_zero_point", ("range",), "z", rule),
        Call("d", "", "quantize", ("x", "s", "z"), "q", quantizer),
        Call("e", "", "linear", ("q", "w"), "acc", product),
        Call("f", "", "dequantize_sums", ("acc", "s", "z"), "y", sums),
        Call("g", "", "dequantize", ("q", "s", "z"), "back", {"formula": "onnx"}),
    )
    made = Program("fc", ("x",), ("y", "back"), tensors, constants, calls)
    x = (rng.standard_normal((5, 6)) * 3).astype(np.float32)
    wanted = interpret(made, [x])[0]
    for name, found in zip(made.outputs, made.run(x), strict=True):
        assert np.array_equal(found.view(np.int32), wanted[name].view(np.int32))


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_told_with_its_layer(odd: float) -> None:
    x = np.array(ROWS, np.float32)
    x[1, 2] = odd
    made = program(RULE, {"formula": "fbgemm", "output": BYTE})
    with pytest.raises(
        InputError,
        match=r"^layer 'encoder.fc', call 'c' \(choose_scale\): .*range at index \(1, 0, 0\)",
    ):
        made.run(x)


def test_what_goes_on_is_onnx_runtime_s() -> None:
    x = np.array([[math.inf, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]], np.float32)
    on = {"non_finite": "propagate"}
    made = program({**RULE, "formula": "onnx"} | on, {"formula": "onnx", "output": BYTE} | on)
    codes, scales = made.run(x)
    assert scales.reshape(-1).tolist() == [math.inf, float(np.float32(5) / np.float32(255))]
    assert codes.tolist() == [[0] * 6, [0, 51, 102, 153, 204, 255]]
    x[0, 1] = math.nan
    with pytest.raises(InputError, match="must be finite or infinite"):
        made.run(x)


@pytest.mark.parametrize(
    ("rule", "quantizer", "said"),
    [
        ({"non_finite": "propagate"}, {}, "'onnx' alone"),
        ({"non_finite": "keep"}, {}, "refuse, propagate"),
        ({}, {"non_finite": "propagate"}, "accepted: onnx"),
        ({"formula": "median"}, {}, "torch-per-token, no-clipping"),
    ],
)
def test_rules_that_are_none_are_refused(
    rule: dict[str, Any], quantizer: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        program(RULE | rule, {"formula": "fbgemm", "output": BYTE} | quantizer)
