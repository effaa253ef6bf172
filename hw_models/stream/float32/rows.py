"""Softmax and layer norm of float32 rows in a command stream: the kernels of hw_models."""

from __future__ import annotations

from numba import carray

from hw_models.compiled import kernel
from hw_models.float32 import layer_norm, softmax
from hw_models.stream.fields import LANES, LEVELS, TABLE, WEIGHTED, C, N, X, Y
from hw_models.stream.memory import (
    float32_at,
    float32_rows_at,
    int64_at,
    p_float32,
    share,
)


@kernel(nogil=True)
def float_softmax(d, arena, _constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]  # njit infers the types
    """Compute the softmax of rows."""
    first, last = share(d[N], thread, threads)
    at, count = 4 * first * d[C], last - first
    x = float32_rows_at(arena + d[X] + at, count, d[C])
    y = float32_rows_at(arena + d[Y] + at, count, d[C])
    softmax.rows(x, y, d[LANES], float32_at(work, d[LANES]))


@kernel(nogil=True)
def float_layer_norm(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Normalize rows; the workspace has counts, the stack and moments of lanes."""
    size, lanes, levels, table = d[C], d[LANES], d[LEVELS], constants + d[TABLE]
    first, last = share(d[N], thread, threads)
    at, count = 4 * first * size, last - first
    x = float32_rows_at(arena + d[X] + at, count, size)
    y = float32_rows_at(arena + d[Y] + at, count, size)
    held = size if d[WEIGHTED] else 0
    weight, bias = float32_at(table + 64, held), float32_at(table + 64 + 4 * held, held)
    stack = carray(p_float32(work + 8 * levels), (levels, 2, lanes))
    moments = float32_rows_at(work + 8 * levels + 8 * levels * lanes, 2, lanes)
    eps = float32_at(table, 1)[0]
    layer_norm.rows(x, y, weight, bias, eps, stack, int64_at(work, levels), moments)
