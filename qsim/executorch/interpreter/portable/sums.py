"""Sums, means, variances and average pools: one sum in a stated order.

* Over several dimensions, or all: one after the other, in the order of memory, from the first.
* ``sum`` over one dimension that lies in memory in one piece: eight lanes, then these.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from qsim.executorch.interpreter.portable import loops
from qsim.executorch.interpreter.portable.types import (
    Definition,
    array,
    axis_of,
    demand,
    float32,
    reduced_dims,
    reduced_shape,
    same_shape,
    tensor,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.executorch.interpreter.portable.loops import Array


def _rows(x: torch.Tensor, dims: Sequence[int] | None) -> Array:
    """Return ``[R, K]``: for each element that stays, what is reduced, in the order of memory."""
    reduced = reduced_dims(x, dims)
    kept = [dim for dim in range(x.dim()) if dim not in reduced]
    count = math.prod(x.shape[dim] for dim in reduced)
    return array(x.permute(*kept, *reduced)).reshape(-1, count)


def _shaped(
    values: Array, x: torch.Tensor, dims: Sequence[int] | None, keepdim: bool
) -> tuple[torch.Tensor]:
    return (tensor(values.reshape(reduced_shape(x, dims, keepdim))),)


def _sum_shapes(
    x: torch.Tensor, dim: Sequence[int] | None = None, keepdim: bool = False, **_: object
) -> tuple[tuple[int, ...]]:
    return (reduced_shape(x, dim, keepdim),)


def _defined(x: torch.Tensor, dtype: torch.dtype | None) -> bool:
    return float32(x) and dtype in (None, torch.float32) and x.numel() > 0


def _sum(
    x: torch.Tensor,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> tuple[torch.Tensor] | None:
    if not _defined(x, dtype):
        return None
    rows = _rows(x, dim)
    if dim is None or len(dim) != 1:
        total = loops.in_order(rows)
    elif math.prod(x.shape[axis_of(x, dim[0]) + 1 :]) == 1:
        total = loops.by_lanes(rows, tail_in_lanes=False)
    else:
        total = loops.in_order(rows) + np.float32(0)  # this sum begins at 0, so it is never -0
    return _shaped(total, x, dim, keepdim)


def _mean_rows(rows: Array) -> Array:
    return np.asarray(loops.in_order(rows) / np.float32(rows.shape[1]))


def _mean(
    x: torch.Tensor,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> tuple[torch.Tensor] | None:
    return _shaped(_mean_rows(_rows(x, dim)), x, dim, keepdim) if _defined(x, dtype) else None


def _variance_rows(rows: Array, correction: float) -> tuple[Array, Array]:
    """Return variance and mean; the last quotient is one of float64."""
    mean = _mean_rows(rows)
    divisor = rows.shape[1] - correction
    if divisor <= 0:
        return np.full(len(rows), np.nan, np.float32), mean
    apart = rows - mean[:, None]
    with np.errstate(over="ignore"):
        return (loops.in_order(apart * apart) / np.float64(divisor)).astype(np.float32), mean


def _variance(
    x: torch.Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[torch.Tensor] | None:
    if not _defined(x, None):
        return None
    variance, _ = _variance_rows(_rows(x, dim), 1 if correction is None else correction)
    return _shaped(variance, x, dim, keepdim)


def _variance_and_mean(
    x: torch.Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[torch.Tensor, ...] | None:
    if not _defined(x, None):
        return None
    both = _variance_rows(_rows(x, dim), 1 if correction is None else correction)
    return tuple(_shaped(values, x, dim, keepdim)[0] for values in both)


def _variance_and_mean_shapes(
    x: torch.Tensor, dim: Sequence[int] | None = None, *, keepdim: bool = False, **_: object
) -> tuple[tuple[int, ...], ...]:
    return (reduced_shape(x, dim, keepdim),) * 2


def _cumsum(
    x: torch.Tensor, dim: int, *, dtype: torch.dtype | None = None
) -> tuple[torch.Tensor] | None:
    if not _defined(x, dtype) or not x.dim():
        return None
    return (tensor(np.cumsum(array(x), axis_of(x, dim), np.float32)),)


def _product(x: torch.Tensor, *, dtype: torch.dtype | None = None) -> tuple[torch.Tensor] | None:
    if not _defined(x, dtype):
        return None
    with np.errstate(all="ignore"):
        return (tensor(np.cumprod(array(x).reshape(-1), dtype=np.float32)[-1:].reshape(())),)


def _adaptive_average(x: torch.Tensor, output_size: Sequence[int]) -> tuple[torch.Tensor] | None:
    (shape,) = _adaptive_shapes(x, output_size)
    if not float32(x):
        return None
    planes = array(x).reshape(-1, *x.shape[-2:])
    out = np.empty((len(planes), *output_size), np.float32)
    rows, columns = (_spans(*sizes) for sizes in zip(x.shape[-2:], output_size, strict=True))
    loops.adaptive_pool(planes, rows, columns, out)
    return (tensor(out.reshape(shape)),)


def _spans(size: int, count: int) -> Array:
    """Return ``[count, 2]``: where each window begins and ends, as rounded in float32."""
    at = np.arange(count, dtype=np.int64)
    begin = np.floor((at * size).astype(np.float32) / np.float32(count))
    end = np.ceil(((at + 1) * size).astype(np.float32) / np.float32(count))
    return np.stack([begin, end], 1).astype(np.int64).clip(0, size)


def _adaptive_shapes(x: torch.Tensor, output_size: Sequence[int]) -> tuple[tuple[int, ...]]:
    demand(x.dim() in (3, 4), f"its input has {x.dim()} dimensions, not 3 or 4")
    demand(len(output_size) == 2, f"its output size is {list(output_size)}")
    demand(min((*output_size, *x.shape[-2:])) > 0, f"it makes {list(output_size)} of {x.shape}")
    return ((*x.shape[:-2], *output_size),)


DEFINITIONS: Final = {
    "sum.IntList_out": Definition(_sum, _sum_shapes),
    "mean.out": Definition(_mean, _sum_shapes),
    "mean.dtype_out": Definition(_mean, _sum_shapes),
    "var.correction_out": Definition(_variance, _sum_shapes),
    "var_mean.correction_out": Definition(_variance_and_mean, _variance_and_mean_shapes),
    "cumsum.out": Definition(_cumsum, same_shape),
    "prod.out": Definition(_product, _sum_shapes),
    "_adaptive_avg_pool2d.out": Definition(_adaptive_average, _adaptive_shapes),
}
