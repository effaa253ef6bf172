"""Results without elements: torch makes them, so a network may too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

import qsim
from qsim import Target

if TYPE_CHECKING:
    from pathlib import Path


class Empty(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = torch.relu(x)
        return y, y[:, 3:], torch.cat([y[:, :0], y], 1), y[:, 1:1].unsqueeze(2).expand(-1, -1, 5)


def test_empty_outputs_are_as_torch_has_them(tmp_path: Path) -> None:
    x = torch.linspace(-1, 1, 6).reshape(2, 3)
    network = qsim.lower(qsim.quantize(Empty().eval(), (x,), Target.load("tflite")))
    network.save(tmp_path / "empty.qsim")
    saved = qsim.load(tmp_path / "empty.qsim")
    for batch in (2, 5):
        inputs = x[:1].repeat(batch, 1)
        wanted = [tuple(each.shape) for each in Empty()(inputs)]
        for made in (network(inputs), saved(inputs), network.trace(inputs).outputs):
            assert [tuple(each.shape) for each in made] == wanted
    np.testing.assert_array_equal(network(x)[2], network(x)[0])
    assert {item.kind for item in network.host_operators} == {"empty"}
