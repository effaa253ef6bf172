"""Networks as users bring them, each with its inputs."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention


class Plain(nn.Module):
    """Convolutions, pools, two linears and a dropout; nested Sequentials, in-place activations."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
            nn.Sequential(nn.Conv2d(6, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
            nn.AdaptiveAvgPool2d((2, 2)),
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(32, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, 5)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class Basic(nn.Module):
    """A basic residual block with a strided shortcut, and one with the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.shortcut = nn.Sequential(nn.Conv2d(4, 8, 1, stride=2, bias=False), nn.BatchNorm2d(8))
        self.relu = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        out = self.relu(out)
        return self.relu(self.conv3(out) + out).mean((2, 3))


class Bottleneck(nn.Module):
    """1x1, grouped 3x3, 1x1, and a residual from the network's own input."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(8, 4, 1)
        self.mid = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.up = nn.Conv2d(4, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.up(F.relu(self.mid(F.relu(self.down(x))))) + x)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand, depthwise, project, add without activation."""

    def __init__(self) -> None:
        super().__init__()

        def block(i: int, o: int, k: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
            conv = nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=False)
            return nn.Sequential(conv, nn.BatchNorm2d(o), nn.ReLU6(inplace=True))

        self.stem = block(3, 4, 3, 2)
        self.expand = nn.Sequential(block(4, 12, 1), block(12, 12, 3, 1, 12))
        self.project = nn.Sequential(nn.Conv2d(12, 4, 1, bias=False), nn.BatchNorm2d(4))
        self.separable = nn.Sequential(block(4, 4, 3, 2, 4), block(4, 8, 1))
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.project(self.expand(x))
        x = F.adaptive_avg_pool2d(self.separable(x), (1, 1))
        return self.fc(torch.flatten(x, 1))


class Fire(nn.Module):
    """SqueezeNet's module: two branches joined by a cat."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(3, 4, 1)
        self.one = nn.Conv2d(4, 4, 1)
        self.three = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        x = torch.cat([F.relu(self.one(x)), F.relu(self.three(x))], 1)
        return self.last(F.max_pool2d(x, 3, 2, ceil_mode=True))


class UNet(nn.Module):
    """Down, up by interpolation, and a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(1, 4, 3, padding=1)
        self.deep = nn.Conv2d(4, 4, 3, padding=1)
        self.exit = nn.Conv2d(8, 1, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        skip = F.relu(self.enter(x))
        deep = F.relu(self.deep(F.max_pool2d(skip, 2)))
        return self.exit(torch.cat((skip, self.up(deep)), dim=1))


class UNetTransposed(nn.Module):
    """Up by a transposed convolution, joined by an add."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(1, 4, 3, padding=1)
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)
        self.exit = nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = F.relu(self.enter(x))
        return self.exit(self.up(F.avg_pool2d(skip, 2)) + skip)


class Mlp(nn.Module):
    """Linears with a functional dropout between them."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(10, 16, bias=False)
        self.b = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.dropout(F.relu(self.a(x)), 0.2, self.training))


class Audio(nn.Module):
    """Strided and dilated conv1d, max pool, global pool."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv1d(1, 6, 9, stride=4, padding=4)
        self.b = nn.Conv1d(6, 6, 3, dilation=2, padding="same", groups=3)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool1d(F.relu(self.a(x)), 2)
        x = F.relu(self.b(x))
        return self.fc(F.adaptive_avg_pool1d(x, 1).squeeze(-1))


class Temporal(nn.Module):
    """A causal temporal block: a pad on the left, chomp by slicing, residual."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv1d(4, 4, 3, dilation=2)
        self.b = nn.Conv1d(4, 4, 3, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.a(F.pad(x, (4, 0))))
        return F.relu(self.b(y)[:, :, :-2] + x)


class Encoder(nn.Module):
    """A transformer encoder block written out."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)
        self.norm1 = nn.LayerNorm(8)
        self.norm2 = nn.LayerNorm(8)
        self.up = nn.Linear(8, 16)
        self.down = nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        n, t, c = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        scores = torch.softmax(q @ k.transpose(-2, -1) * 0.5, -1)
        y = (scores @ v).transpose(1, 2).reshape(n, t, c)
        x = self.norm1(x + self.out(y))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Attention(nn.Module):
    """torch's own attention module."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Bmm(nn.Module):
    """bmm of two activations, and a linear with a computed weight."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 6)
        self.scale = nn.Parameter(torch.full((4, 6), 0.5))
        self.weight = nn.Parameter(torch.linspace(-1, 1, 24).reshape(4, 6))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.bmm(self.a(x), x.transpose(1, 2))
        return F.linear(y @ x, self.weight * self.scale)


class SqueezeExcite(nn.Module):
    """A gate per channel: sigmoid and a broadcast product."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.down = nn.Conv2d(6, 2, 1)
        self.up = nn.Conv2d(2, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        gate = torch.sigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))
        return F.avg_pool2d(x * gate, 2)


class Smooth(nn.Module):
    """GELU, SiLU, hardswish and hardsigmoid between convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        acts = (F.gelu, F.silu, F.hardswish, F.hardsigmoid)
        for conv, act in zip(self.convs, acts, strict=True):
            x = act(conv(x))
        return x


class Shared(nn.Module):
    """One relu, one convolution, one batch norm and one linear, each used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.other = nn.Conv2d(3, 3, 1, bias=False)
        self.bn = nn.BatchNorm2d(3)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn(self.conv(x)))
        x = self.relu(self.bn(self.other(self.conv(x))))
        x = x.mean((-1, -2))
        return self.fc(self.fc(x))


class Uses(nn.Module):
    """An input that is used three times, constants added, a scalar product."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 3, 1)
        self.b = nn.Conv2d(3, 3, 1)
        self.register_buffer("offset", torch.linspace(-1, 1, 3).reshape(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x) + self.b(x) + x
        return F.relu((y + self.offset) * 0.5)


class Pools(nn.Module):
    """Pools with ceil_mode, padding and overlap, behind even kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Conv2d(2, 4, 4, padding="same")
        self.tall = nn.Conv2d(4, 4, (2, 3), padding="same", dilation=(3, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.tall(self.same(x)))
        x = F.avg_pool2d(x, 3, 2, padding=1, ceil_mode=True)
        x = F.max_pool2d(x, 2, 2, padding=1, ceil_mode=True)
        x = F.avg_pool2d(x, (2, 1), 1, count_include_pad=False)
        return F.adaptive_avg_pool2d(x, (1, 2))


class UnevenPools(nn.Module):
    """Windows of differing lengths, and a divisor of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        y = F.avg_pool2d(x, 2, divisor_override=3)
        return F.adaptive_avg_pool2d(x, 3) + F.adaptive_max_pool2d(y, 3)


class Outputs(nn.Module):
    """A list of outputs, one of them an input's sum, one returned twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 6)
        self.b = nn.Linear(6, 2)

    def forward(self, x: Tensor, y: Tensor) -> list[Tensor]:
        z = F.relu(self.a(x)) + y
        return [z, self.b(z), z, y]


class Embedding(nn.Module):
    """Integer input."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)
        self.fc = nn.Linear(6, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc(F.relu(self.table(tokens))).mean(1)


class InPlace(nn.Module):
    """relu_, +=, *=, and a write that is read through its own result."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.next = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).relu_()
        y += x
        y.clamp_(0.0, 1.5)
        z = self.next(y)
        z.mul_(2.0)
        return z


class Shapes(nn.Module):
    """view with -1, permute, transpose, squeeze, unsqueeze, flatten, linear on rank 3."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, (3, 1))
        self.fc = nn.Linear(4, 6)
        self.conv1d = nn.Conv1d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)  # N 4 1 7
        x = x.squeeze(2).transpose(1, 2)  # N 7 4
        x = self.fc(x).permute(0, 2, 1)  # N 6 7
        x = self.conv1d(x).unsqueeze(1)
        return x.view(x.size(0), -1)


class Slices(nn.Module):
    """Slicing, chunk and split between convolutions: a channel split."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(4, 8, 1)
        self.b = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.a(x)
        left, right = x.chunk(2, 1)
        one, three = torch.split(right, [1, 3], dim=1)
        return self.b(left) + x[:, :4], torch.cat([three, one], 1)


class Static(nn.Module):
    """A batch size that the code insists on."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.fc(x)).reshape(2, 4).t()


class Merged(nn.Module):
    """The batch merged with time and taken apart again."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        n, t = x.shape[:2]
        y = F.relu(self.conv(x.reshape(n * t, 1, 4, 4))).flatten(1)
        return self.fc(y).reshape(n, t, 3).mean(1)


class Double(nn.Module):
    """float64 all the way."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3).double()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.fc(x))


class Clamps(nn.Module):
    """Activations of every bound, fused and alone, and two in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(2, 4, 1)
        self.b = nn.Conv2d(4, 4, 1)
        self.c = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardtanh(F.relu(self.a(x)), -0.3, 0.8)
        x = torch.clamp(self.b(x), min=-0.25)
        x = self.c(x).clamp(max=0.5)
        return F.relu6(F.max_pool2d(x, 2))


class Unused(nn.Module):
    """An input that nothing reads, and a layer that nothing calls."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.idle = nn.Linear(4, 3)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.fc(x)


class Reflect(nn.Module):
    """A padding mode that is not zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")
        self.b = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.leaky_relu(self.a(x)))


class Normalised(nn.Module):
    """Batch norms that fold nowhere: in front, after an activation, after two readers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.BatchNorm2d(2)
        self.conv = nn.Conv2d(2, 4, 3)
        self.after = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 4)
        self.flat = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.after(F.relu(self.conv(self.first(x))))
        return self.flat(self.fc(x.mean([2, 3])))


_SHAPES: dict[type[nn.Module], tuple[tuple[int, ...], ...]] = {
    Plain: ((3, 16, 16),), Basic: ((4, 8, 8),), Bottleneck: ((8, 5, 5),),
    InvertedResidual: ((3, 12, 12),), Fire: ((3, 8, 8),), UNet: ((1, 8, 8),),
    UNetTransposed: ((1, 8, 8),), Mlp: ((10,),), Audio: ((1, 64),), Temporal: ((4, 12),),
    Encoder: ((5, 8),), Attention: ((5, 8),), Bmm: ((5, 6),), SqueezeExcite: ((3, 6, 6),),
    Smooth: ((3, 4, 4),), Shared: ((3, 5, 5),), Uses: ((3, 4, 4),), Pools: ((2, 9, 11),),
    UnevenPools: ((2, 9, 9),), Outputs: ((6,), (6,)), Embedding: ((7,),), InPlace: ((3, 4, 4),),
    Shapes: ((2, 3, 7),), Slices: ((4, 4, 4),), Static: ((6,),), Merged: ((3, 1, 4, 4),),
    Double: ((4,),), Clamps: ((2, 6, 6),), Unused: ((4,), (4,)), Reflect: ((1, 6, 6),),
    Normalised: ((2, 5, 5),),
}  # fmt: skip


def _build(cls: type[nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        module = cls()
        for part in module.modules():
            if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.uniform_(part.running_mean, -0.5, 0.5)
                nn.init.uniform_(part.running_var, 0.5, 2.0)
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.uniform_(part.bias, -0.5, 0.5)
    return module


# By name: a function that builds the seeded network, in training mode.
MODELS = {cls.__name__: functools.partial(_build, cls) for cls in _SHAPES}


def example(name: str, batch: int, *, scale: float = 1.0) -> tuple[Tensor, ...]:
    """Return seeded inputs of a network."""
    generator = torch.Generator().manual_seed(batch)
    if name == "Embedding":
        return (torch.randint(0, 11, (batch, 7), generator=generator),)
    dtype = torch.float64 if name == "Double" else torch.float32
    shapes = {cls.__name__: found for cls, found in _SHAPES.items()}[name]
    return tuple(
        scale * torch.randn(batch, *shape, generator=generator, dtype=dtype) for shape in shapes
    )
