"""Networks that fold frames, windows, heads, images into the batch: many in one module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

VIDEO: Final = torch.randn(3, 3, 2, 4, 4, generator=torch.Generator().manual_seed(1))
TOKENS: Final = torch.randn(3, 4, 4, 8, generator=torch.Generator().manual_seed(2))


class Folds(nn.Module):
    """Functions of one input, with layers to fold it for."""

    def __init__(self, functions: dict[str, Callable[[Folds, Tensor], Tensor]]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.functions = functions
        self.conv, self.deep = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding="same")
        self.apart, self.norm = nn.Conv2d(4, 4, 3, 2, 1, groups=4), nn.BatchNorm2d(4)
        self.up, self.row = nn.ConvTranspose2d(2, 4, 2, 2), nn.Conv1d(2, 3, 3, stride=2)
        self.clip, self.groups = nn.Conv3d(2, 2, 2), nn.GroupNorm(2, 4)
        self.head, self.rows, self.scale = nn.Linear(4, 3), nn.Linear(8, 8), nn.Linear(8, 4)
        self.three, self.layer, self.flat = nn.Linear(8, 24), nn.LayerNorm(8), nn.BatchNorm1d(8)
        self.first = nn.Parameter(torch.randn(1, 1, 8))
        self.bias = nn.Parameter(torch.randn(2, 4, 4))
        self.norm.running_mean.normal_()  # type: ignore[union-attr]
        self.flat.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
        hidden = torch.zeros(4, 4, 4)
        hidden[1, 0, 1] = hidden[3, 2, 0] = -100.0
        self.register_buffer("hidden", hidden)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(function(self, x) for function in self.functions.values())


def _frames(m: Folds, x: Tensor) -> Tensor:
    y = F.relu(m.norm(m.conv(x.flatten(0, 1))))
    y = F.relu(y + m.deep(y))
    y = F.avg_pool2d(F.max_pool2d(y, 2, 1), 3, 1, 1) * torch.sigmoid(y.mean((2, 3), keepdim=True))
    y = F.adaptive_avg_pool2d(m.apart(y), 1).flatten(1)
    return m.head(y).view(x.shape[0], 3, -1).mean(1)


def _shifted(m: Folds, x: Tensor) -> Tensor:
    batch, frames = x.shape[:2]
    y = m.conv(x.reshape(batch * frames, *x.shape[2:]))
    y = y.view(batch, frames, *y.shape[1:])
    before, behind = F.pad(y[:, 1:, :1], [0] * 7 + [1]), F.pad(y[:, :-1, 1:2], [0] * 6 + [1, 0])
    y = m.deep(torch.cat([before, behind, y[:, :, 2:]], 2).flatten(0, 1))
    return m.head(y.mean((2, 3))).view(batch, frames, -1).mean(1)


def _decoded(m: Folds, x: Tensor) -> Tensor:
    y = F.interpolate(m.up(x.flatten(0, 1)), scale_factor=2.0)
    y = m.deep(F.pad(y, (1, 1, 1, 1), mode="reflect"))
    return F.pixel_shuffle(F.pad(y, (1, 0)), 2).unflatten(0, x.shape[:2])


def _lines(m: Folds, x: Tensor) -> Tensor:
    y = F.relu(m.row(x.permute(0, 1, 3, 2, 4).reshape(-1, 2, 4)))
    return F.max_pool1d(y, 1).reshape(x.shape[0], -1)


def _groups(m: Folds, x: Tensor) -> Tensor:
    return F.relu(m.groups(m.conv(x.flatten(0, 1)))).unflatten(0, (-1, 3))


FRAMES: Final[dict[str, Callable[[Folds, Tensor], Tensor]]] = {
    "frames": _frames,
    "shifted": _shifted,
    "decoded": _decoded,
    "lines": _lines,
    "clips": lambda m, x: m.clip(torch.cat([x, x * 0.5], 1).transpose(1, 2)[:, None].flatten(0, 1)),
    "every": lambda m, x: (m.conv(x[:, :2].flatten(0, 1))[1::2]).flatten(1),
    "outside": lambda m, x: m.conv(x.transpose(0, 1).flatten(0, 1)).unflatten(0, (3, -1))[1],
    "groups": _groups,
    "rows": lambda m, x: m.head(m.conv(x.flatten(0, 1)).mean((2, 3))),
}


def _heads(m: Folds, x: Tensor) -> Tensor:
    batch, size = x.shape[0], 16

    def split(y: Tensor) -> Tensor:
        y = y.reshape(batch, size, 2, 4).transpose(1, 2)
        return y.reshape(batch * 2, size, 4)

    q, k, v = (split(y) for y in m.three(x.flatten(1, 2)).chunk(3, -1))
    made = torch.bmm(torch.softmax(torch.bmm(q, k.transpose(1, 2)), -1), v)
    return made.view(batch, 2, size, 4).transpose(1, 2).reshape(batch, size, 8)


def _outermost(m: Folds, x: Tensor) -> Tensor:
    y = x.flatten(1, 2).transpose(0, 1)
    steps, batch, width = y.shape
    q, k, v = m.three(y.reshape(-1, width)).view(steps, batch * 2, 12).split(4, -1)
    q, k, v = (each.transpose(0, 1) for each in (q, k, v))
    scores = torch.bmm(q, k.transpose(1, 2)).view(batch, 2, steps, steps) * 0.5
    made = torch.bmm(scores.view(-1, steps, steps).softmax(-1), v).transpose(0, 1)
    return m.rows(made.reshape(steps, batch, width)).transpose(0, 1)


def _windows(m: Folds, x: Tensor) -> Tensor:
    y = torch.roll(x, (-1, -1), (1, 2)).view(-1, 2, 2, 2, 2, 8)
    y = y.permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, 8)
    q, k, v = m.three(y).reshape(-1, 4, 3, 2, 4).permute(2, 0, 3, 1, 4)
    scores = (q * 0.5) @ k.transpose(-2, -1) + m.bias
    scores = scores.view(-1, 4, 2, 4, 4) + m.hidden[:, None]  # type: ignore[index]
    y = (scores.view(-1, 2, 4, 4).softmax(-1) @ v).transpose(1, 2).reshape(-1, 4, 8)
    y = m.rows(y).view(-1, 2, 2, 2, 2, 8).permute(0, 1, 3, 2, 4, 5).reshape(x.shape)
    return x + torch.roll(y, (1, 1), (1, 2))


def _masked(m: Folds, x: Tensor) -> Tensor:
    y = x.reshape(-1, 2, 4, 4).transpose(2, 3)  # windows of pairs of heads
    mask = m.hidden[None, :, None].expand(x.shape[0], -1, -1, -1, -1).reshape(-1, 1, 4, 4)  # type: ignore[index]
    return F.scaled_dot_product_attention(y, y, y, mask).reshape(x.shape[0], -1)


def _first(m: Folds, x: Tensor) -> Tensor:
    y = x.flatten(0, 1)
    y = m.rows(torch.cat([m.first.expand(y.shape[0], -1, -1), y], 1))[:, 0]
    return m.scale(y).view(x.shape[0], -1)


def _pairs(m: Folds, x: Tensor) -> Tensor:
    both = m.scale(torch.cat([x[:, 0], x[:, 1]]).flatten(1).unflatten(1, (4, 8))).flatten(1)
    one, two = both.chunk(2)
    return one * two


TOKEN_FOLDS: Final[dict[str, Callable[[Folds, Tensor], Tensor]]] = {
    "heads": _heads,
    "outermost": _outermost,
    "windows": _windows,
    "masked": _masked,
    "first": _first,
    "pairs": _pairs,
    "halves": lambda m, x: (lambda y: y[: x.shape[0]] - y[x.shape[0] :])(
        m.rows(torch.stack([x[:, 0], x[:, 2]]).flatten(0, 1))
    ),
    "normed": lambda m, x: F.relu(m.flat(m.rows(x.reshape(-1, 8)))).view(x.shape).amax(2),
    "factorised": lambda m, x: m.layer(x.flatten(0, 1)).unflatten(0, (-1, 4)).transpose(1, 2)
    .reshape(-1, 4, 8).mean(1).view(x.shape[0], 4, 8),
    "repeated": lambda m, x: m.scale(x.flatten(0, 1).repeat(2, 1, 1)).view(2, -1, 4, 4, 4)[1],
}  # fmt: skip
