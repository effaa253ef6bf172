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
    _zero: torch.Tensor

    def start(self, scale: torch.Tensor, zero: torch.Tensor, values: torch.Tensor | None) -> None:  # noqa: ARG002
        """Keep what an observer has."""
        self.register_buffer("_scale", scale)
        self.register_buffer("_zero", zero)

    def scale(self) -> torch.Tensor:
        """Return the scales."""
        return self._scale

    def zero(self) -> torch.Tensor:
        """Return the zero points."""
        return self._zero

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of x."""
        low, high = self.ends(self.spread(self._zero, x))
        found: torch.Tensor = Clipped.apply(x, self.spread(self._scale, x), low, high)  # type: ignore[no-untyped-call]
        return found
