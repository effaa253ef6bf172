"""Sums of float32 in the order of ExecuTorch's portable kernels, one product and one sum at a time.

Each output element is one accumulator that starts at zero and takes its products in a stated order;
a product and a sum round separately (no fused multiply-add, no partial sums). Loops over outputs
may be vectorized, since that changes no order. Arrays are C-contiguous.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hw_models.compiled import kernel

Array = np.ndarray[Any, Any]


@kernel
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


@kernel
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


@kernel
def matmul(a: Array, b: Array, out: Array) -> None:
    """Multiply ``[M, K]`` by ``[K, N]``, in the order of K. ``out`` holds zeros."""
    for row in range(a.shape[0]):
        for k in range(a.shape[1]):
            value = a[row, k]
            for column in range(b.shape[1]):
                out[row, column] += value * b[k, column]


@kernel
def in_order(x: Array) -> Array:
    """Add ``[M, K]`` over K, in its order, from the first on."""
    out = x[:, 0].copy()
    for m in range(x.shape[0]):
        total = out[m]
        for k in range(1, x.shape[1]):
            total += x[m, k]
        out[m] = total
    return out


LANES = 8


@kernel
def by_lanes(x: Array, tail_in_lanes: bool) -> Array:
    """Add ``[M, K]`` over K as a vector of eight does: lane by lane, then the lanes in order.

    What is left of K goes into the first lanes, or is added at the end, one after the other.
    """
    out = np.empty(x.shape[0], np.float32)
    whole = x.shape[1] // LANES * LANES
    lanes = np.empty(LANES, np.float32)
    for m in range(x.shape[0]):
        lanes[:] = 0
        for k in range(x.shape[1] if tail_in_lanes else whole):
            lanes[k % LANES] += x[m, k]
        total = lanes[0]
        for lane in range(1, LANES):
            total += lanes[lane]
        for k in range(x.shape[1] if tail_in_lanes else whole, x.shape[1]):
            total += x[m, k]
        out[m] = total
    return out


CHUNK = 16


@kernel
def _join(count: int, mean: Array, square: Array, held: int, means: Array, squares: Array) -> int:
    """Join the moments of ``count`` values to those of ``held``, in place; return the new count."""
    total = count + held
    part = np.float32(0) if total == 0 else np.float32(count) / np.float32(total)
    for lane in range(mean.size):
        apart = mean[lane] - means[lane]
        means[lane] += part * apart
        squares[lane] += square[lane] + apart * apart * part * np.float32(held)
    return total


@kernel
def moments(x: Array) -> Array:
    """Return mean and variance of the rows of ``[M, K]``, as ``[2, M]``.

    Welford's recurrence in eight lanes, over chunks of sixteen vectors; chunks are joined as the
    leaves of a binary tree, then the lanes to what is left of K.
    """
    out = np.empty((2, x.shape[0]), np.float32)
    vectors = x.shape[1] // LANES
    chunks = (vectors + CHUNK - 1) // CHUNK
    depth = 0
    while 1 << depth < chunks:
        depth += 1
    levels = max(depth, 1)
    for m in range(x.shape[0]):
        counts = np.zeros(levels, np.int64)
        means = np.zeros((levels, LANES), np.float32)
        squares = np.zeros((levels, LANES), np.float32)
        for chunk in range(chunks):
            count = min(CHUNK, vectors - chunk * CHUNK)
            mean = np.zeros(LANES, np.float32)
            square = np.zeros(LANES, np.float32)
            for j in range(count):
                part = np.float32(1) / np.float32(j + 1)
                for lane in range(LANES):
                    value = x[m, (chunk * CHUNK + j) * LANES + lane]
                    apart = value - mean[lane]
                    mean[lane] += apart * part
                    square[lane] += apart * (value - mean[lane])
            counts[0] = _join(count, mean, square, counts[0], means[0], squares[0])
            mask = chunk + 1
            level = 1
            while level < depth and mask & 1 == 0:
                low = level - 1
                counts[level] = _join(
                    counts[low], means[low], squares[low],
                    counts[level], means[level], squares[level],
                )  # fmt: skip
                counts[low] = 0
                means[low] = 0
                squares[low] = 0
                mask >>= 1
                level += 1
        for level in range(1, depth):
            counts[0] = _join(
                counts[level], means[level], squares[level], counts[0], means[0], squares[0]
            )
        count = 0
        mean = np.zeros(1, np.float32)
        square = np.zeros(1, np.float32)
        for k in range(vectors * LANES, x.shape[1]):
            apart = x[m, k] - mean[0]
            count += 1
            mean[0] += apart / np.float32(count)
            square[0] += apart * (x[m, k] - mean[0])
        for lane in range(LANES):
            count = _join(
                vectors, means[0, lane : lane + 1], squares[0, lane : lane + 1], count, mean, square
            )
        out[0, m] = mean[0]
        out[1, m] = square[0] / np.float32(x.shape[1])
    return out


@kernel
def adaptive_pool(x: Array, rows: Array, columns: Array, out: Array) -> None:
    """Average ``[P, H, W]`` over windows, into ``[P, OH, OW]``: row by row, then one quotient.

    ``rows`` is ``[OH, 2]``, ``columns`` ``[OW, 2]``: where windows begin and end, inside ``x``.
    """
    for p in range(x.shape[0]):
        for i in range(rows.shape[0]):
            for j in range(columns.shape[0]):
                total = np.float32(0)
                for y in range(rows[i, 0], rows[i, 1]):
                    for z in range(columns[j, 0], columns[j, 1]):
                        total += x[p, y, z]
                count = (rows[i, 1] - rows[i, 0]) * (columns[j, 1] - columns[j, 0])
                out[p, i, j] = total / np.float32(count)
