"""Networks that ExecuTorch's Arm backend quantizes, or lowers to TOSA."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from qsim import Target
from qsim.executorch import QsimPartitioner
from qsim.graph.capturing import quiet
from tests.qsim.executorch.edges import to_edge

SPECIFICATION = "TOSA-1.0+INT"


def randoms(shape: tuple[int, ...], seed: int, spread: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * spread


def quantize(module: nn.Module, calibration: list[tuple[Tensor, ...]]) -> Any:
    """Return the exported Q/DQ graph of Arm's quantizer: int8, symmetric weights per channel."""
    with quiet():
        from executorch.backends.arm.quantizer import (
            TOSAQuantizer,
            get_symmetric_quantization_config,
        )
        from executorch.backends.arm.tosa.compile_spec import TosaCompileSpec
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        quantizer = TOSAQuantizer(TosaCompileSpec(SPECIFICATION))
        quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True))
        graph = torch.export.export(module.eval(), calibration[0]).module(check_guards=False)
        prepared = prepare_pt2e(graph, quantizer)
        for inputs in calibration:
            prepared(*inputs)
        return torch.export.export(convert_pt2e(prepared), calibration[0])


def arm_edge(program: Any) -> Any:
    """Return the edge program whose delegates are TOSA graphs."""
    with quiet():
        from executorch.backends.arm.tosa.compile_spec import TosaCompileSpec
        from executorch.backends.arm.tosa.partitioner import TOSAPartitioner
    return to_edge(program, TOSAPartitioner(TosaCompileSpec(SPECIFICATION)))


def our_edge(program: Any) -> tuple[Any, QsimPartitioner]:
    """Return the edge program whose delegates are of target ``tosa``, and its partitioner.

    Quantize and dequantize stay outside, as Arm leaves them: both sides take and return codes.
    """
    partitioner = QsimPartitioner(Target.load("tosa"), quantized_io=True)
    return to_edge(program, partitioner), partitioner


def mark(graph: Any) -> None:
    """Give operators the mark without which Arm's partitioner takes them for float ones."""
    from executorch.backends.arm.common.annotation_meta import ArmAnnotationInfo

    for node in graph.graph.nodes:
        if node.op == "call_function" and "quantize" not in str(node.target):
            info = dict(ArmAnnotationInfo(quantized=True))
            node.meta.setdefault("custom", {})[ArmAnnotationInfo.CUSTOM_META_KEY] = info


def parameters(program: Any) -> list[tuple[float, int]]:
    """Return scale and zero point of every quantize of an activation, in the graph's order."""
    return [
        (float(node.args[1]), int(node.args[2]))
        for node in program.graph.nodes
        if "quantize_per_tensor" in str(node.target) and "dequantize" not in str(node.target)
    ]


def rescale(value: int, scale: float) -> int:
    """Return TOSA's RESCALE with SINGLE_ROUND of one value, as Arm derives its parameters."""
    mantissa, exponent = math.frexp(scale)
    multiplier, shift = round(mantissa * (1 << 31)), 31 - exponent
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift - 1
    return (value * multiplier + (1 << (shift - 1))) >> shift


def code(value: int, zero_point: int) -> int:
    return min(max(value + zero_point, -128), 127)
