"""Products that are quantized at run time as delegates: the same float32, in a ``.pte`` too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import qsim
from qsim.executorch import load, to_edge
from qsim.target import Target


class Two(nn.Module):
    """Two products of one tensor; a relu, which every host computes alike; a third product."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 4), nn.Linear(6, 4, bias=False)
        self.c = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(torch.relu(self.a(x))) + self.c(self.b(x))


@pytest.mark.parametrize("granularity", ["tensor", pytest.param("token", marks=pytest.mark.soak)])
def test_delegates_make_the_same_values(granularity: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    document = Target.load("fbgemm-dynamic").to_dict()
    document["dynamic"]["granularity"] = granularity
    x = torch.randn(2, 3, 6)
    quantized = qsim.quantize(Two().eval(), x, Target.from_dict(document))
    program = to_edge(quantized)
    delegated = [name for region in program.report.regions for name in region.operators]
    assert delegated == ["aten.linear.default"] * 4
    assert {item.operator for item in program.report.host} == {
        "aten.relu.default",
        "aten.add.Tensor",
    }
    expected = qsim.lower(quantized)(x)
    assert torch.equal(program(x), expected)
    program.save(tmp_path / "net.pte")
    assert torch.equal(load(tmp_path / "net.pte")(x), expected)
