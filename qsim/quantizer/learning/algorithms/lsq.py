"""LSQ: learned step size (Esser et al., ICLR 2020; arXiv:1902.08153).

The formulas are those of ``steps.Stepped``; the zero point stays what an observer found. The
gradient of the step is scaled by ``g = 1 / sqrt(N * p)``, N the elements that one step serves
(section 2.2).

The step is trained as its logarithm, so that no optimizer makes it negative: the gradient is then
the paper's times ``s * ln 2``. It begins with the observer's scale, and not with the paper's ``2 *
mean(|x|) / sqrt(p)``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from qsim.quantizer.learning.algorithms.base import Learned
from qsim.quantizer.learning.algorithms.steps import Stepped

if TYPE_CHECKING:
    from qsim.quantizer.qparams import Coding


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
        scale = self.slowed(self.scale(), x)
        scale, zero = self.spread(scale, x), self.spread(self._zero, x)
        found: torch.Tensor = Stepped.apply(x, scale, torch.zeros_like(scale), *self.ends(zero))  # type: ignore[no-untyped-call]
        return found

    def slowed(self, value: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return a value whose gradient is scaled by the paper's g."""
        shared = max(x.numel() // self.log2_scale.numel(), 1)
        g = 1.0 / math.sqrt(shared * max(self.coding.quant_max, 1))
        return value * g + (value - value * g).detach()
