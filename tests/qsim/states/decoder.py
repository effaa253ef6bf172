"""A decoder with caches of its own, quantized once for all tests that read it."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

import qsim

if TYPE_CHECKING:
    from qsim.network import Lowered
    from qsim.quantizer import Quantized

TARGET = qsim.Target.load("integer-transformer")
WORDS, LENGTH = 12, 70
STYLES = ("index_copy", "index_put", "attention")


class Block(nn.Module):
    """Attention over what a cache holds; ``style`` is how it is written and masked."""

    def __init__(self, width: int, length: int, style: str) -> None:
        super().__init__()
        self.style, self.length = style, length
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("keys", torch.zeros(1, 2, length, width // 2))
        self.register_buffer("values", torch.zeros(1, 2, length, width // 2))

    def forward(self, x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        batch, count, width = x.shape
        parts = (layer(self.norm(x)) for layer in (self.q, self.k, self.v))
        q, k, v = (y.view(batch, count, 2, width // 2).transpose(1, 2) for y in parts)
        if self.style == "index_copy":
            self.keys.index_copy_(2, at, k)
            self.values.index_copy_(2, at, v)
        else:
            self.keys[:, :, at], self.values[:, :, at] = k, v
        seen = torch.arange(self.length) <= at[:, None]
        if self.style == "attention":
            y = scaled_dot_product_attention(q, self.keys, self.values, attn_mask=seen)
        else:
            scores = q @ self.keys.transpose(-1, -2) / math.sqrt(width // 2)
            least = torch.finfo(torch.float32).min
            if self.style == "index_copy":
                scores = scores.masked_fill(~seen, float("-inf"))
            else:
                scores = torch.where(seen, scores, least)
            y = scores.softmax(-1) @ self.values
        return x + self.out(y.transpose(1, 2).reshape(batch, count, width))


class Decoder(nn.Module):
    def __init__(self, length: int = LENGTH, style: str = "index_copy") -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, 8), nn.Embedding(length, 8)
        self.block = Block(8, length, style)
        self.head = nn.Linear(8, WORDS)

    def forward(self, tokens: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return self.head(self.block(self.words(tokens) + self.places(at), at))


class Counting(Decoder):
    """Counts positions from the first that it is given, as transformers does."""

    def forward(self, tokens: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return super().forward(tokens, at[0] + torch.arange(tokens.shape[1]))


def module(length: int, style: str = "index_copy") -> Decoder:
    torch.manual_seed(3)
    return Decoder(length, style).eval()


def tokens(count: int) -> torch.Tensor:
    return torch.randint(0, WORDS, (1, count), generator=torch.Generator().manual_seed(5))


def one_by_one(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    words = tokens(count)
    return [(words[:, i : i + 1], torch.tensor([i])) for i in range(count)]


@cache
def quantized() -> Quantized:
    steps = one_by_one(LENGTH)
    return qsim.quantize(module(LENGTH), steps[0], TARGET, steps)


@cache
def lowered() -> Lowered:
    return qsim.lower(quantized())
