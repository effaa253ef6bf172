"""Names that go on where the search ended are torchao's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from qsim import QuantizeConfig, Target
from qsim.graph import capture
from qsim.quantizer import pt2e
from qsim.quantizer.annotate import TargetQuantizer
from qsim.quantizer.functionalizing import simple_graph

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.fx import GraphModule


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3)
        self.second = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x))
        y: torch.Tensor = x + self.second(x)
        return y


def test_the_names_are_torchaos_own() -> None:
    x = torch.randn(2, 2, 6, 6)
    program, target = capture(_Net(), (x,)).program, Target.load("tflite")

    def converted(prepare: Callable[..., GraphModule], convert: Callable[..., GraphModule]) -> str:
        quantizer = TargetQuantizer(target, QuantizeConfig())
        prepared = prepare(simple_graph(program, target)[0], quantizer)
        observed = prepared.code
        prepared(x)
        quantizer.settle()
        return observed + convert(prepared).code

    assert converted(pt2e.prepare, pt2e.convert) == converted(prepare_pt2e, convert_pt2e)


def test_the_parameters_are_copies() -> None:
    net = _Net()
    program = capture(net, (torch.randn(2, 2, 6, 6),)).program
    graph, _ = simple_graph(program, Target.load("tflite"))
    own = {value.data_ptr() for value in graph.state_dict().values()}
    assert own
    assert own.isdisjoint(value.data_ptr() for value in net.state_dict().values())
