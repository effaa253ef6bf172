"""Geometry of pooling windows, in 1-D to 3-D, shared by max and average pooling.

Windows are of a kernel, all of one length, or *adaptive*: torch's, which share a dimension out.
Of ``count`` adaptive windows over ``size`` elements, window i is ``floor(i*size / count)`` to
``ceil((i + 1)*size / count)``: where count does not divide size, they differ in length and
neighbours overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_sizes
from hw_models._pointwise import Layout
from hw_models.errors import ContractError
from hw_models.formats import is_int
from hw_models.products.geometry import MAX_PLANE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import IntArray

PerDim: TypeAlias = "int | Sequence[int]"
Padding: TypeAlias = "int | Sequence[int] | Sequence[tuple[int, int]]"


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows along one dimension.

    Attributes:
        starts: first tap of each window; negative in the padding.
        lengths: taps of each window.
        step: distance between taps.
        size: length of the input.
        counts: per window, taps inside the padded input (torch's divisor with padding included).
    """

    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    step: int
    size: int
    counts: npt.NDArray[np.int64]

    @property
    def taps(self) -> int:
        """Taps of the longest window."""
        return int(self.lengths.max(initial=0))

    @property
    def uniform(self) -> bool:
        """Whether all windows have as many taps."""
        return bool((self.lengths == self.taps).all())


def spatial_dims(x: IntArray, most: int = 3) -> int:
    """Return 1 to ``most`` for an array of shape N, C, *spatial, or raise ContractError."""
    if not 3 <= x.ndim <= most + 2:
        raise ContractError(
            f"x must have shape N, C and 1 to {most} spatial dimensions, not {x.shape} "
            f"(accepted: 3 to {most + 2} dimensions)"
        )
    return x.ndim - 2


def per_dim(value: Any, name: str, dims: int, low: int) -> tuple[int, ...]:
    """Return one int per spatial dimension from an int or a sequence."""
    many = np.iterable(value) and not isinstance(value, (str, bytes))
    items = (value,) * dims if is_int(value) else tuple(value) if many else ()
    if len(items) != dims or not all(is_int(item) for item in items):
        raise ContractError(
            f"{name} must be an integer or {dims} integers, not {value!r} (accepted: {low} or more)"
        )
    return require_sizes(items, name, low)


def _paddings(value: Any, dims: int) -> tuple[tuple[int, int], ...]:
    pairs = not is_int(value) and np.iterable(value) and any(np.iterable(item) for item in value)
    if not pairs:
        return tuple((p, p) for p in per_dim(value, "padding", dims, 0))
    if len(value) != dims or not all(np.shape(item) == (2,) for item in value):
        raise ContractError(
            f"padding must be (before, after) for each of {dims} dimensions, not {value!r} "
            "(accepted: an integer, one per dimension, or pairs)"
        )
    sides = [per_dim(item, "padding", 2, 0) for item in value]
    return tuple((side[0], side[1]) for side in sides)


def windows(
    x: IntArray, kernel: Any, stride: Any, padding: Any, dilation: Any, *, ceil_mode: bool
) -> list[Windows]:
    """Return the windows of every spatial dimension, or raise ContractError.

    With ``ceil_mode`` a last window may stick out of the padded input, but, as in torch, it must
    start inside the input or its leading padding. A window without any tap in the input is
    refused: it has neither a maximum nor an average.
    """
    dims = spatial_dims(x)
    kernels = per_dim(kernel, "kernel", dims, 1)
    strides = kernels if stride is None else per_dim(stride, "stride", dims, 1)
    pads = _paddings(padding, dims)
    dilations = per_dim(dilation, "dilation", dims, 1)
    zipped = zip(x.shape[2:], kernels, strides, pads, dilations, strict=True)
    return [_windows(*item, ceil_mode=ceil_mode) for item in zipped]


def adaptive_windows(x: IntArray, output_size: Any) -> list[Windows]:
    """Return the windows that share every spatial dimension out, or raise ContractError."""
    dims = spatial_dims(x)
    counts = per_dim(output_size, "output_size", dims, 1)
    if math.prod(counts) >= MAX_PLANE:
        raise ContractError(
            f"output_size must make less than 2**31 windows, not {counts} (accepted: fewer windows)"
        )
    if 0 in x.shape[2:]:
        raise ContractError(
            f"x must have an element in every spatial dimension, not shape {x.shape} "
            "(accepted: sizes of 1 or more)"
        )
    return [_shares(size, count) for size, count in zip(x.shape[2:], counts, strict=True)]


def _shares(size: int, count: int) -> Windows:
    window = np.arange(count, dtype=np.int64)
    starts = window * size // count
    lengths = -((window + 1) * size // -count) - starts
    return Windows(starts, lengths, 1, size, lengths)


def _windows(
    size: int, taps: int, stride: int, pad: tuple[int, int], step: int, *, ceil_mode: bool
) -> Windows:
    reach = step * (taps - 1) + 1
    room = size + pad[0] + pad[1] - reach
    if room < 0:
        raise ContractError(
            f"kernel must fit the padded input, not {reach} in {size + pad[0] + pad[1]} "
            "(accepted: a window no larger than the input and its padding)"
        )
    count = room // stride + 1
    if ceil_mode and room % stride and count * stride < size + pad[0]:
        count += 1
    last = (count - 1) * stride - pad[0]
    # The outer windows first: far outside, there may be more of them than memory.
    if pad[0] >= reach or last >= size:
        raise ContractError(_no_tap(pad, taps, reach))
    starts = np.arange(count, dtype=np.int64) * stride - pad[0]
    tap = starts[:, None] + step * np.arange(taps)
    if not ((tap >= 0) & (tap < size)).any(axis=1).all():
        raise ContractError(_no_tap(pad, taps, reach))
    lengths = np.full(count, taps, np.int64)
    return Windows(starts, lengths, step, size, (tap < size + pad[1]).sum(axis=1, dtype=np.int64))


def _no_tap(pad: tuple[int, int], taps: int, reach: int) -> str:
    return (
        f"padding must leave a tap of every window in the input, not {pad} for kernel {taps} "
        f"(accepted: less than {reach} on each side, input elements under every window)"
    )


def planes(x: IntArray) -> tuple[IntArray, bool]:
    """View x as (outer, D, H, W, inner): inner is the channels when they lie innermost."""
    lacking = 5 - x.ndim
    full = x.reshape(*x.shape[:2], *(1,) * lacking, *x.shape[2:]) if lacking else x
    if not x.flags.c_contiguous and full.transpose(0, 2, 3, 4, 1).flags.c_contiguous:
        return full.transpose(0, 2, 3, 4, 1), True
    n, c, *sizes = full.shape
    return np.ascontiguousarray(full).reshape(n * c, *sizes, 1), False


def result_layout(shape: tuple[int, ...], *, channels_last: bool) -> Layout:
    """Return how a result that was computed over ``planes`` lies in memory."""
    axes = tuple(range(len(shape)))
    return Layout((0, *axes[2:], 1) if channels_last else axes, shape)


def tables(spatial: list[Windows]) -> tuple[tuple[Any, Any, int], ...]:
    """Return kernel arguments (starts, lengths, step) of depth, rows and columns."""
    return tuple((axis.starts, axis.lengths, axis.step) for axis in three(spatial))


def counts(spatial: list[Windows]) -> npt.NDArray[np.int64]:
    """Return, per output position (depth, rows, columns), the taps inside the padded input."""
    depth, rows, columns = (axis.counts for axis in three(spatial))
    return depth[:, None, None] * rows[:, None] * columns


def three(spatial: list[Windows]) -> list[Windows]:
    """Return windows of three dimensions: in those that x lacks, one of one tap."""
    return [Windows(_ZERO, _ONE, 1, 1, _ONE)] * (3 - len(spatial)) + spatial


_ZERO = np.zeros(1, np.int64)
_ONE = np.ones(1, np.int64)
