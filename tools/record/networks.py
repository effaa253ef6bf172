"""Networks beside the built-in ones: of operators that those have not, some of them on the host."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def tiny() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """Return README's example of a model of one's own: batch norm, relu6 and a softmax."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 4, 3, stride=2),
        nn.ReLU6(),
        nn.Flatten(),
        nn.Linear(4 * 7 * 7, 10),
        nn.Softmax(dim=1),
    )
    return model, (torch.randn(8, 3, 32, 32),)


class Mixed(nn.Module):
    """Branches, moves, functions of codes, products of activations; codes and positions come out.

    Takes images [N, 3, 8, 8].
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.depth = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8, bias=False)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.query = nn.Linear(16, 8)
        self.key = nn.Linear(16, 8)
        self.head = nn.Linear(8 * 8, 5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return logits [N, 5], the class of each [N], and the image that the decoder makes."""
        a = functional.hardswish(self.first(x))
        b = functional.gelu(self.depth(a))
        c = torch.cat([a - b, a * b], dim=1)
        c = functional.pad(c, (1, 1, 0, 0))
        c = functional.avg_pool2d(c, (2, 2), stride=2)
        d = torch.sigmoid(c.mean(dim=(2, 3), keepdim=True)) * c
        image = torch.tanh(self.up(functional.interpolate(b, scale_factor=0.5, mode="nearest")))
        rows = d.flatten(2)[:, :, :16]
        rows = torch.minimum(rows, rows.permute(0, 2, 1))
        scores = torch.softmax(self.query(rows) @ self.key(rows).transpose(1, 2), dim=-1)
        mixed = (scores @ self.key(rows)).reshape(-1, 2, 8, 8).amax(dim=1)
        logits = self.head(functional.leaky_relu(mixed).flatten(1))
        return logits, logits.argmax(dim=1), image


def mixed() -> tuple[nn.Module, tuple[torch.Tensor], list[tuple[torch.Tensor]]]:
    """Return the network, an example input and batches for calibration."""
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    model = Mixed().eval()
    batches = [(torch.randn(4, 3, 8, 8, generator=generator),) for _ in range(2)]
    return model, (torch.randn(2, 3, 8, 8, generator=generator),), batches
