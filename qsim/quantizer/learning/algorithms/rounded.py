"""AdaRound: each weight is rounded up or down, and which is learned (Nagel et al. 2020).

arXiv:2004.10568, equations 22 to 24, with the scales that an observer found:

    code  = clamp(floor(w / s) + z + h(a), quant_min, quant_max)
    h(a)  = clamp(sigmoid(a) * (1.1 + 0.1) - 0.1, 0, 1)
    drive = sum(1 - |2 h(a) - 1|**beta)

It begins where h is the fraction of w / s, so that nothing is rounded yet. When learning is done, h
is 0 or 1: the nearer one, upward of a tie.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import nn

from qsim.quantizer.learning.algorithms.fixed import Fixed

_BELOW, _ABOVE = -0.1, 1.1  # gamma and zeta of the paper
_SPAN: Final = _ABOVE - _BELOW


class Rounded(Fixed):
    """The scales of an observer, and a rounding that is learned.

    Attributes:
        hard: every weight is rounded up or down; else it is between.
    """

    _floor: torch.Tensor
    rounding: nn.Parameter
    hard = False

    def start(self, scale: torch.Tensor, zero: torch.Tensor, values: torch.Tensor | None) -> None:
        """Begin with what an observer found."""
        assert values is not None  # noqa: S101 - for mypy: of weights alone
        super().start(scale, zero, values)
        steps = values / self.spread(scale, values)
        self.register_buffer("_floor", steps.floor())
        fraction = (steps - self._floor).clamp(1e-4, 1.0 - 1e-4)
        self.rounding = nn.Parameter(-torch.log(_SPAN / (fraction - _BELOW) - 1.0))

    def up(self) -> torch.Tensor:
        """Return how much of a step each weight is rounded up."""
        if self.hard:
            return (self.rounding >= 0.0).to(self.rounding.dtype)
        return (torch.sigmoid(self.rounding) * _SPAN + _BELOW).clamp(0.0, 1.0)

    def undecided(self, beta: float) -> torch.Tensor:
        """Return the sum that drives every rounding to 0 or 1."""
        return (1.0 - (2.0 * self.up() - 1.0).abs().pow(beta)).sum()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of a weight as it is rounded now."""
        low, high = self.ends(self.spread(self._zero, x))
        return (self._floor + self.up()).clamp(low, high) * self.spread(self._scale, x)

    def finished(self, values: torch.Tensor) -> torch.Tensor:
        """Return the weight whose nearest codes are those that were learned."""
        self.hard = True
        found: torch.Tensor = self(values)
        return found
