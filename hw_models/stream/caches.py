"""Writes into caches in a command stream: rows at positions that another tensor holds.

A position outside of a linear cache is refused before anything is written.
"""

from __future__ import annotations

from hw_models.compiled import kernel, part
from hw_models.stream.entries import call_move
from hw_models.stream.fields import (
    D0,
    ITEM,
    LOAD,
    MODE,
    REFUSED,
    X2,
    X3,
    ZERO_KIND,
    X,
    Y,
)
from hw_models.stream.memory import int64_at, share, uint8_at


@part
def _copy(y, x, size):  # type: ignore[no-untyped-def]  # njit infers the types
    to, source = uint8_at(y, size), uint8_at(x, size)
    for i in range(size):
        to[i] = source[i]


@kernel(nogil=True)
def cache_write(d, arena, _constants, _arguments, work, parts, thread, threads):  # type: ignore[no-untyped-def]
    """Write rows into a cache, which is copied first where the result is not made in its place."""
    outer, length, rows, given = d[D0], d[D0 + 1], d[D0 + 2], d[D0 + 3]
    size = d[D0 + 4] * d[ITEM]
    call_move(d[LOAD], work, arena + d[X3], given, 1, d[ZERO_KIND])
    where = int64_at(work, rows)
    if given != rows:
        for j in range(1, rows):
            where[j] = where[0] + j
    for j in range(rows):
        position = where[j]
        if d[MODE]:
            where[j] = position % length
        elif position < 0 or position >= length:
            int64_at(parts, 1)[0] = REFUSED
            return
    first, last = share(outer, thread, threads)
    for line in range(first, last):
        y = arena + d[Y] + line * length * size
        if d[X] != d[Y]:
            _copy(y, arena + d[X] + line * length * size, length * size)
        x = arena + d[X2] + line * rows * size
        for j in range(rows):
            _copy(y + where[j] * size, x + j * size, size)
