"""Indices that are the same for every sample leave the batch open: one gather."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import qsim
from qsim import Target

INDICES = torch.tensor([2, 0, 1, 1]).reshape(1, 4, 1)


class Along(nn.Module):
    """The same read spelled in three ways, and one whose operand is broadcast."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = self.conv(x)
        wide = INDICES.expand(y.shape[0], 4, 5)
        return (
            torch.take_along_dim(y, INDICES, dim=1),
            y.take_along_dim(INDICES.expand(1, 4, 5), -2),
            torch.gather(y, 1, wide),
            torch.take_along_dim(y.amax(2, keepdim=True), INDICES.expand(1, 4, 2), 1),
        )


def test_a_constant_index_is_a_gather() -> None:
    torch.manual_seed(8)
    x = torch.randn(4, 2, 5)
    quantized = qsim.quantize(Along().eval(), (x[:2],), Target.load("tflite"), [x])
    assert quantized.batch
    lowered = qsim.lower(quantized)
    assert not lowered.host_operators
    primitives = [call.primitive for program in lowered.programs for call in program.calls]
    assert primitives.count("gather") >= 1
    for size in (4, 1):
        found = lowered(x[:size])
        for got, want in zip(found, quantized.graph(x[:size]), strict=True):
            assert got.shape == want.shape
            assert (got - want).abs().max() <= 0.05
        assert torch.equal(found[0], found[1])
        assert torch.equal(found[0], found[2])
