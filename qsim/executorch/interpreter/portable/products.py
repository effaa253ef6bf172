"""Convolutions and matrix products: one sum for each element, nothing fused.

A convolution adds over input channel, row, column, and then the bias; ``addmm`` over K, and then
the addend. ``mm``, ``bmm`` and ``linear`` are left to torch: ExecuTorch's wheel calls ``sgemm``,
and in a Python process that is torch's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.executorch.interpreter.portable import loops
from qsim.executorch.interpreter.portable.types import Definition, array, demand, float32, tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from qsim.executorch.interpreter.portable.loops import Array


def _pair(values: Sequence[int], single: int) -> tuple[int, int]:
    """Return values for two dimensions; one dimension becomes ``(single, value)``."""
    return (single, values[0]) if len(values) == 1 else (values[0], values[-1])


# A definition and its shapes take what the operator takes: the same list, by torch's schema.
def _convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> tuple[torch.Tensor] | None:
    if not float32(x, weight, bias) or x.dim() not in (3, 4):
        return None
    (shape,) = _convolution_shapes(
        x, weight, bias, stride, padding, dilation, transposed, output_padding, groups
    )
    flat = x.dim() == 3
    out = np.zeros(shape, np.float32)
    a, w, made = (given[:, :, None] if flat else given for given in (array(x), array(weight), out))
    steps = _pair(stride, 1), _pair(padding, 0), _pair(dilation, 1)
    offsets = None if bias is None else array(bias)[:, None, None]
    if transposed:
        if offsets is not None:
            made += offsets
        loops.transposed_convolution(a, w, *steps, groups, made)
    else:
        loops.convolution(a, w, *steps, groups, made)
        if offsets is not None:
            made += offsets
    return (tensor(out),)


def _convolution_shapes(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> tuple[tuple[int, ...]]:
    rank = x.dim() - 2
    lists = (stride, padding, dilation, *((output_padding,) if transposed else ()))
    demand(rank in (1, 2) and weight.dim() == x.dim(), "its input is not [N, C, W] or [N, C, H, W]")
    demand(all(len(values) in (1, rank) for values in lists), "it is of another rank")
    demand(min((*stride, *dilation, groups)) > 0, "a stride, a dilation or groups is not positive")
    demand(min((*padding, *(output_padding if transposed else ()))) >= 0, "a padding is negative")
    demand(x.dtype == weight.dtype, f"it is of {x.dtype} and {weight.dtype}")
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    demand(x.shape[1] == channels, f"its input has {x.shape[1]} channels, its weight {channels}")
    demand(weight.shape[0] % groups == 0, f"{weight.shape[0]} channels are not {groups} groups")
    if bias is not None:
        demand(tuple(bias.shape) == (outputs,), f"its bias is {list(bias.shape)}, not [{outputs}]")
    sizes = []
    for dim in range(rank):
        step, pad, spread = (values[dim if len(values) > 1 else 0] for values in lists[:3])
        reach = spread * (weight.shape[2 + dim] - 1)
        size = x.shape[2 + dim]
        if transposed:
            extra = output_padding[dim if len(output_padding) > 1 else 0]
            demand(extra < max(step, spread), f"its output padding is {extra}")
            sizes.append((size - 1) * step - 2 * pad + reach + extra + 1)
        else:
            sizes.append((size + 2 * pad - reach - 1) // step + 1)
    demand(min(sizes) > 0, f"its result would be {sizes}")
    return ((x.shape[0], outputs, *sizes),)


def _matmul_shapes(a: torch.Tensor, b: torch.Tensor, rank: int = 2) -> tuple[tuple[int, ...]]:
    demand(a.dim() == rank and b.dim() == rank, f"its operands do not have {rank} dimensions")
    demand(a.shape[:-2] == b.shape[:-2], "its operands are of different batches")
    demand(a.shape[-1] == b.shape[-2], f"{list(a.shape)} does not multiply {list(b.shape)}")
    demand(a.dtype == b.dtype, f"its operands are {a.dtype} and {b.dtype}")
    return ((*a.shape[:-1], b.shape[-1]),)


def _addmm_shapes(
    self: torch.Tensor, a: torch.Tensor, b: torch.Tensor, **_: float
) -> tuple[tuple[int, ...]]:
    (shape,) = _matmul_shapes(a, b)
    demand(self.dtype == a.dtype, f"it adds {self.dtype} to {a.dtype}")
    tail = shape[2 - self.dim() :] if self.dim() else ()
    good = self.dim() <= 2 and all(
        given in (1, size) for given, size in zip(self.shape, tail, strict=True)
    )
    demand(good, f"{list(self.shape)} cannot be added to {list(shape)}")
    return (shape,)


def _linear_shapes(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> tuple[tuple[int, ...]]:
    demand(x.dim() > 0 and weight.dim() == 2, "its weight does not have 2 dimensions")
    demand(x.shape[-1] == weight.shape[1], f"{list(x.shape)} does not fit {list(weight.shape)}")
    if bias is not None:
        demand(tuple(bias.shape) == (weight.shape[0],), f"its bias is {list(bias.shape)}")
    return ((*x.shape[:-1], weight.shape[0]),)


def _product(a: torch.Tensor, b: torch.Tensor) -> Array | None:
    if not float32(a, b) or a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[0]:
        return None
    out = np.zeros((a.shape[0], b.shape[1]), np.float32)
    loops.matmul(array(a), array(b), out)
    return out


def _addmm(
    self: torch.Tensor, a: torch.Tensor, b: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> tuple[torch.Tensor] | None:
    product = _product(a, b) if float32(self) else None
    if product is None:
        return None
    return (tensor(product * np.float32(alpha) + array(self) * np.float32(beta)),)


def _torchs(*args: object, **keywords: object) -> None:
    """Leave a product to torch, whose ``sgemm`` it is in either case."""


DEFINITIONS: Final = {
    "convolution.out": Definition(_convolution, _convolution_shapes),
    "addmm.out": Definition(_addmm, _addmm_shapes),
    "mm.out": Definition(_torchs, _matmul_shapes),
    "bmm.out": Definition(_torchs, partial(_matmul_shapes, rank=3)),
    "linear.out": Definition(_torchs, _linear_shapes),
}
