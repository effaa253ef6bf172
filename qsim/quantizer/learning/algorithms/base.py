"""What an algorithm of quantization-aware training is to a network.

One object stands for one tensor: a weight, or an activation. It holds what is trained of its scale
and zero point, and computes ``(clamp(round(x / s) + z) - z) * s`` forward, with the gradients of
its paper backward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from qsim.quantizer.learning.rounding import snapped

if TYPE_CHECKING:
    from qsim.quantizer.qparams import Codes, Coding, Floats


class Learned(nn.Module):
    """Scale and zero point of one tensor, while they are trained.

    Attributes:
        coding: the codes and the scheme.
        axis: the dimension of the channels that have a scale each; None of one scale.
        rows: how many neighbouring channels share one.
    """

    _zero: torch.Tensor

    def __init__(self, coding: Coding, axis: int | None, rows: int = 1) -> None:
        super().__init__()
        self.coding, self.axis, self.rows = coding, axis, rows

    def start(self, scale: torch.Tensor, zero: torch.Tensor, values: torch.Tensor | None) -> None:  # noqa: ARG002 - for those that train more
        """Begin with what an observer found; here the zero point, which most keep.

        Args:
            scale: float32, one or one for each row.
            zero: likewise, integers as float32.
            values: the weight; None of an activation.
        """
        self.register_buffer("_zero", zero)

    def scale(self) -> torch.Tensor:
        """Return the scales as the target has them, float32, with their gradients."""
        raise NotImplementedError

    def zero(self) -> torch.Tensor:
        """Return the zero points, whole numbers as float32."""
        return self._zero

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of x."""
        raise NotImplementedError

    def follow(self, values: torch.Tensor) -> None:
        """Let the parameters be those of a weight that was trained; where they follow it."""

    def finished(self, values: torch.Tensor) -> torch.Tensor:
        """Return what a weight becomes when learning is done."""
        return values

    def qparams(self) -> tuple[Floats, Codes]:
        """Return scales and zero points as they are now, float64 and integers."""
        with torch.no_grad():
            scale = self.scale().reshape(-1).to(torch.float64).numpy()
            zero = self.zero().reshape(-1).to(torch.float64).numpy()
        return scale, np.broadcast_to(np.rint(zero).astype(np.int64), scale.shape).copy()

    def spread(self, each: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return one value for each row in a shape that broadcasts over x."""
        if self.axis is None:
            return each.reshape(())
        shape = [1] * x.dim()
        shape[self.axis] = -1
        return each.repeat_interleave(self.rows).reshape(shape)

    def ends(self, zero: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the least and greatest code, counted from the zero point: n and p of papers."""
        return self.coding.quant_min - zero, self.coding.quant_max - zero

    def snapped(self, scale: torch.Tensor) -> torch.Tensor:
        """Return scales as the target has them, with gradient 1."""
        return snapped(scale, self.coding)
