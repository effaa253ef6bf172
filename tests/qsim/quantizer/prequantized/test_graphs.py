"""Graphs that PT2E converted: taken as they are, static and dynamic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import qsim
from qsim.quantizer.pt2 import load_pt2
from qsim.target import Target


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.end = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).relu()
        return self.end((x + x.flip(-1)).mean((2, 3)))


def inputs(batch: int = 2) -> Tensor:
    return torch.randn(batch, 2, 4, 4, generator=torch.Generator().manual_seed(batch))


@pytest.mark.parametrize(
    ("target", "config"),
    [
        ("xnnpack", None),
        ("fbgemm-dynamic", {"operators": {"conv": {"dynamic": False}}}),
    ],
)
def test_the_network_is_that_of_our_own_quantizer(target: str, config: Any, tmp_path: Path) -> None:
    """What one quantizer wrote is taken from the graph alone: same codes, same calls."""
    torch.manual_seed(0)
    contract = Target.load(target)
    ours = qsim.quantize(Net().eval(), inputs(), contract, config=config)
    again = qsim.quantize(ours.graph, inputs(), contract)
    assert again.prequantized
    assert again.digest == ours.digest
    assert torch.equal(again(inputs(3)), ours(inputs(3)))
    real, theirs = again.float_graph(inputs(3)), ours.float_graph(inputs(3))
    assert not torch.equal(real, theirs)  # weights have the values of their codes
    assert float((real - theirs).detach().abs().max()) < 0.1
    if target == "xnnpack":
        again.save_pt2(tmp_path / "net.pt2")
        read = load_pt2(tmp_path / "net.pt2")
        assert isinstance(read, qsim.Quantized)
        assert read.digest == ours.digest


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_graph_of_executorch() -> None:
    """XNNPACKQuantizer and PT2E: one Program, a code from the float Q/DQ graph at most."""
    pytest.importorskip("executorch")
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    torch.manual_seed(0)
    x = inputs()
    batch = ({0: torch.export.Dim.AUTO},)
    graph = torch.export.export(Net().eval(), (x,), dynamic_shapes=batch).module(check_guards=False)
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config())
    prepared = prepare_pt2e(graph, quantizer)
    prepared(x)
    converted = convert_pt2e(prepared)
    quantized = qsim.quantize(converted, x, Target.load("xnnpack"))
    network = qsim.lower(quantized)
    assert quantized.batch
    assert "conv" in {call.layer for program in network.programs for call in program.calls}
    for size in (1, 5):
        x = inputs(size)
        assert torch.equal(quantized(x), converted(x))
        step = float(network.programs[-1].tensors[network.programs[-1].outputs[0]].scale or 0)
        apart = network(x).numpy() - converted(x).detach().numpy()
        assert np.abs(np.rint(apart / step)).max() <= 1
