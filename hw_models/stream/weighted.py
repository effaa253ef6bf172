"""Resizes that weigh their taps in a command stream: one output row after the other."""

from __future__ import annotations

import numpy as np
from numba import carray

from hw_models.compiled import kernel, part
from hw_models.resize import _weighted
from hw_models.stream.elements import bytes_of
from hw_models.stream.entries import call_move
from hw_models.stream.fields import (
    COLUMN_TABLE,
    FRACTION,
    LOAD,
    OH,
    OW,
    ROW_TABLE,
    STORE,
    X_KIND,
    Y_KIND,
    C,
    H,
    N,
    W,
    X,
    Y,
)
from hw_models.stream.memory import int64_at, p_int64, share, table_at


@part
def _hold(d, arena, work, held, line, other):  # type: ignore[no-untyped-def]  # njit infers the types
    """Have a row of the input in one of two slots, not in that of ``other``; return which."""
    if held[0] == line:
        return 0
    if held[1] == line:
        return 1
    slot = 1 if held[0] == other else 0
    size, kind = d[W] * d[C], d[X_KIND]
    x = arena + d[X] + line * size * bytes_of(kind)
    call_move(d[LOAD], work + 8 * slot * size, x, size, np.int64(1), kind)
    held[slot] = line
    return slot


@kernel(nogil=True)
def resize(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Resize [N, H, W, C] to [N, OH, OW, C] as ``hw_models.resize`` does."""
    rows = table_at(constants + d[ROW_TABLE], d[OH], 4)
    columns = table_at(constants + d[COLUMN_TABLE], d[OW], 4)
    size, kind = d[OW] * d[C], d[Y_KIND]
    x = carray(p_int64(work), (1, 2, d[W], d[C]))
    made = work + 16 * d[W] * d[C]
    y, row = carray(p_int64(made), (1, 1, d[OW], d[C])), table_at(made + 8 * size, 1, 4)
    held = int64_at(made + 8 * size + 32, 2)
    held[:] = -1
    first, last = share(d[N] * d[OH], thread, threads)
    for at in range(first, last):
        n, r = at // d[OH], at % d[OH]
        above, below = n * d[H] + rows[r, 0], n * d[H] + rows[r, 1]
        row[0, 0] = _hold(d, arena, work, held, above, below)
        row[0, 1] = _hold(d, arena, work, held, below, above)
        row[0, 2], row[0, 3] = rows[r, 2], rows[r, 3]
        _weighted(x, y, row, columns, d[FRACTION])
        to = arena + d[Y] + at * size * bytes_of(kind)
        call_move(d[STORE], to, made, size, np.int64(1), kind)
