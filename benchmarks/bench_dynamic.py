"""Dense layers whose operand is quantized at run time, side by side with torch's: the same bits.

    python -m benchmarks.bench_dynamic

Ours is a Program of min_max, choose_scale, choose_zero_point, quantize, linear and dequantize_sums;
the peer is quantized::linear_dynamic of the engine fbgemm. Both take float32 and return float32;
every output is compared, bit for bit, before any time is taken. One thread each.

FBGEMM adds pairs of products with saturation where the processor has no VNNI instructions. There a
difference ends the run: the peer is exact with reduced ranges only.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch.ao.nn.quantized import dynamic as peers

from benchmarks.harness import Timing, measure, one_thread, table
from hw_models import FLOAT32, FixedFormat
from qsim.program import Call, Program, TensorSpec
from qsim.program.attributes import format_to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

# Rows, inputs and outputs: BERT-base's layers of 128 tokens, one token, a small layer.
SHAPES: Final = ((128, 768, 768), (128, 768, 3072), (128, 3072, 768), (1, 768, 768), (9, 64, 24))
TARGET: Final = 1.0


def program(
    weight: npt.NDArray[Any], scales: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]
) -> Program:
    """Return a dense layer as FBGEMM computes it.

    Args:
        weight: int8 [outputs, inputs].
        scales: of the weights, [outputs] or [1].
        bias: [outputs].
    """
    outputs, inputs = weight.shape
    eps = float(np.finfo(np.float32).eps)
    rule: dict[str, Any] = {
        "formula": "fbgemm",
        "low": 0,
        "high": 255,
        "symmetric": False,
        "eps": eps,
    }
    codes, sums = FixedFormat(8, signed=False), FixedFormat(32)
    specs: dict[str, Any] = {
        "x": ((-1, inputs), FLOAT32), "range": ((1, 1, 2), FLOAT32), "scale": ((1, 1), FLOAT32),
        "zero": ((1, 1), codes), "q": ((-1, inputs), codes), "acc": ((-1, outputs), sums),
        "y": ((-1, outputs), FLOAT32),
    }  # fmt: skip
    output: dict[str, Any] = {"formula": "fbgemm", "output": format_to_json(codes)}
    products: dict[str, Any] = {
        "x_zero_point": 0, "weight_zero_point": 0,
        "accumulator": {"bits": 32, "overflow": "wrap"},
    }  # fmt: skip
    ends: dict[str, Any] = {
        "weight_scale": {"constant": "scales"}, "weight_sum": {"constant": "sums"},
        "bias": {"constant": "bias"}, "fused": True,
    }  # fmt: skip
    calls = (
        Call("range", "", "min_max", ("x",), "range", {"axes": [0, 1]}),
        Call("scale", "", "choose_scale", ("range",), "scale", rule),
        Call("zero", "", "choose_zero_point", ("range",), "zero", rule),
        Call("codes", "", "quantize", ("x", "scale", "zero"), "q", output),
        Call("products", "", "linear", ("q", "weight"), "acc", products),
        Call("values", "", "dequantize_sums", ("acc", "scale", "zero"), "y", ends),
    )
    constants = {
        "weight": weight, "scales": scales, "bias": bias, "sums": weight.astype(np.int64).sum(1),
    }  # fmt: skip
    tensors = {name: TensorSpec(name, shape, form) for name, (shape, form) in specs.items()}
    return Program("dense", ("x",), ("y",), tensors, constants, calls)


def speed(shape: tuple[int, int, int], *, channels: bool) -> Timing:
    """Return the timing of a layer with weight scales per channel, or one for all."""
    rows, inputs, outputs = shape
    torch.manual_seed(0)
    float_layer = torch.nn.Linear(inputs, outputs)
    configs = torch.ao.quantization
    config = configs.per_channel_dynamic_qconfig if channels else configs.default_dynamic_qconfig
    float_layer.qconfig = config  # type: ignore[assignment]
    layer = peers.Linear.from_float(float_layer)  # type: ignore[no-untyped-call]
    packed, given = layer._packed_params._packed_params, layer.weight()  # noqa: SLF001
    scale = given.q_per_channel_scales().numpy() if channels else [given.q_scale()]
    bias = float_layer.bias.detach().numpy()
    ours = program(given.int_repr().numpy(), np.asarray(scale, np.float32), bias)
    x = torch.randn(rows, inputs) * 3
    run = partial(ours.run, x.numpy(), threads=1)

    def peer() -> torch.Tensor:
        made: torch.Tensor = torch.ops.quantized.linear_dynamic(x, packed, reduce_range=False)
        return made

    case = f"{rows}x{inputs}x{outputs} {'per channel' if channels else 'per tensor'}"
    np.testing.assert_array_equal(run()[0].view(np.int32), peer().numpy().view(np.int32), case)
    contenders: dict[str, Callable[[], object]] = {"qsim": run, "torch fbgemm": peer}
    return measure(case, contenders, work=rows * inputs * outputs, target=TARGET)


def main() -> None:
    """Print the table."""
    one_thread()
    warnings.simplefilter("ignore")
    torch.backends.quantized.engine = "fbgemm"
    print(table([speed(shape, channels=each) for shape in SHAPES for each in (False, True)]))


if __name__ == "__main__":
    main()
