"""TQT: trained thresholds, scales that are powers of two (Jain et al. 2020; arXiv:1903.08066).

The formulas are those of ``steps.Thresholded``. There is no zero point: of a tensor that is never
negative the codes are counted from the least one, which is the paper's unsigned format; of all
others the zero point is 0. ``2**k`` is the number of codes on the larger side, 128 or 256 of 8
bits. The threshold begins with the observer's range, where the paper takes three standard
deviations of a weight and the KL divergence of an activation (section 4.2 there); choose observers
for that.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from qsim.quantizer.learning.algorithms.base import Learned
from qsim.quantizer.learning.algorithms.steps import Thresholded


class Tqt(Learned):
    """A threshold that is trained."""

    log2_threshold: nn.Parameter

    def start(self, scale: torch.Tensor, zero: torch.Tensor, values: torch.Tensor | None) -> None:
        """Begin with the range that an observer found."""
        low, high = self.coding.quant_min, self.coding.quant_max
        positive = bool((zero == low).all())
        super().start(scale, torch.full_like(zero, low if positive else 0), values)
        most = high - low if positive else max(high, -low - 1)
        self._log2_codes = max(math.ceil(math.log2(most + 1)), 0)
        reach = torch.maximum((high - zero) * scale, (zero - low) * scale)
        codes = most + 1 if most else 1
        # The range of all codes: of a power of two, the scale that the observer has.
        self.log2_threshold = nn.Parameter((reach / max(most, 1) * codes).log2())

    def scale(self) -> torch.Tensor:
        """Return the scales, powers of two."""
        return torch.exp2(torch.ceil(self.log2_threshold.detach()) - self._log2_codes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of x."""
        threshold = self.spread(self.log2_threshold, x)
        scale, zero = self.spread(self.scale(), x), self.spread(self._zero, x)
        found: torch.Tensor = Thresholded.apply(x, threshold, scale, *self.ends(zero))  # type: ignore[no-untyped-call]
        return found
