"""Networks with integers in and out, and what of their programs is not an integer."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from qsim import Lowered, Quantized, Target, lower, quantize
from qsim.executorch import EdgeProgram, to_edge
from tests.qsim.executorch.edges import leaves


class ConvPool(nn.Module):
    """What one unit of an accelerator computes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Linear(36, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        return torch.tanh(self.last(x.flatten(1)))


class Dense(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


class Corners(nn.Module):
    """Inputs of several readers; outputs that are inputs, double, read inside, positions."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Any, ...]:
        z = self.a(x) + self.b(y)
        return z, x, z, {"again": self.b(x)}, (y + y).argmax(1), torch.relu(z)


class HostInput(nn.Module):
    """An input that the host reads too, in float."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.a(x), self.b(torch.cumsum(x, 1)), x


def made(module: type[nn.Module], target: Target, *shapes: tuple[int, ...], **config: Any) -> Any:
    """Return a seeded network for batches of two, quantized and lowered."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        inputs = tuple(torch.rand(2, *shape) * 2 - 1 for shape in shapes)
        source = quantize(module().eval(), inputs, target, config=config or None)
    return source, lower(source)


@cache
def q07() -> tuple[Quantized, Lowered, EdgeProgram]:
    """Return a network with Q0.7 in and out, on ``q7``, and its edge program."""
    fixed = {"inputs": {"x": "Q0.7"}, "outputs": {"0": "Q0.7"}}
    source, lowered = made(ConvPool, Target.load("q7"), (2, 8, 8), **fixed)
    return source, lowered, to_edge(source, max_batch=4, quantized_io=True)


def codes(network: Lowered, batch: int) -> tuple[Tensor, ...]:
    """Return codes over the whole range of every input, in the container of PT2E."""
    generator = torch.Generator().manual_seed(batch)
    found = []
    for spec in network.inputs:
        assert spec.format is not None
        low, high = spec.format.min, spec.format.max
        value = torch.randint(low, high + 1, (batch, *spec.shape[1:]), generator=generator)
        value.view(-1)[:2] = torch.tensor([low, high])
        dtype = "int32" if spec.dtype in ("uint16", "uint32") else spec.dtype
        found.append(value.to(getattr(torch, dtype)))
    return tuple(found)


def eager(network: Lowered, *values: Tensor) -> list[Tensor]:
    """Return what the lowered network makes of codes, in the containers of PT2E."""
    pairs = zip(values, network.inputs, strict=True)
    given = [value.to(getattr(torch, spec.dtype)) for value, spec in pairs]
    return [
        value.to(torch.int32) if value.dtype in (torch.uint16, torch.uint32) else value
        for value in leaves(network(*given))
    ]


def equal(found: Any, wanted: list[Tensor]) -> bool:
    """Return whether all outputs agree in type and value; nesting aside."""
    pairs = zip(leaves(found), wanted, strict=True)
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


class Floats(TorchDispatchMode):
    """Notes the operators of torch that take or make float tensors while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        values = [*leaves((args, kwargs)), *leaves(result)]
        if any(isinstance(v, Tensor) and v.dtype.is_floating_point for v in values):
            self.seen.append(str(func))
        return result
