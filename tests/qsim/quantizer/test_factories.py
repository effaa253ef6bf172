"""Constants whose size comes from the batch's are host steps of any batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import torch
from torch import nn

import qsim

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

MADE: Final[dict[str, Callable[[int], Tensor]]] = {
    "arange": torch.arange,
    "from one": lambda n: torch.arange(1, n + 1),
    "in steps": lambda n: torch.arange(0, n * 3, 3),
    "that do not divide": lambda n: torch.arange(-2, n * 5 + 1, 2, dtype=torch.float32),
    "zeros of a multiple": lambda n: torch.zeros(n * 2),
    "ones": lambda n: torch.ones(n, 2, dtype=torch.int32),
    "full of a sum": lambda n: torch.full((n + 3,), 0.25),
}


class Net(nn.Module):
    def __init__(self, make: Callable[[int], Tensor]) -> None:
        super().__init__()
        self.make = make
        self.conv = nn.Conv2d(1, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        made = self.make(x.shape[0]).double()
        # Each element counts, by its place, and every output has the batch's size.
        sums = torch.cumsum(made, 0).sum() * torch.ones_like(x[:, 0, 0, 0]).double()
        return self.conv(x), sums


@pytest.mark.parametrize("name", MADE)
def test_a_constant_has_the_size_of_the_batch(name: str) -> None:
    x = torch.linspace(-1, 1, 8).reshape(2, 1, 2, 2)
    target = qsim.Target.load("tflite")
    net = Net(MADE[name]).eval()
    lowered = qsim.lower(qsim.quantize(net, (x,), target), target)
    for batch in (1, 2, 5):
        given = x[:1].repeat(batch, 1, 1, 1)
        _, found = lowered(given.numpy())
        assert found.tolist() == net(given)[1].tolist()
