"""What is known of a batch norm after it was folded; training goes on with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

FOLDED: Final = "folded_batch_norm"  # in the meta of the node that it was folded into


@dataclass(frozen=True)
class Norm:
    """A batch norm and what it was folded into, float64.

    Attributes:
        weight: of the convolution or linear, before.
        bias: likewise; zeros where it has none.
        gamma: the factor of each channel.
        beta: what is added to each.
        mean: running mean.
        variance: running variance.
        eps: what is added to a variance.
        momentum: weight of the newest batch in the running statistics.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    gamma: torch.Tensor
    beta: torch.Tensor
    mean: torch.Tensor
    variance: torch.Tensor
    eps: float
    momentum: float
