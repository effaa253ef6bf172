"""A small network with what differs between processors: exponentials, folded constants, sums."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrizations


class Tiny(nn.Module):
    """Convolution with weight norm, mish, gelu, softmax, a mean, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = parametrizations.weight_norm(nn.Conv2d(3, 8, 3, padding=1))
        self.fc = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, 3, 12, 12]`` to ``[N, 5]``."""
        x = nn.functional.gelu(nn.functional.mish(self.conv(x)))
        return torch.softmax(self.fc(x.mean((2, 3))), 1)


def net() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """Return the network with weights and an input of NumPy's integers."""
    bits, model = np.random.PCG64(7), Tiny().eval()

    def numbers(*shape: int) -> torch.Tensor:
        raw = bits.random_raw(int(np.prod(shape))) >> np.uint64(48)
        return torch.from_numpy((raw.astype(np.float32) - 32768) / 32768).reshape(shape)

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(numbers(*parameter.shape))
    return model, (numbers(4, 3, 12, 12),)
