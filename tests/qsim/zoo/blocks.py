"""What networks of the zoo are made of: a convolution with its norm and activation, and gates."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def conv(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: str = "relu"
) -> nn.Sequential:
    """Return convolution, batch norm and activation; ``act`` may be "none"."""
    activations: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
        "hardswish": nn.Hardswish,
        "none": nn.Identity,
    }
    made = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(made, nn.BatchNorm2d(outputs), activations[act]())


class Gate(nn.Module):
    """Squeeze and excite: a gate per channel from the mean over space."""

    def __init__(self, channels: int, reduction: int = 4, *, hard: bool = False) -> None:
        super().__init__()
        inner = max(2, channels // reduction)
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.down = nn.Conv2d(channels, inner, 1)
        self.up = nn.Conv2d(inner, channels, 1)
        self.gate = nn.Hardsigmoid() if hard else nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.up(torch.relu(self.down(self.squeeze(x)))))


class Classifier(nn.Module):
    """Features, a mean over space, and a linear layer."""

    def __init__(self, features: nn.Module, channels: int, classes: int = 10) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(self.features(x), 1), 1))
