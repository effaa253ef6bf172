"""IAO: ranges that follow what is seen (Jacob et al., CVPR 2018, arXiv:1712.05877).

A weight's range is its least and greatest value at every step. An activation's ends are averages
over the steps, the newest with weight 0.01, begun with what the observer found (section 3.1; the
paper begins later, with none). Scale and zero point are those of ``qparams.choose``, which nudges
the zero point to a code (equation 13). Nothing of them has a gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from qsim.quantizer.learning.algorithms.fixed import Fixed
from qsim.quantizer.qparams import choose

if TYPE_CHECKING:
    from qsim.quantizer.qparams import Floats

_AVERAGING: Final = 0.01


class Iao(Fixed):
    """Scale and zero point of a range that follows what is seen."""

    _range: torch.Tensor

    def start(self, scale: torch.Tensor, zero: torch.Tensor, values: torch.Tensor | None) -> None:
        """Begin with what an observer found."""
        super().start(scale, zero, values)
        self._is_weight = values is not None
        s, z = (part.to(torch.float64).numpy() for part in (scale, zero))
        ends = ((self.coding.quant_min - z) * s, (self.coding.quant_max - z) * s)
        self.register_buffer("_range", torch.from_numpy(np.stack(ends)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of x."""
        if self._is_weight:
            self.follow(x)
        elif x.numel():
            seen = torch.stack(torch.aminmax(x.detach())).to(torch.float64)[:, None]
            self._range = self._range + _AVERAGING * (seen - self._range)
            self._choose(*self._range.numpy())
        return super().forward(x)

    def follow(self, values: torch.Tensor) -> None:
        """Let the range be that of a weight."""
        rows = self._rows(values.detach().to(torch.float64).numpy())
        self._choose(rows.min(axis=1), rows.max(axis=1))

    def _rows(self, values: Floats) -> Floats:
        if self.axis is None:
            return values.reshape(1, -1)
        return np.moveaxis(values, self.axis, 0).reshape(values.shape[self.axis] // self.rows, -1)

    def _choose(self, low: Floats, high: Floats) -> None:
        scale, zero = choose(low, high, self.coding)
        self._scale = torch.from_numpy(scale).to(self._scale.dtype)
        self._zero = torch.from_numpy(zero).to(self._zero.dtype)
