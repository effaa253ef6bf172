"""Rows of a table in a command stream, read at positions that another tensor holds.

A position that is no row is refused before anything is written.
"""

from __future__ import annotations

from hw_models.compiled import kernel
from hw_models.stream.entries import call_move
from hw_models.stream.fields import ITEM, LOAD, REFUSED, TABLE, X_KIND, C, N, X, Y
from hw_models.stream.memory import int64_at, share, uint8_at


@kernel(nogil=True)
def embedding(d, arena, constants, _arguments, work, parts, thread, threads):  # type: ignore[no-untyped-def]  # njit infers the types
    """Copy the row of each position."""
    count, size = d[N], d[ITEM]
    call_move(d[LOAD], work, arena + d[X], count, 1, d[X_KIND])
    where = int64_at(work, count)
    for i in range(count):
        if where[i] < 0 or where[i] >= d[C]:
            int64_at(parts, 1)[0] = REFUSED
            return
    first, last = share(count, thread, threads)
    for i in range(first, last):
        to = uint8_at(arena + d[Y] + i * size, size)
        row = uint8_at(constants + d[TABLE] + where[i] * size, size)
        for j in range(size):
            to[j] = row[j]
