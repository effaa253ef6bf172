"""LSQ+: step and offset are learned (Bhalgat et al. 2020; arXiv:2004.09576).

The formulas are those of ``steps.Stepped``, the factor on gradients is LSQ's. A datapath has whole
zero points, so the offset that is used is ``-z * s`` with ``z = round(-b / s)``, and b has the
gradient of that. It is trained in parts of the range that the observer found, so that one rate
serves tensors of any size. Where the scheme has no zero point, and for weights, there is no offset
(section 3.1 there: weights are symmetric). A weight begins with ``max(|mean - 3 d|, |mean + 3 d|)
/ 2**(bits - 1)``, d its standard deviation (equation 9); an activation with what its observer
found: the paper searches the least squared error (equation 10), which the observer ``mse`` does.
"""

from __future__ import annotations

import torch
from torch import nn

from qsim.quantizer.learning.algorithms.lsq import Lsq
from qsim.quantizer.learning.algorithms.steps import Stepped
from qsim.quantizer.learning.rounding import through
from qsim.target import has_zero_point


class LsqPlus(Lsq):
    """A step size and an offset that are trained."""

    _unit: torch.Tensor
    offset: nn.Parameter | None

    def start(self, scale: torch.Tensor, zero: torch.Tensor, values: torch.Tensor | None) -> None:
        """Begin with what an observer found, a weight with the paper's equation."""
        super().start(scale, zero, values)
        self.offset = None
        if values is not None and not has_zero_point(self.coding.scheme):
            self.log2_scale = nn.Parameter(self._three_deviations(values, scale).log2())
        elif values is None and has_zero_point(self.coding.scheme):
            codes = self.coding.quant_max - self.coding.quant_min
            self.register_buffer("_unit", scale * codes)
            self.offset = nn.Parameter(-zero / codes)

    def zero(self) -> torch.Tensor:
        """Return the zero points."""
        return self._zero if self.offset is None else self._zero_at(self.offset, self.scale())

    def _zero_at(self, offset: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            found = (-offset * self._unit / scale).round()
            return torch.clamp(found, self.coding.quant_min, self.coding.quant_max)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of x."""
        if self.offset is None:
            return super().forward(x)
        scale = self.scale()
        zero = self._zero_at(self.offset, scale)
        offset = self.slowed(through(self.offset * self._unit, -zero * scale), x)
        scale = self.slowed(scale, x)
        ends = self.ends(self.spread(zero, x))
        found: torch.Tensor = Stepped.apply(  # type: ignore[no-untyped-call]
            x, self.spread(scale, x), self.spread(offset, x), *(end + zero for end in ends)
        )
        return found

    def _three_deviations(self, values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        rows = values.reshape(1, -1)
        if self.axis is not None:
            count = values.shape[self.axis] // self.rows
            rows = values.movedim(self.axis, 0).reshape(count, -1)
        mean, deviation = rows.mean(dim=1), 3.0 * rows.std(dim=1, correction=0)
        reach = torch.maximum((mean - deviation).abs(), (mean + deviation).abs())
        found = reach / max(self.coding.quant_max, -self.coding.quant_min)
        return torch.where(found > 0.0, found.to(scale.dtype), scale)
