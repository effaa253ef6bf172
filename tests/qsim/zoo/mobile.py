"""Classifiers for phones and microcontrollers: shuffles, gates, inverted residuals, ghosts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.qsim.zoo.blocks import Classifier, Gate, conv


class Inverted(nn.Module):
    """An inverted residual: expand, depthwise, (gate,) project, and add where shapes allow."""

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, act: str = "relu6", gate: str = ""
    ) -> None:
        super().__init__()
        wide = 3 * inputs
        self.body = nn.Sequential(
            conv(inputs, wide, 1, act=act),
            conv(wide, wide, 3, stride, groups=wide, act=act),
            *((Gate(wide, hard=gate == "hard"),) if gate else ()),
            conv(wide, outputs, 1, act="none"),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.adds else self.body(x)


def mnasnet() -> nn.Module:
    """MNASNet: inverted residuals with ReLU."""
    blocks = (Inverted(8, 12, 2, "relu"), Inverted(12, 12, 1, "relu"))
    return Classifier(nn.Sequential(conv(3, 8, 3, 2), *blocks), 12)


def efficientnet_lite() -> nn.Module:
    """EfficientNet-Lite: no gates, ReLU6 everywhere."""
    return Classifier(
        nn.Sequential(conv(3, 8, 3, 2, act="relu6"), Inverted(8, 12, 2), Inverted(12, 12)), 12
    )


def mobilenet_v3() -> nn.Module:
    """MobileNetV3: hard swish, gates by hard sigmoid, a linear layer with hard swish."""
    return nn.Sequential(
        conv(3, 8, 3, 2, act="hardswish"),
        Inverted(8, 12, 2, "relu", gate="hard"),
        Inverted(12, 12, 1, "hardswish", gate="hard"),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 16), nn.Hardswish()),
        *(nn.Dropout(0.2), nn.Linear(16, 10)),
    )


class Shuffle(nn.Module):
    """ShuffleNetV2's unit: half of the channels pass by, both halves are joined and shuffled."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.stride = stride
        first = inputs if stride == 2 else half
        self.left = nn.Sequential(
            conv(inputs, inputs, 3, 2, groups=inputs, act="none"), conv(inputs, half, 1)
        )
        self.right = nn.Sequential(
            conv(first, half, 1),
            conv(half, half, 3, stride, groups=half, act="none"),
            conv(half, half, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            kept, given = x.chunk(2, dim=1)
            joined = torch.cat((kept, self.right(given)), dim=1)
        else:
            joined = torch.cat((self.left(x), self.right(x)), dim=1)
        batch, channels, height, width = joined.size()
        joined = joined.view(batch, 2, channels // 2, height, width)
        return torch.transpose(joined, 1, 2).contiguous().view(batch, channels, height, width)


def shufflenet_v2() -> nn.Module:
    """ShuffleNetV2: units of both strides."""
    units = (Shuffle(8, 16, 2), Shuffle(16, 16, 1), Shuffle(16, 16, 1))
    return Classifier(nn.Sequential(conv(3, 8, 3, 2), *units), 16)


class Ghost(nn.Module):
    """GhostNet's module: half of the channels by a cheap depthwise convolution of the others."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        inner = -(-outputs // 2)
        self.primary = conv(inputs, inner, 1)
        self.cheap = conv(inner, inner, groups=inner)

    def forward(self, x: Tensor) -> Tensor:
        primary = self.primary(x)
        return torch.cat([primary, self.cheap(primary)], dim=1)[:, : self.outputs, :, :]


def ghostnet() -> nn.Module:
    """GhostNet: an odd number of channels is cut from an even one."""
    return Classifier(nn.Sequential(conv(3, 8, 3, 2), Ghost(8, 16), Gate(16), Ghost(16, 15)), 15)


def ds_cnn() -> nn.Module:
    """Keyword spotting: depthwise separable convolutions over 25 frames of 10 coefficients."""
    first = nn.Sequential(nn.Conv2d(1, 8, (10, 4), (2, 2), (4, 1)), nn.BatchNorm2d(8), nn.ReLU())
    blocks = [nn.Sequential(conv(8, 8, groups=8), conv(8, 8, 1)) for _ in range(2)]
    return Classifier(nn.Sequential(first, *blocks), 8, 12)
