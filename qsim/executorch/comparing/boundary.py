"""Integers at one side's boundary, floats at the other's: the same values, as the ``.pte`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.fx import GraphModule

from qsim.executorch.io_params import qparams
from qsim.network import Lowered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.executorch.io_params import Codes
    from qsim.executorch.loading import Pte
    from qsim.quantizer import Quantized


def real_inputs(
    pte: Pte, method: str, inputs: Sequence[Any], other: Lowered | Quantized | GraphModule
) -> list[Any]:
    """Return the inputs of a ``.pte`` as another side takes them.

    Codes become ``scale * (code - zero_point)`` where the other takes floats: its quantize step
    makes the same codes of them again.
    """
    stated = qparams(pte, method)["inputs"]
    wanted = _floats(other)
    if len(inputs) != len(stated) or len(inputs) != len(wanted):
        return list(inputs)
    return [
        _real(torch.as_tensor(value), codes) if codes is not None and real else value
        for value, codes, real in zip(inputs, stated, wanted, strict=True)
    ]


def coded_outputs(pte: Pte, method: str, outputs: Sequence[Any]) -> list[Any]:
    """Return the outputs of another side as a ``.pte`` returns them.

    Floats become the codes that stand for them where the file states what its codes stand for; a
    float that none stands for is left as it is, and so differs.
    """
    stated = qparams(pte, method)["outputs"]
    if len(outputs) != len(stated):
        return list(outputs)
    return [
        _coded(torch.as_tensor(value), codes) if codes is not None else value
        for value, codes in zip(outputs, stated, strict=True)
    ]


def _floats(other: Lowered | Quantized | GraphModule) -> list[bool]:
    """Return which inputs are floats."""
    if isinstance(other, Lowered):
        return ["float" in spec.dtype for spec in other.inputs]
    graph = other if isinstance(other, GraphModule) else other.graph
    values = [node.meta.get("val") for node in graph.graph.nodes if node.op == "placeholder"]
    return [isinstance(value, torch.Tensor) and value.is_floating_point() for value in values]


def _real(value: torch.Tensor, codes: Codes) -> torch.Tensor:
    if value.dtype != codes.dtype:
        return value
    return (value.to(torch.int64) - codes.zero_point).to(torch.float32) * codes.scale


def _coded(value: torch.Tensor, codes: Codes) -> torch.Tensor:
    if not value.is_floating_point():
        return value
    found = torch.round(value.double() / codes.scale) + codes.zero_point
    found = found.clamp(codes.quant_min, codes.quant_max).to(codes.dtype)
    return found if torch.equal(_real(found, codes), value) else value
