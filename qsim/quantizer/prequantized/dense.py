"""A product with given codes of weights, of an operand that is quantized at run time.

It is written with the operators that PT2E writes, so that the lowering reads it as any Q/DQ graph.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

# Registers the operators.
importlib.import_module("torch.ao.quantization.fx._decomposed")
_decomposed: Any = torch.ops.quantized_decomposed


@dataclass(frozen=True, slots=True)
class WeightCodes:
    """The codes of a matrix [outputs, inputs].

    Attributes:
        codes: int8.
        scale: float32, [] for the tensor, [outputs], or [outputs, groups].
        zero_point: int64, of the same shape.
        low, high: the codes that may occur.
    """

    codes: Tensor
    scale: Tensor
    zero_point: Tensor
    low: int = -128
    high: int = 127


@dataclass(frozen=True, slots=True)
class Operand:
    """The codes that an operand gets at run time.

    Attributes:
        low, high: the first and the last of them.
        symmetric: the zero point is the middle code.
        granularity: what shares a scale; ``per_token`` writes that into the exported graph.
        eps: the least scale, in the Q/DQ graph; in the lowered network it is the target's.
    """

    low: int
    high: int
    symmetric: bool = False
    granularity: Literal["tensor", "token"] = "tensor"
    eps: float = torch.finfo(torch.float32).eps


class Dense(nn.Module):
    """``y = x * w + bias``, with codes of x and w."""

    codes: Tensor
    scale: Tensor
    zero_point: Tensor
    bias: Tensor | None

    def __init__(
        self, weight: WeightCodes, bias: Tensor | None, operand: Operand, *, relu: bool = False
    ) -> None:
        super().__init__()
        self.range = weight.low, weight.high
        self.operand, self.relu = operand, relu
        self.register_buffer("codes", weight.codes.detach().clone())
        self.register_buffer("scale", weight.scale.detach().to(torch.float32).clone())
        self.register_buffer("zero_point", weight.zero_point.detach().to(torch.int64).clone())
        # An export takes the numbers of a tensor for data.
        single = self.scale.ndim == 0
        self.single = (float(self.scale), int(self.zero_point)) if single else None
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Multiply rows [..., inputs]."""
        y = nn.functional.linear(self._quantized(x), self._weight(), self.bias)
        return y.relu() if self.relu else y

    def _quantized(self, x: Tensor) -> Tensor:
        low, high = self.operand.low, self.operand.high
        dtype = torch.uint8 if low == 0 else torch.int8
        choose = _decomposed.choose_qparams
        if self.operand.symmetric:
            choose = _decomposed.choose_qparams_symmetric
        scale, zero_point = choose.tensor(x, low, high, self.operand.eps, dtype)
        held = scale, zero_point, low, high, dtype
        real: Tensor = _decomposed.dequantize_per_tensor.tensor(
            _decomposed.quantize_per_tensor.tensor(x, *held), *held
        )
        return real

    def _weight(self) -> Tensor:
        ends = *self.range, torch.int8
        made: Tensor
        if self.single is not None:
            made = _decomposed.dequantize_per_tensor.default(self.codes, *self.single, *ends)
        elif self.scale.ndim == 1:
            made = _decomposed.dequantize_per_channel.default(
                self.codes, self.scale, self.zero_point, 0, *ends
            )
        else:
            size = self.codes.shape[1] // self.scale.shape[1]
            made = _decomposed.dequantize_per_channel_group.default(
                self.codes, self.scale, self.zero_point, *ends, size, torch.float32
            )
        return made
