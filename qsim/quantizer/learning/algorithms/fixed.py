"""Parameters that nothing trains: of a function's range, or given by the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.quantizer.learning.algorithms.base import Learned
from qsim.quantizer.learning.algorithms.steps import Clipped

if TYPE_CHECKING:
    import torch


class Fixed(Learned):
    """Quantizes with what an observer has; values in range have gradient 1, others 0."""

    _scale: torch.Tensor

    def start(self, scale: torch.Tensor, zero: torch.Tensor, values: torch.Tensor | None) -> None:
        """Keep what an observer has."""
        super().start(scale, zero, values)
        self.register_buffer("_scale", scale)

    def scale(self) -> torch.Tensor:
        """Return the scales."""
        return self._scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of x."""
        low, high = self.ends(self.spread(self._zero, x))
        found: torch.Tensor = Clipped.apply(x, self.spread(self._scale, x), low, high)  # type: ignore[no-untyped-call]
        return found
