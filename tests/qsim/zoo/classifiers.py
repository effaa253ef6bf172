"""Image classifiers, as their papers draw them, narrow: a batch of RGB images to ten classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from tests.qsim.zoo.blocks import Classifier, Gate, conv


def vgg() -> nn.Module:
    """VGG with batch norm: pairs of convolutions and pools, then linear layers with dropout."""
    features = nn.Sequential(
        *(conv(3, 8), conv(8, 8), nn.MaxPool2d(2)),
        *(conv(8, 16), conv(16, 16), nn.MaxPool2d(2)),
    )
    head = (nn.Linear(16 * 4 * 4, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 10))
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(4), nn.Flatten(), *head)


def alexnet() -> nn.Module:
    """AlexNet: overlapping pools, wide first kernel."""
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)),
        *(nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Dropout()),
        *(nn.Linear(16 * 9, 32), nn.ReLU(inplace=True), nn.Linear(32, 10)),
    )


class Fire(nn.Module):
    """SqueezeNet's module: one squeeze, two expansions, joined."""

    def __init__(self, inputs: int, squeezed: int, outputs: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.one = nn.Conv2d(squeezed, outputs, 1)
        self.three = nn.Conv2d(squeezed, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(x))], 1)


def squeezenet() -> nn.Module:
    """SqueezeNet 1.1: its classifier is a convolution before the mean."""
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(Fire(8, 4, 8), Fire(16, 4, 8), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(16, 4, 12)),
        *(nn.Dropout(), nn.Conv2d(24, 10, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )


class Inception(nn.Module):
    """Four branches of different kernels, joined."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.one = conv(inputs, width, 1)
        self.three = nn.Sequential(conv(inputs, width, 1), conv(width, width))
        self.five = nn.Sequential(conv(inputs, width, 1), conv(width, width, 5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(inputs, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], dim=1)


def googlenet() -> nn.Module:
    """GoogLeNet: inceptions between pools."""
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return Classifier(nn.Sequential(conv(3, 8, 3, 2), Inception(8, 4), pool, Inception(16, 6)), 24)


class Factorised(nn.Module):
    """Inception v3: kernels of 1 x 7 and 7 x 1, and an average pool as a branch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.row = nn.Conv2d(channels, half, (1, 7), padding=(0, 3))
        self.column = nn.Conv2d(half, half, (7, 1), padding=(3, 0))
        self.pool = nn.Conv2d(channels, half, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)
        return torch.cat([F.relu(self.column(F.relu(self.row(x)))), F.relu(self.pool(pooled))], 1)


def inception_v3() -> nn.Module:
    """Inception v3's factorised convolutions."""
    return Classifier(nn.Sequential(conv(3, 8, 3, 2), Factorised(8), Factorised(8)), 8)


class Dense(nn.Module):
    """DenseNet's layer: norm and activation first, its result joined to its input."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = (
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, 4 * growth, 1, bias=False),
        )
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(F.relu(self.norm2(y)))], 1)


def densenet() -> nn.Module:
    """DenseNet: two blocks of two layers, a transition between them."""
    transition = (nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 1), nn.AvgPool2d(2))
    blocks = (Dense(8, 4), Dense(12, 4), *transition, Dense(8, 4), Dense(12, 4))
    return Classifier(nn.Sequential(conv(3, 8, 3, 2), *blocks, nn.BatchNorm2d(16), nn.ReLU()), 16)


class Residual(nn.Module):
    """A bottleneck with groups (ResNeXt), or a gate (SENet), or both."""

    def __init__(self, channels: int, groups: int = 1, *, gate: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(channels, channels, 1),
            conv(channels, channels, groups=groups),
            conv(channels, channels, 1, act="none"),
            *((Gate(channels),) if gate else ()),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


def resnext() -> nn.Module:
    """ResNeXt: convolutions in four groups."""
    return Classifier(nn.Sequential(conv(3, 16, 7, 2), Residual(16, 4), Residual(16, 4)), 16)


def senet() -> nn.Module:
    """SENet: residual blocks with squeeze and excite."""
    blocks = (Residual(16, gate=True), Residual(16, gate=True))
    return Classifier(nn.Sequential(conv(3, 16, 3, 2), *blocks), 16)


class Separable(nn.Module):
    """Xception's block: two separable convolutions and a strided shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.ReLU(), nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs)),
            *(nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU()),
            *(nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs),),
            *(nn.Conv2d(outputs, outputs, 1), nn.BatchNorm2d(outputs), nn.MaxPool2d(3, 2, 1)),
        )
        self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.skip(x)


def xception() -> nn.Module:
    """Xception's entry flow."""
    return Classifier(nn.Sequential(conv(3, 8, 3, 2), Separable(8, 12), Separable(12, 16)), 16)


class Rep(nn.Module):
    """RepVGG as it is trained: 3 x 3, 1 x 1 and identity, each with a norm, added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.three = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        )
        self.one = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels))
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.three(x) + self.one(x) + self.norm(x))


def repvgg() -> nn.Module:
    """RepVGG before its branches are merged."""
    return Classifier(nn.Sequential(conv(3, 8, 3, 2), Rep(8), Rep(8)), 8)


class Mixing(nn.Module):
    """ConvMixer: a depthwise convolution with a shortcut, then a pointwise one; GELU and norms."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depth = nn.Conv2d(channels, channels, 5, padding="same", groups=channels)
        self.point = nn.Conv2d(channels, channels, 1)
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.norm1(F.gelu(self.depth(x)))
        return self.norm2(F.gelu(self.point(x)))


def convmixer() -> nn.Module:
    """ConvMixer with patches of 4 x 4."""
    patches = (nn.Conv2d(3, 12, 4, 4), nn.GELU(), nn.BatchNorm2d(12))
    return Classifier(nn.Sequential(*patches, Mixing(12), Mixing(12)), 12)
