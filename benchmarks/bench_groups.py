"""Dense layers with weights of 4 bits in groups, beside the same layers with weights of 8 bits.

    python -m benchmarks.bench_groups

Both are ours, both quantize each row at run time and return float32: one multiplies with
linear_groups, the other with linear and dequantize_sums. The values are compared with those of the
interpreter, bit for bit, before any time is taken. One thread.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import numpy as np

from benchmarks.harness import Timing, measure, one_thread, table
from hw_models import FLOAT32, FixedFormat
from qsim.program import Call, Program, TensorSpec
from qsim.program.attributes import format_to_json

SHAPES: Final = ((128, 768, 768), (128, 768, 3072), (1, 768, 768))  # rows, inputs, outputs
SIZES: Final = (32, 64, 128, 256)
TARGET: Final = 0.5


def program(inputs: int, outputs: int, size: int | None) -> Program:
    """Return a layer with weights of 4 bits in groups of a size, or of 8 bits and no groups."""
    rng = np.random.default_rng(inputs + outputs)
    half = 8 if size else 127
    weight = rng.integers(-half, half, (outputs, inputs)).astype(np.int8)
    eps = float(np.finfo(np.float32).eps)
    rule: dict[str, Any] = {
        "formula": "torch", "low": -128, "high": 127, "symmetric": False, "eps": eps,
    }  # fmt: skip
    codes = FixedFormat(8)
    shapes: dict[str, Any] = {
        "x": ((-1, inputs), FLOAT32), "range": ((-1, 1, 2), FLOAT32), "scale": ((-1, 1), FLOAT32),
        "zero": ((-1, 1), codes), "q": ((-1, inputs), codes), "y": ((-1, outputs), FLOAT32),
    }  # fmt: skip
    output: dict[str, Any] = {"formula": "torch", "output": format_to_json(codes)}
    calls = [
        Call("range", "", "min_max", ("x",), "range", {"axes": [1]}),
        Call("scale", "", "choose_scale", ("range",), "scale", rule),
        Call("zero", "", "choose_zero_point", ("range",), "zero", rule),
        Call("codes", "", "quantize", ("x", "scale", "zero"), "q", output),
    ]
    count = inputs // size if size else 1
    scales = rng.random((outputs, count), np.float32) + np.float32(0.01)
    constants = {"weight": weight, "scales": scales if size else scales[:, 0]}
    ends: dict[str, Any] = {"weight_scale": {"constant": "scales"}, "bias": None, "fused": False}
    if size:
        operands = ("q", "weight", "scale", "zero")
        ends |= {"weight_zero_point": None, "order": "row"}
        calls.append(Call("values", "", "linear_groups", operands, "y", ends))
    else:
        shapes["acc"] = (-1, outputs), FixedFormat(32)
        constants["sums"] = weight.astype(np.int64).sum(1)
        register = {"bits": 32, "overflow": "wrap"}
        products: dict[str, Any] = {
            "x_zero_point": 0, "weight_zero_point": 0, "accumulator": register,
        }  # fmt: skip
        ends |= {"weight_sum": {"constant": "sums"}}
        calls.append(Call("products", "", "linear", ("q", "weight"), "acc", products))
        calls.append(Call("values", "", "dequantize_sums", ("acc", "scale", "zero"), "y", ends))
    tensors = {name: TensorSpec(name, shape, form) for name, (shape, form) in shapes.items()}
    return Program("dense", ("x",), ("y",), tensors, constants, tuple(calls))


def speed(shape: tuple[int, int, int], size: int) -> Timing:
    """Return the timing of a layer in groups, and of the one with 8 bits."""
    rows, inputs, outputs = shape
    x = (np.random.default_rng(rows).standard_normal((rows, inputs)) * 3).astype(np.float32)
    case = f"{rows}x{inputs}x{outputs} groups of {size}"
    contenders = {}
    for name, length in (("4 bits in groups", size), ("8 bits", None)):
        made = program(inputs, outputs, length)
        (wanted,) = made.run(x, trace=lambda *_: None)
        contenders[name] = partial(made.run, x, threads=1)
        np.testing.assert_array_equal(contenders[name]()[0].view(np.int32), wanted.view(np.int32))
    return measure(case, contenders, work=rows * inputs * outputs, target=TARGET)


def main() -> None:
    """Print the table."""
    one_thread()
    print(table([speed(shape, size) for shape in SHAPES for size in SIZES]))


if __name__ == "__main__":
    main()
