"""What is trained is what is converted: in eval mode it makes the codes of the Q/DQ graph."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import qsim


class Net(nn.Module):
    """A residual convolution with a batch norm, a pool and a linear."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(self.first(x)))
        y = torch.relu(y + self.second(y))
        return self.head(nn.functional.avg_pool2d(y, 3).flatten(1))


def _samples() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(48, 1, 6, 6, generator=generator)
    return x, x.mean(dim=(1, 2, 3)).mul(12).clamp(-1, 1).round().long() + 1


@pytest.mark.parametrize("algorithm", ["iao", "lsq", "lsq+", "tqt", "pact"])
@pytest.mark.parametrize("target", ["tflite", "q7"])
def test_eval_mode_makes_the_codes_of_the_converted_graph(target: str, algorithm: str) -> None:
    x, labels = _samples()
    model = Net().eval()
    config = {
        "default": {"activation_bits": 4, "weight_bits": 4, "algorithm": algorithm},
        "training": {"epochs": 2, "batch": 16},
    }
    quantized = qsim.quantize(
        model, x[:2], qsim.Target.load(target), [x], config, training=(x, labels)
    )
    plain = qsim.quantize(
        model, x[:2], qsim.Target.load(target), [x], {"default": config["default"]}
    )
    assert quantized.fake_graph is not None
    with torch.no_grad():
        trained = quantized.fake_graph(x)
    assert torch.equal(trained, quantized(x))
    assert not torch.equal(quantized(x), plain(x))
