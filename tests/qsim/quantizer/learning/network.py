"""A network small enough to train in a test, and samples for it."""

from __future__ import annotations

import torch
from torch import nn


class Small(nn.Module):
    """A residual convolution with a batch norm, a pool and a linear."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, 1, 6, 6]`` to three logits."""
        y = torch.relu(self.norm(self.first(x)))
        y = torch.relu(y + self.second(y))
        logits: torch.Tensor = self.head(nn.functional.avg_pool2d(y, 3).flatten(1))
        return logits


def small() -> Small:
    """Return it with seeded weights, in eval."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Small().eval()


def samples() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 48 samples and their classes."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(48, 1, 6, 6, generator=generator)
    return x, x.mean(dim=(1, 2, 3)).mul(12).clamp(-1, 1).round().long() + 1
