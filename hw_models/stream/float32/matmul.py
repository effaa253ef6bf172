"""Products of float32 matrices in a command stream: sums in the order of hw_models."""

from __future__ import annotations

from numba import carray

from hw_models.compiled import kernel
from hw_models.float32.matmul import products
from hw_models.stream.fields import (
    D0,
    MODE,
    SECOND,
    X2,
    X2_PLACE,
    X_PLACE,
    X,
    Y,
)
from hw_models.stream.float32.elements import place_of
from hw_models.stream.memory import p_float32, share, table_at


@kernel(nogil=True)
def float_matmul(d, arena, constants, _arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]  # njit infers the types
    """Multiply matrices; threads share the rows of all."""
    rows, depth, outputs = d[D0 + 1], d[D0 + 2], d[D0 + 3]
    left = place_of(d[X_PLACE], d[X], arena, constants)
    right = place_of(d[X2_PLACE], d[X2], arena, constants)
    where = table_at(constants + d[SECOND], d[D0], 2)
    first, last = share(d[D0] * rows, thread, threads)
    at = first
    while at < last:
        p, row = at // rows, at % rows
        count = min(rows - row, last - at)
        a = carray(p_float32(left + 4 * (where[p, 0] + row * depth)), (1, count, depth))
        b = carray(p_float32(right + 4 * where[p, 1]), (1, depth, outputs))
        y = carray(p_float32(arena + d[Y] + 4 * at * outputs), (1, count, outputs))
        products(a, b, y, d[MODE] != 0)
        at += count
