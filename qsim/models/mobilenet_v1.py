"""``mobilenet_v1``: the visual wake words topology of MLPerf Tiny, with seeded weights.

Source: mlcommons/tiny benchmark/training/visual_wake_words/vww_model.py (width 0.25, 96x96, two
classes). Difference: stride-2 convolutions pad one row and column on both sides where Keras pads
only after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from qsim.models.seeded import Headed, seeded_model

if TYPE_CHECKING:
    from qsim.models.spec import Model

# Output channels and stride of every depthwise-separable block, at width 0.25.
_BLOCKS: Final = (
    (16, 1),
    (32, 2),
    (32, 1),
    (64, 2),
    (64, 1),
    (128, 2),
    *((128, 1),) * 5,
    (256, 2),
    (256, 1),
)


class Separable(nn.Module):
    """A depthwise 3x3 and a pointwise 1x1 convolution, each with batch norm and ReLU."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels_in, channels_in, 3, stride, padding=1, groups=channels_in, bias=False
        )
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, channels_in, H, W]`` to ``[N, channels_out, H/stride, W/stride]``."""
        x = torch.relu(self.bn1(self.depthwise(x)))
        return torch.relu(self.bn2(self.pointwise(x)))


class MobileNetV1(Headed):
    """A strided convolution, thirteen separable blocks, global average pool, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        channels = 8
        blocks: list[nn.Module] = []
        for channels_out, stride in _BLOCKS:
            blocks.append(Separable(channels, channels_out, stride))
            channels = channels_out
        self.blocks = nn.Sequential(*blocks)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images ``[N, 3, 96, 96]`` to logits ``[N, 2]``."""
        x = torch.relu(self.bn(self.conv(x)))
        logits: torch.Tensor = self.fc(self.average(self.blocks(x)).flatten(1))
        return logits


def mobilenet_v1() -> Model:
    """Return the seeded network with 32 calibration images and 32 unlabelled samples."""
    return seeded_model("mobilenet_v1", MobileNetV1, shape=(3, 96, 96), seed=1, samples=32)
