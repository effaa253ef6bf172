"""Rotary turns in a command stream: pairs by the kernel of hw_models, then a rescale."""

from __future__ import annotations

from hw_models.compiled import kernel
from hw_models.rotary import turn
from hw_models.stream.elements import bytes_of
from hw_models.stream.ends import WORK
from hw_models.stream.entries import call_move
from hw_models.stream.fields import (
    ACROSS,
    ALONG,
    LOAD,
    X2,
    X2_KIND,
    X3,
    X_KIND,
    ZERO,
    ZERO_KIND,
    C,
    N,
    X,
)
from hw_models.stream.memory import int64_at, share, table_at
from hw_models.stream.units.norms import finish_rows, rows_at_once


@kernel(nogil=True)
def rotary(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]  # njit infers the types
    """Turn rows; behind the workspace of an end lie codes, values, cosines and sines of some."""
    depth, pairs, kind, kind2, kind3 = d[C], d[C] // 2, d[X_KIND], d[X2_KIND], d[ZERO_KIND]
    most, at = rows_at_once(depth), work + WORK
    values = at + 8 * most * depth
    cos = values + 8 * most * depth
    sin = cos + 8 * most * pairs
    first, last = share(d[N], thread, threads)
    for begin in range(first, last, most):
        some = min(most, last - begin)
        size, half, place = some * depth, some * pairs, begin * pairs
        call_move(d[LOAD], at, arena + d[X] + begin * depth * bytes_of(kind), size, 1, kind)
        call_move(d[LOAD], cos, arena + d[X2] + place * bytes_of(kind2), half, 1, kind2)
        call_move(d[LOAD], sin, arena + d[X3] + place * bytes_of(kind3), half, 1, kind3)
        codes = int64_at(at, size)
        for i in range(size):
            codes[i] -= d[ZERO]
        turn(table_at(at, some, depth), table_at(values, some, depth), table_at(cos, some, pairs),
             table_at(sin, some, pairs), d[ACROSS], d[ALONG])  # fmt: skip
        finish_rows(d, arena, constants, work, values, size, begin * depth)
