"""Normalizations: what ExecuTorch's kernels subtract, multiply and add, in their order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from qsim.executorch.interpreter.portable import loops
from qsim.executorch.interpreter.portable.types import Definition, array, demand, float32, tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.executorch.interpreter.portable.loops import Array


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
    if not float32(x, weight, bias, mean, variance):
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
    demand(x.dim() >= 2, f"its input has {x.dim()} dimensions, not 2 or more")
    for other in others:
        if isinstance(other, torch.Tensor):
            demand(
                tuple(other.shape) == (x.shape[1],),
                f"a parameter is {list(other.shape)}, not [{x.shape[1]}]",
            )
    return x.shape, (0,), (0,)


# From this many elements on, the kernel works with vectors.
_VECTORIZED: Final = 256


def _few(rows: Array, eps: Array, scale: Array, offset: Array) -> tuple[Array, Array, Array]:
    """Normalize short rows: variance from the sum and the sum of squares; divide by the root."""
    count = np.float32(rows.shape[1])
    mean = loops.in_order(rows) / count
    deviation = np.sqrt(loops.in_order(rows * rows) / count - mean * mean + eps)
    out = (rows - mean[:, None]) / deviation[:, None] * scale + offset
    return out, mean, np.float32(1) / deviation


def _many(rows: Array, eps: Array, scale: Array, offset: Array) -> tuple[Array, Array, Array]:
    """Normalize long rows: Welford's moments; multiply by the inverse of the root."""
    mean, variance = loops.moments(rows)
    inverse = np.float32(1) / np.sqrt(variance + eps)
    shift = -inverse * mean
    return (rows * inverse[:, None] + shift[:, None]) * scale + offset, mean, inverse


def _layer_norm(
    x: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    eps: float,
) -> tuple[torch.Tensor, ...] | None:
    shapes = _layer_norm_shapes(x, normalized_shape, weight, bias, eps)
    if not float32(x, weight, bias) or not x.numel():
        return None
    rows = array(x).reshape(-1, math.prod(normalized_shape))
    scale, offset = (
        np.asarray(np.float32(number)) if given is None else array(given).reshape(-1)
        for given, number in ((weight, 1), (bias, 0))
    )
    with np.errstate(all="ignore"):
        normalize = _few if rows.shape[1] < _VECTORIZED else _many
        made = normalize(rows, np.asarray(np.float32(eps)), scale, offset)
    return tuple(tensor(each.reshape(shape)) for each, shape in zip(made, shapes, strict=True))


def _layer_norm_shapes(
    x: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    eps: float,  # noqa: ARG001 - of the values alone
) -> tuple[Sequence[int], ...]:
    inner = tuple(normalized_shape)
    outer = x.dim() - len(inner)
    demand(
        outer >= 0 and len(inner) > 0 and tuple(x.shape[outer:]) == inner,
        f"it normalizes {list(inner)} of {list(x.shape)}",
    )
    for given in (weight, bias):
        if given is not None:
            demand(tuple(given.shape) == inner, f"a parameter is {list(given.shape)}")
    moments = (*x.shape[:outer], *(1 for _ in inner))
    return x.shape, moments, moments


DEFINITIONS: Final = {
    "_native_batch_norm_legit_no_training.out": Definition(_batch_norm, _batch_norm_shapes),
    "native_layer_norm.out": Definition(_layer_norm, _layer_norm_shapes),
}
