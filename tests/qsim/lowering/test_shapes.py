"""Shapes of a converted graph: the fast way finds what fake tensors find, and they step in."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import qsim
from qsim.lowering import shapes
from tests import networks


class Mixed(nn.Module):
    """Views, a factory with a device of its own, a constant, an operator in integers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.register_buffer("scale", torch.ones(3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x) * self.scale
        rows = torch.arange(4, device=x.device)
        return (y + rows).flatten(1).reshape(-1, 6).relu().argmax(1)


def graph(net: nn.Module, x: torch.Tensor) -> torch.fx.GraphModule:
    return qsim.quantize(net.eval(), (x,), qsim.Target.load("tflite")).graph


def test_both_ways_find_the_same() -> None:
    digits = networks.model("digits")
    cases = (
        (digits.module, digits.example_inputs[0][:1]),
        (Mixed(), torch.randn(3, 2, 4, 4)),
    )
    for net, x in cases:
        made = graph(net, x)
        found = shapes._on_meta(made, (x,))
        assert found == shapes._on_fake(made, (x,))
        assert len(found) > 10


def test_fake_tensors_step_in() -> None:
    made = torch.fx.Graph()
    x = made.placeholder("x")
    # Tensors without data are on no device that they could be copied from.
    there = made.call_function(torch.ops.aten.to.device, (x, torch.device("cpu"), torch.float32))
    flat = made.call_function(torch.ops.aten.flatten.using_ints, (there, 1))
    made.output(flat)
    module = torch.fx.GraphModule(nn.Module(), made)
    example = (torch.randn(2, 4, 3),)
    with pytest.raises(NotImplementedError):
        shapes._on_meta(module, example)
    assert shapes.infer_shapes(module, example, batch=True).of(flat) == (-1, 12)
