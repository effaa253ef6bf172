"""``resnet8``: the image classification topology of MLPerf Tiny, with seeded weights.

Source: mlcommons/tiny benchmark/training/image_classification/keras_model.py (resnet_v1_eic).
Differences: no bias before a batch norm (it would fold away), and stride-2 convolutions pad one
row and column on both sides where Keras pads only after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from qsim.models.seeded import Headed, seeded_model

if TYPE_CHECKING:
    from qsim.models.spec import Model


class Stack(nn.Module):
    """Two 3x3 convolutions and a shortcut, added before the last ReLU."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1:
            # As in the reference model, no batch norm here.
            self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, channels_in, H, W]`` to ``[N, channels_out, H/stride, W/stride]``."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(self.shortcut(x) + y)


class ResNet8(Headed):
    """A convolution, three stacks of 16, 32 and 64 channels, average pool, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.stack1 = Stack(16, 16, stride=1)
        self.stack2 = Stack(16, 32, stride=2)
        self.stack3 = Stack(32, 64, stride=2)
        self.average = nn.AvgPool2d(8)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images ``[N, 3, 32, 32]`` to logits ``[N, 10]``."""
        x = torch.relu(self.bn(self.conv(x)))
        x = self.stack3(self.stack2(self.stack1(x)))
        logits: torch.Tensor = self.fc(self.average(x).flatten(1))
        return logits


def resnet8() -> Model:
    """Return the seeded network with 32 calibration images and 64 unlabelled samples."""
    return seeded_model("resnet8", ResNet8, shape=(3, 32, 32), seed=8, samples=64)
