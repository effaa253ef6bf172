"""PACT: the level at which activations are clipped is learned (Choi et al. 2018; arXiv:1805.06085).

The formulas are those of ``steps.Activated``. The paper has activations behind a relu, whose least
code stands for 0; of others the codes around their zero point are clipped on both sides in
proportion. Weights have no clipping level there: their range follows them, as IAO's. The level is
trained as its logarithm, and begins with the observer's range; the paper's penalty on its square is
left to ``weight_decay`` of the optimizer, which does not reach it.
"""

from __future__ import annotations

import torch
from torch import nn

from qsim.quantizer.learning.algorithms.base import Learned
from qsim.quantizer.learning.algorithms.steps import Activated


class Pact(Learned):
    """A clipping level that is trained."""

    log2_clip: nn.Parameter

    def start(self, scale: torch.Tensor, zero: torch.Tensor, values: torch.Tensor | None) -> None:
        """Begin with the range that an observer found."""
        super().start(scale, zero, values)
        self.log2_clip = nn.Parameter((self._codes(zero) * scale).log2())

    def _codes(self, zero: torch.Tensor) -> torch.Tensor:
        """Return the codes above the zero point, or below it where there are none above."""
        low, high = self.ends(zero)
        return torch.where(high > 0, high, -low)

    def scale(self) -> torch.Tensor:
        """Return the scales as the target has them."""
        return self.snapped(torch.exp2(self.log2_clip) / self._codes(self._zero))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of x."""
        clip = self.spread(torch.exp2(self.log2_clip), x)
        scale = self.spread(self.scale().detach(), x)
        ends = self.ends(self.spread(self._zero, x))
        found: torch.Tensor = Activated.apply(x, clip, scale, *ends)  # type: ignore[no-untyped-call]
        return found
