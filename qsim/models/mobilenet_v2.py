"""``mobilenet_v2``: the ImageNet network of inverted residuals, with seeded weights.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018),
table 2, width 1.0, as torchvision's ``mobilenet_v2`` computes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from qsim.models.seeded import Headed, seeded_model

if TYPE_CHECKING:
    from qsim.models.spec import Model

# Expansion, output channels, number of blocks, and stride of the first block.
_STAGES: Final = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution with batch norm and ReLU6; a 3x3 one of equal channels is depthwise."""
    groups = channels_in if kernel == 3 and channels_in == channels_out else 1
    return nn.Sequential(
        nn.Conv2d(
            channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(channels_out),
        nn.ReLU6(),
    )


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project without activation; add where the shapes allow it."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        layers = [] if expansion == 1 else [_conv(channels_in, hidden, 1)]
        self.conv = nn.Sequential(
            *layers,
            _conv(hidden, hidden, 3, stride),
            nn.Conv2d(hidden, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, channels_in, H, W]`` to ``[N, channels_out, H/stride, W/stride]``."""
        y: torch.Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(Headed):
    """A strided convolution, seventeen blocks, a 1x1 convolution, average pool, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(3, 32, 3, 2)]
        channels = 32
        for expansion, channels_out, count, first in _STAGES:
            for stride in (first, *(1,) * (count - 1)):
                layers.append(InvertedResidual(channels, channels_out, stride, expansion))
                channels = channels_out
        self.features = nn.Sequential(*layers, _conv(channels, 1280, 1))
        self.average = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(1280, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images ``[N, 3, 224, 224]`` to logits ``[N, 1000]``."""
        x = self.average(self.features(x)).flatten(1)
        logits: torch.Tensor = self.fc(self.dropout(x))
        return logits


def mobilenet_v2() -> Model:
    """Return the seeded network with 16 calibration images and 16 unlabelled samples."""
    return seeded_model(
        "mobilenet_v2", MobileNetV2, shape=(3, 224, 224), seed=2, samples=16, calibration=16
    )
