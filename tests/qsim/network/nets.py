"""Small networks for the tests of programs, networks and files."""

from __future__ import annotations

from typing import Any

import numpy as np

import hw_models as hw
from qsim.network.lowered import Lowered
from qsim.network.steps import HostOperator, Step, ValueSpec
from qsim.program.program import Call, Program, TensorSpec
from qsim.target import Target

INT8 = hw.FixedFormat(8)
INT32 = hw.FixedFormat(32)
ACC = {"bits": 32, "overflow": "wrap", "at": "sum", "order": "channel_first"}
OUT = {"bits": 8, "signed": True, "narrow": False}
FIXED = {"kind": "fixed_point", "rounding": "double", "bits": 32}


def spec(name: str, *shape: int, codes: hw.FixedFormat = INT8, zero_point: int = 0) -> TensorSpec:
    return TensorSpec(name, (-1, *shape), codes, 0.05 if codes.bits <= 8 else None, zero_point)


def correlation(**changes: Any) -> Call:
    attributes: dict[str, Any] = {
        "stride": [1, 1],
        "padding": [[1, 1], [1, 1]],
        "dilation": [1, 1],
        "groups": 1,
        "x_zero_point": 3,
        "weight_zero_point": 0,
        "pad_value": None,
        "accumulator": ACC,
    }
    return Call(
        "conv.correlation",
        "conv",
        "correlation",
        ("x", "conv.weight"),
        "conv.acc",
        attributes | changes,
    )


def requantize(name: str, layer: str, source: str, output: str, axis: int = 1) -> Call:
    scheme = FIXED | {"multiplier": {"constant": f"{layer}.multiplier"}, "right_shift": 38}
    attributes = {
        "scheme": scheme,
        "zero_point": -2,
        "input_zero_point": 0,
        "output": OUT,
        "clamp": [-2, 100],
        "axis": axis,
    }
    return Call(name, layer, "requantize", (source,), output, attributes)


def calls() -> tuple[Call, ...]:
    sums = {"axis": 1, "accumulator": {"bits": 32, "overflow": "wrap"}}
    pool = {
        "kernel": [2, 2],
        "stride": [2, 2],
        "padding": [0, 0],
        "dilation": [1, 1],
        "ceil_mode": False,
    }
    linear = {"x_zero_point": -2, "weight_zero_point": 0, "accumulator": ACC}
    return (
        correlation(),
        Call("conv.bias_add", "conv", "bias_add", ("conv.acc", "conv.bias"), "conv.sum", sums),
        requantize("conv.requantize", "conv", "conv.sum", "conv"),
        Call("relu.clamp", "relu", "clamp", ("conv",), "relu", {"lo": -2, "hi": 90}),
        Call("pool.max_pool", "pool", "max_pool", ("relu",), "pool", pool),
        Call("flat.permute", "flat", "permute", ("pool",), "moved", {"dims": [0, 2, 3, 1]}),
        Call("flat.reshape", "flat", "reshape", ("moved",), "flat", {"shape": [0, -1]}),
        Call("fc.linear", "fc", "linear", ("flat", "fc.weight"), "fc.acc", linear),
        requantize("fc.requantize", "fc", "fc.acc", "fc"),
    )


def tensors() -> dict[str, TensorSpec]:
    specs = (
        spec("x", 2, 6, 6, zero_point=3),
        spec("conv.acc", 4, 6, 6, codes=INT32),
        spec("conv.sum", 4, 6, 6, codes=INT32),
        spec("conv", 4, 6, 6, zero_point=-2),
        spec("relu", 4, 6, 6, zero_point=-2),
        spec("pool", 4, 3, 3, zero_point=-2),
        spec("moved", 3, 3, 4, zero_point=-2),
        spec("flat", 36, zero_point=-2),
        spec("fc.acc", 5, codes=INT32),
        spec("fc", 5, zero_point=-2),
    )
    return {item.name: item for item in specs}


def constants() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        "conv.weight": rng.integers(-127, 128, (4, 2, 3, 3)).astype(np.int8),
        "conv.bias": rng.integers(-2000, 2000, 4).astype(np.int32),
        "conv.multiplier": rng.integers(1 << 30, 1 << 31, 4),
        "fc.weight": rng.integers(-127, 128, (5, 36)).astype(np.int8),
        "fc.multiplier": rng.integers(1 << 30, 1 << 31, 5),
    }


def program(**changes: Any) -> Program:
    parts: dict[str, Any] = {
        "name": "program0",
        "inputs": ("x",),
        "outputs": ("fc",),
        "tensors": tensors(),
        "constants": constants(),
        "calls": calls(),
    }
    return Program(**(parts | changes))


def codes(batch: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, (batch, 2, 6, 6)).astype(np.int8)


def reals(batch: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (batch, 2, 6, 6)).astype(np.float32)


def boundary(scale: float, zero_point: int) -> dict[str, Any]:
    return {"scale": scale, "zero_point": zero_point, "output": OUT, "formula": "torch"}


def steps(*, host: bool = False) -> tuple[Step, ...]:
    plain = (
        Step("quantize", "q", ("x",), ("x.codes",), boundary(0.05, 3)),
        Step("program", "program0", ("x.codes",), ("fc.codes",), {"program": 0}),
        Step("dequantize", "d", ("fc.codes",), ("fc.real",), boundary(0.05, -2)),
    )
    softmax = {
        "operator": "aten.softmax.int",
        "args": [{"tensor": "fc.real"}, -1],
        "kwargs": {"dtype": {"dtype": "float32"}},
    }
    offset = {
        "operator": "aten.add.Tensor",
        "args": [{"tensor": "softmax"}, {"constant": "offset"}],
        "kwargs": {"alpha": 2},
    }
    tail = (
        Step("torch", "softmax", ("fc.real",), ("softmax",), softmax),
        Step("torch", "offset", ("softmax",), ("shifted",), offset),
    )
    return plain + tail if host else plain


def lowered(*, host: bool = False, **changes: Any) -> Lowered:
    parts: dict[str, Any] = {
        "target": Target.load("tflite"),
        "inputs": (ValueSpec("x", (-1, 2, 6, 6)),),
        "outputs": (ValueSpec("shifted" if host else "fc.real", (-1, 5)),),
        "steps": steps(host=host),
        "programs": (program(),),
        "constants": {"offset": np.arange(5, dtype=np.float32)} if host else {},
        "host_operators": (
            (
                HostOperator("aten.softmax.int", "softmax", "no primitive computes it"),
                HostOperator("aten.add.Tensor", "", "it is not quantized"),
            )
            if host
            else ()
        ),
        "model": "small",
    }
    return Lowered(**(parts | changes))
