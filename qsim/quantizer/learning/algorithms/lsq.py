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

import torch
from torch import nn

from qsim.quantizer.learning.algorithms.base import Learned
from qsim.quantizer.learning.algorithms.steps import Stepped


class Lsq(Learned):
    """A step size that is trained, and the zero point that an observer found."""

    log2_scale: nn.Parameter

    def start(self, scale: torch.Tensor, zero: torch.Tensor, values: torch.Tensor | None) -> None:
        """Begin with what an observer found."""
        super().start(scale, zero, values)
        self.log2_scale = nn.Parameter(scale.log2())

    def scale(self) -> torch.Tensor:
        """Return the scales as the target has them."""
        return self.snapped(torch.exp2(self.log2_scale))

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
