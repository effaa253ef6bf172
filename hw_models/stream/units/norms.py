"""Norms of codes in a command stream: rows by the kernel of hw_models, then a rescale.

That no register overflows is shown by the Program's contract.
"""

from __future__ import annotations

from hw_models.compiled import kernel, part
from hw_models.integer.norms import rows
from hw_models.stream.elements import bytes_of
from hw_models.stream.ends import BLOCK, WORK
from hw_models.stream.entries import call_move
from hw_models.stream.fields import (
    CENTRED,
    GROUPS,
    LOAD,
    SECOND,
    X_KIND,
    ZERO,
    C,
    N,
    X,
)
from hw_models.stream.memory import int64_at, share, table_at
from hw_models.stream.rescales import finish_block


@part
def rows_at_once(count):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return how many rows of so many codes are made together."""
    return max(1, BLOCK // count)


@part
def finish_rows(d, arena, constants, work, values, size, at):  # type: ignore[no-untyped-def]
    """Make codes of values at an address, from an element of the result on."""
    for begin in range(0, size, BLOCK):
        count = min(BLOCK, size - begin)
        to, source = int64_at(work, count), int64_at(values + 8 * begin, count)
        for i in range(count):
            to[i] = source[i]
        finish_block(d, arena, constants, work, at + begin, 0, 1, count)


@kernel(nogil=True)
def norm(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Normalize rows; behind the workspace of an end lie extremes, codes and values of some."""
    count, groups, kind = d[C], d[GROUPS], d[X_KIND]
    most = rows_at_once(count) if groups == 1 else 1
    ends, at = table_at(work + WORK, 7, 2), work + WORK + 128
    values, table = at + 8 * most * count, constants + d[SECOND]
    first, last = share(d[N], thread, threads)
    for begin in range(first, last, most):
        some = min(most, last - begin)
        size, own = some * count, table + 32 + begin % groups * 16 * count
        call_move(d[LOAD], at, arena + d[X] + begin * count * bytes_of(kind), size, 1, kind)
        if d[ZERO]:
            codes = int64_at(at, size)
            for i in range(size):
                codes[i] -= d[ZERO]
        weight, bias = table_at(own, 1, count), table_at(own + 8 * count, 1, count)
        x, acc = table_at(at, some, count), table_at(values, some, count)
        rows(x, acc, weight, bias, int64_at(table, 4), ends, d[CENTRED] != 0)
        finish_rows(d, arena, constants, work, values, size, begin * count)
