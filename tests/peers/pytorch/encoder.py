"""A BERT encoder written out, and the same with torch's dynamically quantized linear layers."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

import qsim
from tests.peers.pytorch.dense import packed


class Layer(nn.Module):
    """Self-attention with a mask, and a feed-forward block with GELU, each behind a layer norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-12) for _ in range(2))
        for norm in self.norms:
            nn.init.normal_(norm.weight, 1, 0.2)  # type: ignore[arg-type]
            nn.init.normal_(norm.bias, 0, 0.2)  # type: ignore[arg-type]

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        length, width = x.shape[-2:]
        split = (-1, length, self.heads, width // self.heads)
        q, k, v = (
            dense(x).reshape(split).transpose(1, 2) for dense in (self.query, self.key, self.value)
        )
        scores = torch.matmul(q, k.transpose(2, 3)) * (1 / math.sqrt(split[-1])) + mask
        mixed = torch.matmul(torch.softmax(scores, -1), v)
        x = self.norms[0](x + self.output(mixed.transpose(1, 2).reshape(-1, length, width)))
        up = torch.nn.functional.gelu(self.up(x))
        return self.norms[1](x + self.down(up))


class Encoder(nn.Module):
    """Two layers, of several sequences with masks; last, a pooler's product and its tanh."""

    def __init__(self, width: int = 32, heads: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(2))
        self.pooler = nn.Linear(width, width)

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        made = []
        for x, mask in zip(inputs[::2], inputs[1::2], strict=True):
            hidden = x
            for layer in self.layers:
                hidden = layer(hidden, mask)
            pooled = self.pooler(hidden[:, 0])
            made += [hidden, pooled, torch.tanh(pooled)]
        return made


class Dense(nn.Module):
    """torch's dynamically quantized linear layer, with the weights of a Program's."""

    def __init__(self, program: qsim.Program, call: str, reduced: bool) -> None:
        super().__init__()
        self.packed, self.reduced = packed(program, call), reduced

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = torch.ops.quantized.linear_dynamic(x, self.packed, self.reduced)
        return made


def quantized_by_torch(model: nn.Module, program: qsim.Program, reduced: bool) -> nn.Module:
    """Return a model with torch's quantized layers in place of its linear ones."""
    made = copy.deepcopy(model)
    for call in program.calls:
        if call.primitive == "linear":
            parent, _, leaf = call.layer.rpartition(".")
            dense = Dense(program, call.name.removesuffix(".linear"), reduced)
            setattr(made.get_submodule(parent), leaf, dense)
    return made
