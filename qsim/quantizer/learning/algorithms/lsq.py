"""LSQ: learned step size (Esser, McKinstry, Bablani, Appuswamy, Modha; arXiv:1902.08153).

    v = x / s,    y = s * round(clamp(v, n, p))

    dy/ds = round(v) - v   where n < v < p
            n              where v <= n
            p              where v >= p
    dy/dx = 1              where n < v < p, else 0                       (equations 3 and 5)

times ``g = 1 / sqrt(N * p)`` of the gradient of s, N the elements that one step serves (section
2.2). The zero point stays what an observer found; the formulas are then those of ``x / s + z`` in
the range of the codes, and ``n`` and ``p`` are ``quant_min - z`` and ``quant_max - z``.

The step is trained as its logarithm, so that no optimizer makes it negative: its gradient is the
paper's times ``s * ln 2``. It begins with the observer's scale, which training at few bits leaves
quickly, and not with the paper's ``2 * mean(|x|) / sqrt(p)``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from qsim.quantizer.learning.algorithms.base import Learned

if TYPE_CHECKING:
    from qsim.quantizer.qparams import Coding


class Step(torch.autograd.Function):
    """The values of codes, with the gradients of the paper; see the module."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, scale: torch.Tensor, low: torch.Tensor, high: torch.Tensor
    ) -> torch.Tensor:
        """Return ``s * round(clamp(x / s, n, p))``."""
        v = x / scale
        ctx.save_for_backward(v, scale, low, high)
        return torch.clamp(v, low, high).round() * scale

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        """Return the gradients of x and of the step."""
        v, scale, low, high = ctx.saved_tensors
        inside = (v > low) & (v < high)
        ends = torch.where(v <= low, low.expand_as(v), high.expand_as(v))
        of_scale = grad * torch.where(inside, v.round() - v, ends)
        return grad * inside, of_scale.sum_to_size(scale.shape), None, None


class Lsq(Learned):
    """A step size that is trained, and the zero point that an observer found."""

    _zero: torch.Tensor

    def __init__(self, coding: Coding, axis: int | None, rows: int = 1) -> None:
        super().__init__(coding, axis, rows)
        self.log2_scale = nn.Parameter(torch.zeros(1))

    def start(self, scale: torch.Tensor, zero: torch.Tensor, values: torch.Tensor | None) -> None:  # noqa: ARG002
        """Begin with what an observer found."""
        self.log2_scale = nn.Parameter(scale.log2())
        self.register_buffer("_zero", zero)

    def scale(self) -> torch.Tensor:
        """Return the scales as the target has them."""
        return self.snapped(torch.exp2(self.log2_scale))

    def zero(self) -> torch.Tensor:
        """Return the zero points."""
        return self._zero

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of x."""
        scale, zero = self.spread(self.scale(), x), self.spread(self._zero, x)
        low, high = self.coding.quant_min - zero, self.coding.quant_max - zero
        shared = x.numel() // self.log2_scale.numel()
        g = 1.0 / math.sqrt(max(shared, 1) * max(self.coding.quant_max, 1))
        slowed = scale * g + (scale * (1.0 - g)).detach()
        found: torch.Tensor = Step.apply(x, slowed, low, high)  # type: ignore[no-untyped-call]
        return found
