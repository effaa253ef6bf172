"""nn.MultiheadAttention with the batch in front, as it is exported.

torch's own forward turns its operands to (length, batch, features) for the projections, whether
``batch_first`` or not, and back: the batch would leave dimension 0, where networks keep it. While a
model is exported, its attention computes the same products with the batch where it is.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor, nn


@contextlib.contextmanager
def batch_in_front(model: nn.Module) -> Iterator[None]:
    """Let the attention of a model keep its batch in dimension 0 meanwhile."""
    from torch import nn

    # Of a subclass, or one whose forward somebody has replaced, nothing is known.
    found = [
        module
        for module in model.modules()
        if type(module) is nn.MultiheadAttention and "forward" not in module.__dict__
    ]
    try:
        for module in found:
            module.__dict__["forward"] = functools.partial(_forward, module)
        yield
    finally:
        for module in found:
            del module.__dict__["forward"]


def _forward(
    module: nn.MultiheadAttention,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,  # says what attn_mask is, which is given as well
) -> tuple[Tensor, Tensor | None]:
    import torch
    import torch.nn.functional as F  # noqa: N812 - torch's own name for it

    if query.dim() != 3 or module.bias_k is not None or module.add_zero_attn:
        return type(module).forward(
            module, query, key, value, key_padding_mask, need_weights, attn_mask,
            average_attn_weights, is_causal,
        )  # fmt: skip
    operands = (query, key, value)
    if not module.batch_first:
        query, key, value = (each.transpose(0, 1) for each in operands)
    q, k, v = (
        torch.unflatten(F.linear(each, weight, bias), -1, (module.num_heads, -1)).transpose(1, 2)
        for each, weight, bias in zip((query, key, value), *_projections(module), strict=True)
    )
    mask = _mask(q, attn_mask, key_padding_mask)
    weights = None
    if need_weights:
        scores = (q * module.head_dim**-0.5) @ k.transpose(-2, -1)
        if mask is not None and mask.dtype == torch.bool:
            scores = scores.masked_fill(mask, float("-inf"))
        elif mask is not None:
            scores = scores + mask
        weights = scores.softmax(-1)
        made = weights @ v
    else:
        allowed = ~mask if mask is not None and mask.dtype == torch.bool else mask
        made = F.scaled_dot_product_attention(q, k, v, allowed)
    made = F.linear(made.transpose(1, 2).flatten(2), module.out_proj.weight, module.out_proj.bias)
    if not module.batch_first:
        made = made.transpose(0, 1)
    if weights is not None and average_attn_weights:
        weights = weights.mean(1)
    return made, weights


def _projections(module: nn.MultiheadAttention) -> tuple[Any, Any]:
    held: Any = (module.in_proj_weight, module.in_proj_bias)
    width = module.embed_dim
    # Slices, which are folded; of the parts that chunk gives, nobody knows that they are constants.
    weights, biases = (
        [None if each is None else each[width * i : width * (i + 1)] for i in range(3)]
        for each in held
    )
    if held[0] is None:
        weights = [module.q_proj_weight, module.k_proj_weight, module.v_proj_weight]
    return weights, biases


def _mask(q: Tensor, attention: Tensor | None, padding: Tensor | None) -> Tensor | None:
    """Return what hides scores, of 2 or 4 dimensions: true where it does, or what is added."""
    import torch

    if attention is not None and attention.dim() == 3:
        attention = attention.reshape(-1, q.shape[1], *attention.shape[1:])
    if padding is not None:
        padding = padding[:, None, None, :]
    if attention is None or padding is None:
        return padding if attention is None else attention
    if attention.dtype == padding.dtype == torch.bool:
        return attention | padding
    return _added(attention, q.dtype) + _added(padding, q.dtype)


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    import torch

    if mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, float("-inf"))
