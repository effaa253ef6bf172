"""Bilinear interpolation, with positions and weights rounded as ExecuTorch's kernel does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.executorch.interpreter.portable.types import Definition, array, demand, float32, tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from qsim.executorch.interpreter.portable.loops import Array


def _bilinear(
    x: torch.Tensor,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float] | None,
) -> tuple[torch.Tensor] | None:
    (shape,) = _bilinear_shapes(x, output_size, align_corners, scale_factors)
    if not float32(x):
        return None
    factors = scale_factors or [
        made / size for made, size in zip(shape[2:], x.shape[2:], strict=True)
    ]
    (top, bottom, by_top, by_bottom), (left, right, by_left, by_right) = (
        _positions(*given, align_corners)
        for given in zip(x.shape[2:], shape[2:], factors, strict=True)
    )
    a = array(x)
    with np.errstate(all="ignore"):
        above, below = (
            a[:, :, rows[:, None], left] * by_left + a[:, :, rows[:, None], right] * by_right
            for rows in (top, bottom)
        )
        return (tensor(above * by_top[:, None] + below * by_bottom[:, None]),)


def _positions(
    size: int, made: int, factor: float, align_corners: bool
) -> tuple[Array, Array, Array, Array]:
    """Return, for each place along one dimension, its two neighbours and their weights."""
    at = np.arange(made)
    if size == made:
        return at, at, np.ones(made, np.float32), np.zeros(made, np.float32)
    if align_corners:
        step = (size - 1) / (made - 1) if made > 1 else 0.0
        place = np.float32(step) * at.astype(np.float32)
    else:
        half = np.float32(0.5)
        place = np.float32(1 / factor) * (at.astype(np.float32) + half) - half
        place = np.maximum(place, np.float32(0))
    first = np.floor(np.clip(place, 0, size - 1)).astype(np.int64)
    second = (place - first.astype(np.float32)).clip(0, 1)
    return first, np.minimum(first + 1, size - 1), np.float32(1) - second, second


def _bilinear_shapes(
    x: torch.Tensor,
    output_size: Sequence[int] | None,
    align_corners: bool,  # noqa: ARG001 - of the values alone
    scale_factors: Sequence[float] | None,
) -> tuple[tuple[int, ...]]:
    demand(x.dim() == 4, f"its input has {x.dim()} dimensions, not 4")
    demand(
        (output_size is None) != (scale_factors is None), "it states a size and factors, or neither"
    )
    given = output_size if output_size is not None else scale_factors
    demand(given is not None and len(given) == 2, f"it states {given}")
    if scale_factors is not None:
        demand(all(1e-6 < factor < 1e6 for factor in scale_factors), f"it states {scale_factors}")
    sizes = output_size or [
        int(size * factor) for size, factor in zip(x.shape[2:], scale_factors or (), strict=True)
    ]
    demand(min((*sizes, *x.shape[2:])) > 0, f"it makes {list(sizes)} of {list(x.shape)}")
    return ((*x.shape[:2], *sizes),)


DEFINITIONS: Final = {"upsample_bilinear2d.vec_out": Definition(_bilinear, _bilinear_shapes)}
