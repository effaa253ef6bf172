"""Recurrent cells in delegates: whole regions, and every code that of the lowered network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import qsim
from qsim import Target
from tests.qsim.executorch.edges import write_pte

pytest.importorskip("executorch")


class Cells(nn.Module):
    """Two regions that start with the same zeros; a cell state and a hidden state are returned."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LSTMCell(3, 4), nn.GRUCell(4, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        zeros = torch.zeros(x.shape[0], 4)
        h, c = self.first(x, (zeros, zeros))
        h, c = self.first(x, (h, c))
        return self.second(torch.cumsum(h, 1), zeros), c


def test_cells_are_delegated_with_the_zeros_that_they_start_with(tmp_path: Path) -> None:
    from qsim.executorch import compare, to_edge

    torch.manual_seed(5)
    x = torch.randn(4, 3)
    quantized = qsim.quantize(Cells(), (x[:2],), Target.load("tflite"), [x])
    lowered = qsim.lower(quantized)
    edge = to_edge(quantized, max_batch=4)
    # Only the sum is outside: neither the zeros nor the sizes that they are made with.
    assert [item.operator for item in edge.report.host] == ["aten.cumsum.default"]
    assert len(edge.report.regions) == 2
    pte = write_pte(edge.manager, tmp_path)
    for size in (4, 1):
        wanted = lowered(x[:size])
        for found in (edge(x[:size]), pte(x[:size])):
            assert all(map(torch.equal, map(torch.as_tensor, found), wanted))
    # The gates are inside the cells: their codes have no partner in torch's graph.
    rows = compare(pte, quantized, x).rows
    assert {row.operator for row in rows}.isdisjoint({"lookup", "linear", "reshape"})


class Counted(nn.Module):
    """Positions of samples, which ExecuTorch counts with a constant of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return y[torch.arange(x.shape[0]), 1]


def test_positions_of_samples_stay_outside_delegates(tmp_path: Path) -> None:
    from qsim.executorch import to_edge

    torch.manual_seed(6)
    x = torch.randn(4, 3)
    quantized = qsim.quantize(Counted(), (x[:2],), Target.load("tflite"), [x])
    edge = to_edge(quantized, max_batch=4)
    assert "aten.index.Tensor" in [item.operator for item in edge.report.host]
    pte = write_pte(edge.manager, tmp_path)
    for size in (4, 1):
        want = qsim.lower(quantized)(x[:size])
        assert torch.equal(edge(x[:size]), want)
        assert torch.equal(torch.as_tensor(pte(x[:size])), want)
