"""Constants that are repeated for every sample: tokens beside activations, terms of sums, masks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

import qsim
from qsim import Target


class Tokens(nn.Module):
    """One token before and two behind the rows, joined along either dimension, and a sum."""

    def __init__(self) -> None:
        super().__init__()
        drawn = torch.Generator().manual_seed(4)
        self.first = nn.Parameter(torch.randn(1, 1, 4, generator=drawn))
        self.last = nn.Parameter(torch.randn(1, 2, 1, generator=drawn))
        self.column = nn.Parameter(torch.randn(1, 5, 1, generator=drawn))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        size = x.shape[0]
        first, last = self.first.expand(size, -1, -1), self.last.expand(size, 2, 4)
        joined = torch.cat([first, x, torch.relu(x), last], dim=1)
        column = self.column.expand(size, -1, -1)
        return joined, torch.cat([column, x], -1), torch.cat([x, first], 1), x * column


@pytest.mark.parametrize("target", ["tflite", "q7"])
def test_constants_join_activations_in_one_program(target: str) -> None:
    model, x = Tokens().eval(), torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(5))
    quantized = qsim.quantize(model, (x,), Target.load(target))
    network = qsim.lower(quantized)
    assert not network.host_operators
    (program,) = network.programs
    results = network(x)
    singles = [network(x[i : i + 1]) for i in range(3)]
    with torch.no_grad():
        exact = model(x)
    for number, (found, right) in enumerate(zip(results, exact, strict=True)):
        assert found.equal(torch.cat([single[number] for single in singles]))
        step = float(program.tensors[program.outputs[number]].scale or 0)
        assert float((found - right).abs().max()) <= 2.1 * step
    names = [str(node.target) for node in quantized.float_graph.graph.nodes]
    assert "aten.expand.default" not in names
    for found, right in zip(quantized.float_graph(x), exact, strict=True):
        assert torch.equal(found, right)


def test_a_mask_that_hides_nothing_is_no_mask() -> None:
    class Seen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", torch.ones(1, 1, 5, 5, dtype=torch.bool))

        def forward(self, x: Tensor) -> Tensor:
            y = x.unsqueeze(1)
            mask = self.mask.expand(x.shape[0], -1, -1, -1)  # type: ignore[operator]
            return F.scaled_dot_product_attention(y, y, y, attn_mask=mask)

    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(5))
    network = qsim.lower(qsim.quantize(Seen(), (x,), Target.load("tflite")))
    assert not network.host_operators
    (program,) = network.programs
    assert not [call for call in program.calls if call.primitive == "add"]
