"""Detection, sound, text, points and video."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from tests.qsim.zoo.blocks import Classifier, conv


class Yolo(nn.Module):
    """YOLO tiny: leaky activations, a route between scales, boxes by anchors at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(self._conv(3, 8), nn.MaxPool2d(2), self._conv(8, 16))
        self.deep = nn.Sequential(nn.MaxPool2d(2), self._conv(16, 16), nn.Conv2d(16, 8, 1))
        self.coarse = nn.Conv2d(8, 3 * 7, 1)
        self.fine = nn.Sequential(self._conv(24, 16), nn.Conv2d(16, 3 * 7, 1))

    @staticmethod
    def _conv(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        shallow = self.stem(x)
        deep = self.deep(shallow)
        route = torch.cat((F.interpolate(deep, scale_factor=2, mode="nearest"), shallow), 1)
        made = []
        for scores in (self.coarse(deep), self.fine(route)):
            batch, _, height, width = scores.shape
            grid = scores.view(batch, 3, 7, height, width).permute(0, 1, 3, 4, 2).contiguous()
            made.append(torch.sigmoid(grid))
        return tuple(made)


class Ssd(nn.Module):
    """SSD's head: boxes and classes of two maps, flattened and joined."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = conv(3, 8, 3, 2), conv(8, 8, 3, 2)
        self.boxes = nn.ModuleList([nn.Conv2d(8, 2 * 4, 3, padding=1) for _ in range(2)])
        self.classes = nn.ModuleList([nn.Conv2d(8, 2 * 3, 3, padding=1) for _ in range(2)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        one = self.one(x)
        maps = (one, self.two(one))
        boxes = [
            head(y).permute(0, 2, 3, 1).reshape(y.shape[0], -1, 4)
            for head, y in zip(self.boxes, maps, strict=True)
        ]
        classes = [
            head(y).permute(0, 2, 3, 1).reshape(y.shape[0], -1, 3)
            for head, y in zip(self.classes, maps, strict=True)
        ]
        return torch.cat(boxes, 1), torch.softmax(torch.cat(classes, 1), -1)


class Crnn(nn.Module):
    """CRNN: columns of an image as a sequence for a recurrent network."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(1, 8), nn.MaxPool2d(2), conv(8, 8), nn.MaxPool2d((4, 1)))
        self.recurrent = nn.LSTM(16, 6, batch_first=True, bidirectional=True)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)  # N, 8, 2, columns
        y = y.permute(0, 3, 1, 2).flatten(2)
        return self.head(self.recurrent(y)[0])


class Tagger(nn.Module):
    """A tagger of words: embedding, LSTM, a linear layer for each word."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.recurrent = nn.LSTM(8, 6, batch_first=True)
        self.head = nn.Linear(6, 4)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.recurrent(self.embedding(words))[0])


class Causal(nn.Module):
    """TCN's block: dilated convolutions whose padding behind is cut off, and a shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.cut = 2 * dilation
        self.one = nn.Conv1d(channels, channels, 3, padding=self.cut, dilation=dilation)
        self.two = nn.Conv1d(channels, channels, 3, padding=self.cut, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.one(x)[:, :, : -self.cut])
        return F.relu(x + F.relu(self.two(y)[:, :, : -self.cut]))


def tcn() -> nn.Module:
    """A temporal convolutional network."""
    blocks = [Causal(8, dilation) for dilation in (1, 2, 4)]
    return nn.Sequential(nn.Conv1d(2, 8, 1), *blocks, nn.Conv1d(8, 3, 1))


class WaveNet(nn.Module):
    """WaveNet: gates of tanh and sigmoid on causal convolutions, skips added."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, 8, 1)
        self.filters = nn.ModuleList([nn.Conv1d(8, 16, 2, dilation=d) for d in (1, 2)])
        self.mixes = nn.ModuleList([nn.Conv1d(8, 8, 1) for _ in range(2)])
        self.last = nn.Conv1d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        total: Tensor | None = None
        for dilation, both, mix in zip((1, 2), self.filters, self.mixes, strict=True):
            value, gate = both(F.pad(x, (dilation, 0))).chunk(2, dim=1)
            y = mix(torch.tanh(value) * torch.sigmoid(gate))
            total = y if total is None else total + y
            x = x + y
        return self.last(F.relu(total))


class Panns(nn.Module):
    """PANNs: a spectrogram of mean over frequency, maximum plus mean over time."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(16)
        self.body = nn.Sequential(conv(1, 8), nn.AvgPool2d(2), conv(8, 8), nn.AvgPool2d(2))
        self.one, self.two = nn.Linear(8, 8), nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x.transpose(1, 3)).transpose(1, 3)
        y = torch.mean(self.body(x), dim=3)
        highest, _ = torch.max(y, dim=2)
        y = F.dropout(highest + torch.mean(y, dim=2), p=0.5, training=self.training)
        return torch.sigmoid(self.two(F.relu(self.one(y))))


class PointNet(nn.Module):
    """PointNet: the same layers for each point, the maximum over all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv1d(3, 8, 1), nn.BatchNorm1d(8), nn.ReLU()),
            *(nn.Conv1d(8, 16, 1), nn.BatchNorm1d(16), nn.ReLU()),
        )
        self.head = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.max(self.body(x), 2, keepdim=True)[0].view(-1, 16))


class Mixer(nn.Module):
    """MLP-Mixer: layers over patches, then over channels, each behind a layer norm."""

    def __init__(self, patches: int = 16, width: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(3)])
        self.tokens = nn.Sequential(nn.Linear(patches, 8), nn.GELU(), nn.Linear(8, patches))
        self.channels = nn.Sequential(nn.Linear(width, 24), nn.GELU(), nn.Linear(24, width))
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.patches(x).flatten(2).transpose(1, 2)
        y = y + self.tokens(self.norms[0](y).transpose(1, 2)).transpose(1, 2)
        y = y + self.channels(self.norms[1](y))
        return self.head(self.norms[2](y).mean(dim=1))


def c3d() -> nn.Module:
    """C3D: convolutions and pools over space and time."""
    return nn.Sequential(
        *(nn.Conv3d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool3d((1, 2, 2))),
        *(nn.Conv3d(4, 8, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2)),
        *(nn.Flatten(), nn.Linear(8 * 2 * 2 * 2, 5)),
    )


class Shift(nn.Module):
    """Temporal shift: parts of the channels move to the frame before and behind; 4 frames."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = conv(3, 8, 3, 2), conv(8, 8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        batch, frames, *image = x.shape
        y = self.one(x.reshape(batch * frames, *image))
        y = y.view(batch, frames, *y.shape[1:])
        part = 2
        before = F.pad(y[:, 1:, :part], (0, 0, 0, 0, 0, 0, 0, 1))
        behind = F.pad(y[:, :-1, part : 2 * part], (0, 0, 0, 0, 0, 0, 1, 0))
        y = torch.cat([before, behind, y[:, :, 2 * part :]], dim=2)
        y = self.two(y.flatten(0, 1)).mean(dim=(2, 3))
        return self.head(y).view(batch, frames, -1).mean(dim=1)


def audio_resnet() -> nn.Module:
    """A residual network on raw sound: convolutions of one dimension."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                *(nn.Conv1d(8, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU()),
                *(nn.Conv1d(8, 8, 3, padding=1), nn.BatchNorm1d(8)),
            )

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x + self.body(x))

    return nn.Sequential(
        *(nn.Conv1d(1, 8, 9, 4, 4), nn.ReLU(), Block(), nn.MaxPool1d(2), Block()),
        *(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 6)),
    )


def resnet_d() -> nn.Module:
    """ResNet-D: a deep stem, and shortcuts that average before they convolve."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(conv(8, 12, 3, 2), conv(12, 12, act="none"))
            self.skip = nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), conv(8, 12, 1, act="none"))

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.body(x) + self.skip(x))

    return Classifier(nn.Sequential(conv(3, 4, 3, 2), conv(4, 8), Block()), 12)
