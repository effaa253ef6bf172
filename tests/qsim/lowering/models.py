"""Small networks, each for one thing that the lowering must get right."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention


class ConvNet(nn.Module):
    """Convolutions with and without bias, batch norm, fused activations, pooling, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, stride=2, padding=(1, 0), groups=8)
        self.conv2 = nn.Conv2d(8, 6, (1, 3), dilation=(1, 2), bias=False)
        self.fc = nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(x, 2)
        x = F.relu6(self.depthwise(x))
        x = self.conv2(x)
        x = F.adaptive_avg_pool2d(x, 1)
        return self.fc(x.flatten(1))


class Residual(nn.Module):
    """A branch that joins its input in an add with relu, and an add without."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding="same")
        self.conv3 = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.conv1(x)
        b = F.relu(self.conv2(F.relu(a)) + a)
        return self.conv3(b) + b


class Sequence(nn.Module):
    """One dimension: conv1d, average pool, permute, linear on the last axis, mean."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 6, 5, stride=2, padding=2)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardtanh(self.conv(x), -1.0, 1.0)
        x = F.avg_pool1d(x, 2)
        return self.fc(x.permute(0, 2, 1)).reshape(x.shape[0], -1)


class SpatialMean(nn.Module):
    """A mean over space, and an activation that nothing can take in."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return F.relu(y).mean([2, 3]) + y.mean([2, 3])


class Products(nn.Module):
    """A product of two activations, and addmm with a transposed weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 6 * 5).reshape(6, 5))
        self.bias = nn.Parameter(torch.linspace(-0.5, 0.5, 5))
        self.a = nn.Linear(6, 6)
        self.b = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        scores = torch.matmul(self.a(x), self.b(x).transpose(1, 2))
        rows = torch.addmm(self.bias, x.mean(1), self.weight)
        return torch.cat([scores.flatten(1), rows], 1)


class HostInTheMiddle(nn.Module):
    """An operator that no primitive computes, between two that are delegated."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.conv2 = nn.Conv2d(4, 2, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.cumsum(self.conv1(x), 1)
        return self.conv2(y), torch.softmax(y.flatten(1), 1)


class TwoInputs(nn.Module):
    """Two inputs, one of them with two users."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(8, 8)
        self.right = nn.Linear(8, 8)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        a = self.left(x) + self.right(y)
        return a, self.right(F.relu(a + x))


def examples(name: str, batch: int = 2) -> tuple[Tensor, ...]:
    """Return seeded inputs of a network."""
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {
        "ConvNet": ((3, 14, 22),),
        "Residual": ((4, 6, 7),),
        "Sequence": ((2, 24),),
        "SpatialMean": ((3, 7, 6),),
        "Products": ((5, 6),),
        "HostInTheMiddle": ((3, 8, 8),),
        "TwoInputs": ((8,), (8,)),
    }
    generator = torch.Generator().manual_seed(len(name))
    return tuple(torch.randn(batch, *shape, generator=generator) for shape in shapes[name])


NETWORKS: dict[str, type[nn.Module]] = {
    cls.__name__: cls
    for cls in (ConvNet, Residual, Sequence, SpatialMean, Products, HostInTheMiddle, TwoInputs)
}


def build(name: str) -> nn.Module:
    """Return a network in eval mode with seeded weights and batch statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        module = NETWORKS[name]()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.running_mean, -0.5, 0.5)
                nn.init.uniform_(part.running_var, 0.5, 2.0)
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.uniform_(part.bias, -0.5, 0.5)
    return module.eval()
