"""Sums of float32 in the order of ExecuTorch's portable kernels, one product and one sum at a time.

Each output element is one accumulator that starts at zero and takes its products in a stated order;
a product and a sum round separately (no fused multiply-add, no partial sums). Loops over outputs
may be vectorized, since that changes no order. Arrays are C-contiguous.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


@njit(cache=True)  # type: ignore[untyped-decorator]
def convolution(
    x: Array,
    weight: Array,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    out: Array,
) -> None:
    """Correlate ``[N, C, H, W]`` with ``[O, C/groups, KH, KW]``: input channel, row, column.

    A tap in the padding adds nothing, not even a zero. ``out`` holds zeros, ``[N, O, OH, OW]``.
    """
    inner = weight.shape[1]
    per_group = weight.shape[0] // groups
    height, width = x.shape[2], x.shape[3]
    columns = out.shape[3]
    for n in range(out.shape[0]):
        for o in range(out.shape[1]):
            first = o // per_group * inner
            for row in range(out.shape[2]):
                line = out[n, o, row]
                for c in range(inner):
                    for ky in range(weight.shape[2]):
                        y = stride[0] * row + dilation[0] * ky - padding[0]
                        if y < 0 or y >= height:
                            continue
                        source = x[n, first + c, y]
                        for kx in range(weight.shape[3]):
                            w = weight[o, c, ky, kx]
                            shift = dilation[1] * kx - padding[1]
                            begin = max(0, -(shift // stride[1]))
                            end = min(columns, (width - 1 - shift) // stride[1] + 1)
                            for column in range(begin, end):
                                line[column] += source[stride[1] * column + shift] * w


@njit(cache=True)  # type: ignore[untyped-decorator]
def transposed_convolution(
    x: Array,
    weight: Array,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    out: Array,
) -> None:
    """Scatter ``[N, C, H, W]`` by ``[C, O/groups, KH, KW]``: input row, column, channel, tap.

    ``out`` holds the bias, ``[N, O, OH, OW]``: here it is the first term of every sum.
    """
    inner = x.shape[1] // groups
    per_group = weight.shape[1]
    for n in range(out.shape[0]):
        for o in range(out.shape[1]):
            first = o // per_group * inner
            for iy in range(x.shape[2]):
                for ix in range(x.shape[3]):
                    for c in range(first, first + inner):
                        value = x[n, c, iy, ix]
                        for ky in range(weight.shape[2]):
                            y = stride[0] * iy + dilation[0] * ky - padding[0]
                            if y < 0 or y >= out.shape[2]:
                                continue
                            for kx in range(weight.shape[3]):
                                z = stride[1] * ix + dilation[1] * kx - padding[1]
                                if 0 <= z < out.shape[3]:
                                    out[n, o, y, z] += value * weight[c, o % per_group, ky, kx]


@njit(cache=True)  # type: ignore[untyped-decorator]
def matmul(a: Array, b: Array, out: Array) -> None:
    """Multiply ``[M, K]`` by ``[K, N]``, in the order of K. ``out`` holds zeros."""
    for row in range(a.shape[0]):
        for k in range(a.shape[1]):
            value = a[row, k]
            for column in range(b.shape[1]):
                out[row, column] += value * b[k, column]


@njit(cache=True)  # type: ignore[untyped-decorator]
def add_rows(x: Array, out: Array) -> None:
    """Add ``[M, K, N]`` over K, in its order. ``out`` holds zeros, ``[M, N]``."""
    for m in range(x.shape[0]):
        for k in range(x.shape[1]):
            for n in range(x.shape[2]):
                out[m, n] += x[m, k, n]
