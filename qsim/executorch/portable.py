"""Where ExecuTorch's kernels round in another order than torch's: their order, defined here.

torch leaves float32 convolutions to oneDNN and products of matrices to a BLAS, which add in blocks
and with fused multiply-adds, and its means add in pairs. ExecuTorch's kernels add one after the
other. Both are right within rounding; a ``.pte`` means the second.

Only float32 is defined here, as the built-in models use it; other types run in torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from qsim.executorch import portable_loops as loops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsim.executorch.portable_loops import Array


@dataclass(frozen=True, slots=True)
class Definition:
    """How one operator is computed.

    Attributes:
        compute: from the arguments, out tensors left out, to the results in their order; None
            where torch's own kernel is to be asked.
        shapes: from the same, or from meta tensors, to the shapes of the results; refuses what
            does not fit. torch would take seconds to load what tells it these shapes.
    """

    compute: Callable[..., tuple[torch.Tensor, ...] | None]
    shapes: Callable[..., tuple[Sequence[int], ...]]


def defined(name: str, operator: Any) -> Callable[..., None]:
    """Return the function that computes an operator into its out tensors."""
    definition = DEFINITIONS.get(name)
    if definition is None:
        return operator  # type: ignore[no-any-return]
    outs = [argument.name for argument in operator._schema.arguments if argument.is_out]  # noqa: SLF001

    def call(*args: Any, **keywords: Any) -> None:
        given = {name: value for name, value in keywords.items() if name not in outs}
        results = definition.compute(*args, **given)
        if results is None:
            operator(*args, **keywords)
            return
        for out, result in zip(outs, results, strict=True):
            _put(keywords[out], result)

    return call


def on_shapes(name: str, operator: Any) -> Callable[..., None]:
    """Return the function that checks an operator's shapes on meta tensors."""
    definition = DEFINITIONS.get(name)
    if definition is None:
        return operator  # type: ignore[no-any-return]
    shapes = definition.shapes
    outs = [argument.name for argument in operator._schema.arguments if argument.is_out]  # noqa: SLF001

    def call(*args: Any, **keywords: Any) -> None:
        given = {name: value for name, value in keywords.items() if name not in outs}
        for out, shape in zip(outs, shapes(*args, **given), strict=True):
            keywords[out].resize_(tuple(shape))

    return call


def _put(out: torch.Tensor, result: torch.Tensor) -> None:
    if out.dtype != result.dtype:
        raise TypeError(f"its result is {result.dtype}, its out tensor {out.dtype}")
    if out.shape != result.shape:
        if out.numel():
            raise ValueError(f"its result is {list(result.shape)}, as {list(out.shape)} planned")
        out.resize_(result.shape)
    out.copy_(result)


def _float32(*tensors: torch.Tensor | None) -> bool:
    return all(tensor is None or tensor.dtype == torch.float32 for tensor in tensors)


def _array(tensor: torch.Tensor) -> Array:
    return tensor.contiguous().numpy()


def _pair(values: Sequence[int], single: int) -> tuple[int, int]:
    """Return values for two dimensions; one dimension becomes ``(single, value)``."""
    return (single, values[0]) if len(values) == 1 else (values[0], values[-1])


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
    if not _float32(x, weight, bias) or x.dim() not in (3, 4):
        return None
    (shape,) = _convolution_shapes(
        x, weight, bias, stride, padding, dilation, transposed, output_padding, groups
    )
    flat = x.dim() == 3
    out = np.zeros(shape, np.float32)
    a, w, made = (
        array[:, :, None] if flat else array for array in (_array(x), _array(weight), out)
    )
    steps = _pair(stride, 1), _pair(padding, 0), _pair(dilation, 1)
    offsets = None if bias is None else _array(bias)[:, None, None]
    if transposed:
        if offsets is not None:
            made += offsets
        loops.transposed_convolution(a, w, *steps, groups, made)
    else:
        loops.convolution(a, w, *steps, groups, made)
        if offsets is not None:
            made += offsets
    return (torch.from_numpy(out),)


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
    _demand(
        rank in (1, 2) and weight.dim() == x.dim(), "its input is not [N, C, W] or [N, C, H, W]"
    )
    _demand(all(len(values) in (1, rank) for values in lists), "it is of another rank")
    _demand(min((*stride, *dilation, groups)) > 0, "a stride, a dilation or groups is not positive")
    _demand(min((*padding, *(output_padding if transposed else ()))) >= 0, "a padding is negative")
    _demand(x.dtype == weight.dtype, f"it is of {x.dtype} and {weight.dtype}")
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    _demand(x.shape[1] == channels, f"its input has {x.shape[1]} channels, its weight {channels}")
    _demand(weight.shape[0] % groups == 0, f"{weight.shape[0]} channels are not {groups} groups")
    if bias is not None:
        _demand(tuple(bias.shape) == (outputs,), f"its bias is {list(bias.shape)}, not [{outputs}]")
    sizes = []
    for dim in range(rank):
        step, pad, spread = (values[dim if len(values) > 1 else 0] for values in lists[:3])
        reach = spread * (weight.shape[2 + dim] - 1)
        size = x.shape[2 + dim]
        if transposed:
            extra = output_padding[dim if len(output_padding) > 1 else 0]
            _demand(extra < max(step, spread), f"its output padding is {extra}")
            sizes.append((size - 1) * step - 2 * pad + reach + extra + 1)
        else:
            sizes.append((size + 2 * pad - reach - 1) // step + 1)
    _demand(min(sizes) > 0, f"its result would be {sizes}")
    return ((x.shape[0], outputs, *sizes),)


def _demand(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def _matmul_shapes(a: torch.Tensor, b: torch.Tensor, rank: int = 2) -> tuple[tuple[int, ...]]:
    _demand(a.dim() == rank and b.dim() == rank, f"its operands do not have {rank} dimensions")
    _demand(a.shape[:-2] == b.shape[:-2], "its operands are of different batches")
    _demand(a.shape[-1] == b.shape[-2], f"{list(a.shape)} does not multiply {list(b.shape)}")
    _demand(a.dtype == b.dtype, f"its operands are {a.dtype} and {b.dtype}")
    return ((*a.shape[:-1], b.shape[-1]),)


def _addmm_shapes(
    self: torch.Tensor, a: torch.Tensor, b: torch.Tensor, **_: float
) -> tuple[tuple[int, ...]]:
    (shape,) = _matmul_shapes(a, b)
    _demand(self.dtype == a.dtype, f"it adds {self.dtype} to {a.dtype}")
    tail = shape[2 - self.dim() :] if self.dim() else ()
    good = self.dim() <= 2 and all(
        given in (1, size) for given, size in zip(self.shape, tail, strict=True)
    )
    _demand(good, f"{list(self.shape)} cannot be added to {list(shape)}")
    return (shape,)


def _linear_shapes(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> tuple[tuple[int, ...]]:
    _demand(x.dim() > 0 and weight.dim() == 2, "its weight does not have 2 dimensions")
    _demand(x.shape[-1] == weight.shape[1], f"{list(x.shape)} does not fit {list(weight.shape)}")
    if bias is not None:
        _demand(tuple(bias.shape) == (weight.shape[0],), f"its bias is {list(bias.shape)}")
    return ((*x.shape[:-1], weight.shape[0]),)


def _reduced(x: torch.Tensor, dims: Sequence[int] | None) -> list[int]:
    rank = x.dim()
    _demand(all(-rank <= dim < max(rank, 1) for dim in dims or ()), f"it has {rank} dimensions")
    return sorted({dim % rank for dim in dims}) if dims and rank else list(range(rank))


def _mean_shapes(
    x: torch.Tensor,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    **_: object,
) -> tuple[tuple[int, ...]]:
    reduced = _reduced(x, dim)
    sizes = [(1 if i in reduced else size, i in reduced) for i, size in enumerate(x.shape)]
    return (tuple(size for size, gone in sizes if keepdim or not gone),)


def _product(a: torch.Tensor, b: torch.Tensor) -> Array | None:
    if not _float32(a, b) or a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[0]:
        return None
    out = np.zeros((a.shape[0], b.shape[1]), np.float32)
    loops.matmul(_array(a), _array(b), out)
    return out


def _addmm(
    self: torch.Tensor, a: torch.Tensor, b: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> tuple[torch.Tensor] | None:
    product = _product(a, b) if _float32(self) else None
    if product is None:
        return None
    # Integers become float32, real numbers make the sum one of doubles.
    kind: Any = np.float32 if isinstance(beta, int) and isinstance(alpha, int) else np.float64
    scaled = product.astype(kind, copy=False) * kind(alpha) + _array(self).astype(kind) * kind(beta)
    return (torch.from_numpy(scaled.astype(np.float32)),)


def _torchs(*args: object, **keywords: object) -> None:
    """Leave a product to torch: the order of the BLAS in ExecuTorch's wheel is not known."""


def _sum(x: torch.Tensor, dims: Sequence[int] | None, *, keep: bool) -> torch.Tensor:
    """Add over dimensions, in the order of memory."""
    rank = x.dim()
    reduced = _reduced(x, dims)
    kept = [dim for dim in range(rank) if dim not in reduced]
    count = math.prod(x.shape[dim] for dim in reduced)
    rows = _array(x.permute(*kept, *reduced)).reshape(-1, count, 1)
    out = np.zeros((rows.shape[0], 1), np.float32)
    loops.add_rows(rows, out)
    shape = [1 if dim in reduced else x.shape[dim] for dim in range(rank)]
    return torch.from_numpy(out.reshape(shape if keep else [x.shape[dim] for dim in kept]))


def _mean(
    x: torch.Tensor,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> tuple[torch.Tensor] | None:
    if not _float32(x) or dtype not in (None, torch.float32) or not x.numel():
        return None
    total = _sum(x, dim, keep=keepdim)
    return (total / (x.numel() // total.numel()),)


def _batch_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    mean: torch.Tensor,
    variance: torch.Tensor,
    momentum: float,  # noqa: ARG001 - training only
    eps: float,
) -> tuple[torch.Tensor, ...]:
    """Normalize channels: subtract, multiply by the inverse deviation, by the weight, add."""
    if not _float32(x, weight, bias, mean, variance):
        raise TypeError("batch normalization is defined for float32 alone")
    shape = [1, -1] + [1] * (x.dim() - 2)
    # The root is taken in float64, of a float32 variance and a float64 eps.
    inverse = (1.0 / torch.sqrt(variance.double() + eps)).float()
    out = (x - mean.reshape(shape)) * inverse.reshape(shape)
    if weight is not None:
        out *= weight.reshape(shape)
    out = out + (bias.reshape(shape) if bias is not None else 0.0)
    empty = torch.empty(0)
    return out, empty, empty


def _batch_norm_shapes(
    x: torch.Tensor, *others: torch.Tensor | float | None
) -> tuple[Sequence[int], ...]:
    if x.dim() < 2:
        raise ValueError(f"its input has {x.dim()} dimensions, not 2 or more")
    for other in others:
        if isinstance(other, torch.Tensor) and tuple(other.shape) != (x.shape[1],):
            raise ValueError(f"a parameter is {list(other.shape)}, not [{x.shape[1]}]")
    return x.shape, (0,), (0,)


DEFINITIONS: Final = {
    f"aten::{name}": definition
    for name, definition in {
        "convolution.out": Definition(_convolution, _convolution_shapes),
        "addmm.out": Definition(_addmm, _addmm_shapes),
        "mm.out": Definition(_torchs, _matmul_shapes),
        "bmm.out": Definition(_torchs, partial(_matmul_shapes, rank=3)),
        "linear.out": Definition(_torchs, _linear_shapes),
        "mean.out": Definition(_mean, _mean_shapes),
        "_native_batch_norm_legit_no_training.out": Definition(_batch_norm, _batch_norm_shapes),
    }.items()
}
