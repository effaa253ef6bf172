"""Random programs of views and of writes in place, as modules that torch.export traces.

Values are small integers in float32, so that no sum depends on its order. A step that eager torch
refuses while the program is drawn is left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Step = tuple[Callable[..., Any], tuple[int, ...]]
SHAPE = (4, 6, 4)


class Program(nn.Module):
    """Steps on a list of tensors that begins with the input and a tensor computed from it."""

    def __init__(self, steps: list[Step], outputs: list[int]) -> None:
        super().__init__()
        self.steps = steps
        self.outputs = outputs

    @property
    def writes(self) -> bool:
        """Whether a step writes in place."""
        return any("write" in step.__qualname__ for step, _ in self.steps)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        live = [x, x * 2]
        for step, operands in self.steps:
            live.extend(made(step, live, operands))
        return tuple(live[at] for at in self.outputs)


def made(
    step: Callable[..., Any], live: list[torch.Tensor], operands: tuple[int, ...]
) -> list[Any]:
    result = step(*(live[at] for at in operands))
    if result is None:
        return []
    return list(result) if isinstance(result, (tuple, list)) else [result]


def draw(seed: int, steps: int = 7) -> Program:
    """Return a program; the same seed gives the same one."""
    rng = random.Random(seed)  # noqa: S311  # drawn to be tried, not to be kept secret
    torch.manual_seed(seed)
    live = [example(seed), example(seed) * 2]
    kept: list[Step] = []
    for _ in range(steps):
        operands = (rng.randrange(len(live)), rng.randrange(len(live)))
        kinds = (view, view, write, write, shape_in_place, read)
        step = rng.choice(kinds)(rng, live[operands[0]])
        before = [(tensor, tensor.clone()) for tensor in live]
        try:
            live.extend(made(step, live, operands))
        except (RuntimeError, IndexError, ValueError):
            live = [old if tensor.shape == old.shape else tensor for tensor, old in before]
            return Program(kept, outputs(rng, len(live)))
        kept.append((step, operands))
    return Program(kept, outputs(rng, len(live)))


def example(seed: int, batch: int = SHAPE[0]) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.randint(-4, 5, (batch, *SHAPE[1:])).float()


def outputs(rng: random.Random, live: int) -> list[int]:
    return sorted(rng.sample(range(live), min(live, rng.randint(1, 3))))


def view(rng: random.Random, of: torch.Tensor) -> Callable[..., Any]:
    """Return a step that makes views of its first operand (some of them only sometimes)."""
    rank = of.dim()
    dim = rng.randrange(max(rank, 1))
    size = of.shape[dim] if rank else 1
    other = rng.randrange(max(rank, 1))
    order = rng.sample(range(rank), rank)
    start, stride = rng.randrange(max(size, 1)), rng.randint(1, 2)
    letters = "abcdefg"[:rank]
    mixed = "".join(letters[at] for at in order)
    return rng.choice(
        [
            lambda t, _: t.chunk(2, dim),
            lambda t, _: t.split(max(1, size // 2), dim),
            lambda t, _: t.split([1, size - 1], dim),
            lambda t, _: t.tensor_split(3, dim),
            lambda t, _: t.unbind(dim),
            lambda t, _: t.select(dim, start),
            lambda t, _: t[..., start::stride] if dim == rank - 1 else t.narrow(dim, start, 1),
            lambda t, _: t.transpose(dim, other),
            lambda t, _: t.permute(order),
            lambda t, _: t.movedim(dim, other),
            lambda t, _: t.reshape(t.shape[0], -1),
            lambda t, _: t.reshape(-1),
            lambda t, _: t.flatten(dim),
            lambda t, _: t.view(*t.shape[:-1], 2, -1),
            lambda t, u: t.view_as(u),
            lambda t, u: t.reshape_as(u),
            lambda t, _: t.unsqueeze(dim),
            lambda t, _: t.squeeze(),
            lambda t, _: t.diagonal(0, dim, other),
            lambda t, _: t.contiguous(),
            lambda t, _: t.detach(),
            lambda t, _: t.to(torch.float32),
            lambda t, u: t.type_as(u),
            lambda t, u: t.expand_as(u),
            lambda t, _: t.unfold(dim, 2, 2),
            lambda t, _: torch.einsum(f"{letters}->{mixed}", t),
            lambda t, _: nn.functional.dropout(t, 0.5, training=False),
            lambda t, u: torch.broadcast_tensors(t, u),
            lambda t, _: nn.functional.pixel_shuffle(t.unsqueeze(1), 1),
        ]
    )


def write(rng: random.Random, of: torch.Tensor) -> Callable[..., Any]:
    """Return a step that writes into its first operand; some give what they wrote to."""
    number = rng.randint(-3, 3)

    def item(t: torch.Tensor, u: torch.Tensor) -> None:
        t[..., 0] = number

    def mask(t: torch.Tensor, u: torch.Tensor) -> None:
        t[t > 0] = number

    def silent(t: torch.Tensor, u: torch.Tensor) -> None:
        t.add_(u)

    return rng.choice(
        [
            lambda t, _: t.relu_(),
            lambda t, _: t.mul_(number),
            lambda t, _: t.add_(number),
            lambda t, u: t.sub_(u),
            lambda t, u: t.copy_(u),
            lambda t, _: t.zero_(),
            lambda t, _: t.clamp_(-1, 2),
            lambda t, u: t.masked_fill_(u > 0, number),
            lambda t, u: torch.mul(t, number, out=t),
            lambda t, u: torch._foreach_add_([t], number),
            item,
            mask,
            silent,
        ]
    )


def shape_in_place(rng: random.Random, of: torch.Tensor) -> Callable[..., Any]:
    """Return a step that changes the shape of its first operand in place."""
    dim = rng.randrange(max(of.dim(), 1))
    return rng.choice(
        [
            lambda t, _: t.unsqueeze_(dim),
            lambda t, _: t.squeeze_(dim),
            lambda t, _: t.transpose_(dim, 0),
        ]
    )


def read(rng: random.Random, of: torch.Tensor) -> Callable[..., Any]:
    """Return a step that computes a new tensor."""
    last = rng.randint(1, 2)
    return rng.choice(
        [
            lambda t, u: t + u,
            lambda t, _: t * last,
            lambda t, _: t.sum(-1, keepdim=True),
            lambda t, u: torch.cat([t, t], 0),
            lambda t, _: t.clone(),
        ]
    )
