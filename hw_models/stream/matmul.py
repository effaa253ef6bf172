"""Products of two tensors in a command stream: a row of the result at a time, its sums in cache."""

from __future__ import annotations

import numpy as np

from hw_models.compiled import kernel, part
from hw_models.stream.entries import call_finish
from hw_models.stream.fields import (
    FINISH,
    FLIP,
    INT8,
    INT16,
    LEFT,
    LEFT_KIND,
    PAD,
    PAD_KIND,
    SIGNED,
    SUMS,
    UNIT,
    X2,
    X3,
    X4,
    H,
    N,
    O,
    W,
    X,
    Y,
)
from hw_models.stream.finish import BLOCK, SUM_BYTES
from hw_models.stream.memory import int8_at, int16_at, int32_at, share, uint8_at


@part
def _add(sums, codes, factor, zero, size):  # type: ignore[no-untyped-def]  # njit infers the types
    for i in range(size):
        sums[i] += factor * (np.int32(codes[i]) - zero)


@part
def _code(x, index, kind):  # type: ignore[no-untyped-def]
    """Return one code at an address."""
    if kind == INT16:
        return np.int32(int16_at(x + 2 * index, 1)[0])
    if kind == INT8:
        return np.int32(int8_at(x + index, 1)[0])
    return np.int32(uint8_at(x + index, 1)[0])


@kernel(nogil=True)
def matmul(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Multiply [N, H, W] by [N, W, O]; requantize, if asked."""
    depth, columns = d[W], d[O]
    zero, second = np.int32(d[LEFT]), np.int32(d[PAD])
    if d[LEFT_KIND]:
        zero = _code(arena + d[X3], 0, d[LEFT_KIND] - 1)
    if d[PAD_KIND]:
        second = _code(arena + d[X4], 0, d[PAD_KIND] - 1)
    item = 2 if d[FLIP] == INT16 else 1
    sums = int32_at(work + d[SUMS], columns)
    width = np.int64(BLOCK)
    first, last = share(d[N] * d[H], thread, threads)
    for at in range(first, last):
        sums[:] = 0
        b = arena + d[X2] + at // d[H] * depth * columns * item
        for k in range(depth):
            factor = _code(arena + d[X], at * depth + k, d[SIGNED]) - zero
            if d[FLIP] == INT16:
                _add(sums, int16_at(b, columns), factor, second, columns)
            elif d[FLIP] == INT8:
                _add(sums, int8_at(b, columns), factor, second, columns)
            else:
                _add(sums, uint8_at(b, columns), factor, second, columns)
            b += columns * item
        y = arena + d[Y] + at * columns * d[UNIT]
        for column in range(0, columns, BLOCK):
            outputs = min(BLOCK, columns - column)
            call_finish(
                d[FINISH], d, y, constants, work, work + d[SUMS] + column * SUM_BYTES, width,
                column, column, outputs, np.int64(1),
            )  # fmt: skip
