"""How scales and zero points lie along a tensor: one, along an axis, per row, per block."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array, axis_length, show
from hw_models._pointwise import Layout, channel_view, require_axis
from hw_models.errors import ContractError
from hw_models.formats import is_int


def parameters(
    shape: tuple[int, ...],
    scale: Any,
    zero_point: Any,
    axis: int | None,
    block: int | None,
    *,
    any_scale: bool = False,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], int]:
    """Return scales and zero points, 1-D, and their number (0: scalars), for parameter_view.

    Blocked parameters are spread to one per element, in C order. ``any_scale``: 0, infinite and
    NaN are scales too.
    """
    scales, zeros = as_array(scale, "scale"), as_array(zero_point, "zero_point")
    if axis is not None:
        require_axis(axis, len(shape), 0, 0, "")
    if scales.dtype.kind not in "fiu" or zeros.dtype.kind not in "iu":
        raise ContractError(
            f"scale must be numbers and zero_point integers, not {scales.dtype} and {zeros.dtype} "
            "(accepted: float32 or float64, any integer dtype)"
        )
    scales = scales.astype(np.float64)
    bad = scales < 0 if any_scale else ~(np.isfinite(scales) & (scales > 0))
    if bad.any():
        offender = float(scales.reshape(-1)[int(np.argmax(bad))])
        raise ContractError(f"scale must be positive and finite, not {offender} (accepted: > 0)")
    if zeros.size and (int(zeros.min()) < -(1 << 32) or int(zeros.max()) > 1 << 32):
        ends = f"{int(zeros.min())}..{int(zeros.max())}"
        raise ContractError(
            f"zero_point must be within 33 bits, not {ends} (accepted: -2**32..2**32)"
        )
    if block is not None:
        return _blocked(shape, scales, zeros, axis, block)
    if axis is None and scales.ndim:
        return _rows(shape, scales, zeros)
    if scales.ndim > 1 or zeros.ndim > 1 or (axis is None and scales.ndim + zeros.ndim > 0):
        raise ContractError(
            f"scale and zero_point must be scalars, or 1-D with an axis, not of shapes "
            f"{scales.shape} and {zeros.shape} with axis={axis} (accepted: scalar, 1-D with axis)"
        )
    if axis is None or scales.ndim + zeros.ndim == 0:
        return scales.reshape(1), zeros.reshape(1).astype(np.int64), 0
    length = axis_length(shape, axis)
    for what, table in (("scale", scales), ("zero_point", zeros)):
        if table.ndim:
            axis = require_axis(axis, len(shape), length, max(len(table), 0), what)
    full = np.broadcast_to(scales, length), np.broadcast_to(zeros, length).astype(np.int64)
    return np.ascontiguousarray(full[0]), np.ascontiguousarray(full[1]), length


def parameter_view(
    x: npt.NDArray[Any], axis: int | None, channels: int, block: int | None
) -> tuple[npt.NDArray[Any], Layout]:
    """View x so that the middle dimension runs along the parameters."""
    if axis is None and channels:
        layout = Layout(tuple(range(x.ndim)), x.shape)
        return np.ascontiguousarray(x).reshape(1, channels, -1), layout
    if block is None:
        return channel_view(x, (axis or 0) % max(x.ndim, 1), channels)
    layout = Layout(tuple(range(x.ndim)), x.shape)
    return np.ascontiguousarray(x).reshape(1, channels, 1), layout


def _rows(
    shape: tuple[int, ...], scales: npt.NDArray[np.float64], zeros: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], int]:
    """Return one scale and zero point per row: a row is what dimensions of length 1 stand for."""
    count = scales.ndim
    while count and scales.shape[count - 1] == 1:
        count -= 1
    same = scales.ndim == len(shape) and scales.shape[:count] == shape[:count] and scales.size
    if not same or count == len(shape) or zeros.shape not in ((), scales.shape):
        raise ContractError(
            f"scale and zero_point must be scalars, 1-D with an axis, or one per row, not of "
            f"shapes {scales.shape} and {zeros.shape} with axis=None (accepted: scalar, 1-D "
            "with axis, x's shape with length 1 in its last dimensions)"
        )
    if count == 0:
        return scales.reshape(1), zeros.reshape(1).astype(np.int64), 0
    full = np.broadcast_to(zeros, scales.shape).astype(np.int64).reshape(-1)
    return np.ascontiguousarray(scales.reshape(-1)), full, scales.size


def _blocked(
    shape: tuple[int, ...],
    scales: npt.NDArray[np.float64],
    zeros: npt.NDArray[Any],
    axis: int | None,
    block: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], int]:
    if axis is None or not is_int(block) or block < 1:
        raise ContractError(
            f"a block needs an axis of the array and a length, not axis={axis}, "
            f"block={show(block)} "
            "(accepted: an axis, and a block of 1 or more)"
        )
    axis %= len(shape)
    wanted = tuple(-(-n // block) if i == axis else n for i, n in enumerate(shape))
    if scales.shape != wanted or zeros.shape not in ((), wanted):
        raise ContractError(
            f"blocked scale and zero_point must have shape {wanted}, not {scales.shape} and "
            f"{zeros.shape} (accepted: {wanted}; a scalar zero_point)"
        )
    spread = [
        np.repeat(np.broadcast_to(t, wanted), block, axis).take(range(shape[axis]), axis)
        for t in (scales, zeros)
    ]
    return spread[0].reshape(-1), spread[1].astype(np.int64).reshape(-1), spread[0].size
