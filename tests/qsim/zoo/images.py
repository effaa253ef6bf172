"""Images to images: segmentation, super resolution, generators, autoencoders, key points."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from tests.qsim.zoo.blocks import conv


class UNet(nn.Module):
    """U-Net: down, up by a transposed convolution, skips joined."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.floor = conv(3, 8), conv(8, 16), conv(16, 16)
        self.up2, self.join2 = nn.ConvTranspose2d(16, 16, 2, 2), conv(32, 8)
        self.up1, self.join1 = nn.ConvTranspose2d(8, 8, 2, 2), conv(16, 8)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        y = self.join2(torch.cat([self.up2(self.floor(F.max_pool2d(two, 2))), two], dim=1))
        return self.head(self.join1(torch.cat([self.up1(y), one], dim=1)))


class Fcn(nn.Module):
    """FCN: a score map, resized to the input, with the class of each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 8, 3, 2), conv(8, 16, 3, 2))
        self.head = nn.Sequential(conv(16, 8), nn.Dropout(0.1), nn.Conv2d(8, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        scores = self.head(self.body(x))
        return F.interpolate(scores, size=size, mode="bilinear", align_corners=False)


class DeepLab(nn.Module):
    """DeepLab: dilated convolutions and a pooled image side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 8, 3, 2), conv(8, 12))
        self.branches = nn.ModuleList(
            [conv(12, 8, 1), *(nn.Conv2d(12, 8, 3, padding=d, dilation=d) for d in (2, 3))]
        )
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(12, 8, 1), nn.ReLU())
        self.project = nn.Sequential(conv(32, 8, 1), nn.Conv2d(8, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        found = [branch(y) for branch in self.branches]
        pooled = F.interpolate(self.pooled(y), size=y.shape[-2:], mode="bilinear")
        return F.interpolate(
            self.project(torch.cat([*found, pooled], dim=1)), size=x.shape[-2:], mode="bilinear"
        )


def espcn() -> nn.Module:
    """ESPCN: super resolution by a shuffle of pixels."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 5, padding=2), nn.Tanh(), nn.Conv2d(8, 8, 3, padding=1), nn.Tanh()),
        *(nn.Conv2d(8, 9, 3, padding=1), nn.PixelShuffle(3)),
    )


def srcnn() -> nn.Module:
    """SRCNN: three convolutions behind a resize."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear"),
        *(nn.Conv2d(1, 8, 9, padding=4), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU()),
        nn.Conv2d(8, 1, 5, padding=2),
    )


def fsrcnn() -> nn.Module:
    """FSRCNN: a slope per channel, and a transposed convolution at the end."""
    return nn.Sequential(
        *(nn.Conv2d(1, 12, 5, padding=2), nn.PReLU(12), nn.Conv2d(12, 4, 1), nn.PReLU(4)),
        *(nn.Conv2d(4, 4, 3, padding=1), nn.PReLU(4), nn.Conv2d(4, 12, 1), nn.PReLU(12)),
        nn.ConvTranspose2d(12, 1, 9, stride=2, padding=4, output_padding=1),
    )


def autoencoder() -> nn.Module:
    """A convolutional autoencoder: strided down, transposed up, sigmoid."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU()),
        *(nn.ConvTranspose2d(16, 8, 3, 2, 1, 1), nn.ReLU()),
        *(nn.ConvTranspose2d(8, 1, 3, 2, 1, 1), nn.Sigmoid()),
    )


def vae_decoder() -> nn.Module:
    """A variational autoencoder's decoder: a latent vector to an image."""
    return nn.Sequential(
        *(nn.Linear(8, 16 * 16), nn.LeakyReLU(), nn.Unflatten(1, (16, 4, 4))),
        *(nn.Upsample(scale_factor=2), conv(16, 8), nn.Upsample(scale_factor=2), conv(8, 4)),
        *(nn.Conv2d(4, 3, 3, padding=1), nn.Tanh()),
    )


def dcgan() -> nn.Module:
    """DCGAN's generator: transposed convolutions from one pixel."""
    return nn.Sequential(
        *(nn.ConvTranspose2d(16, 16, 4, bias=False), nn.BatchNorm2d(16), nn.ReLU(True)),
        *(nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(True)),
        *(nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False), nn.Tanh()),
    )


class HighResolution(nn.Module):
    """HRNet: two resolutions side by side that exchange what they know."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.split = conv(3, 8, 3, 2), conv(8, 16, 3, 2)
        self.high, self.low = conv(8, 8), conv(16, 16)
        self.up = conv(16, 8, 1, act="none")
        self.down = conv(8, 16, 3, 2, act="none")
        self.head = nn.Conv2d(24, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        high = self.stem(x)
        high, low = self.high(high), self.low(self.split(high))
        up = F.interpolate(self.up(low), scale_factor=2, mode="nearest")
        high, low = F.relu(high + up), F.relu(low + self.down(high))
        both = [high, F.interpolate(low, size=high.shape[-2:], mode="bilinear")]
        return self.head(torch.cat(both, 1))


class Hourglass(nn.Module):
    """Stacked hourglass: heat maps of key points, down and up with shortcuts at each level."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 8, 7, 2)
        self.skips = nn.ModuleList([conv(8, 8), conv(8, 8)])
        self.downs = nn.ModuleList([conv(8, 8), conv(8, 8)])
        self.ups = nn.ModuleList([conv(8, 8), conv(8, 8)])
        self.head = nn.Conv2d(8, 5, 1)

    def _level(self, x: Tensor, level: int) -> Tensor:
        if level == len(self.skips):
            return x
        inner = self._level(self.downs[level](F.max_pool2d(x, 2)), level + 1)
        return self.skips[level](x) + F.interpolate(self.ups[level](inner), scale_factor=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self._level(self.stem(x), 0))
