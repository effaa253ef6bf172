"""Softmax and argmax in a command stream: one row after the other, by the kernels of hw_models."""

from __future__ import annotations

import numpy as np

from hw_models.compiled import kernel, part
from hw_models.softmaxes import kernels
from hw_models.stream.elements import bytes_of
from hw_models.stream.entries import call_move
from hw_models.stream.fields import (
    FROM_END,
    LEAST,
    LOAD,
    MOST,
    OUT_BITS,
    SECOND,
    STORE,
    TABLE,
    X_KIND,
    Y_KIND,
    C,
    N,
    O,
    X,
    Y,
)
from hw_models.stream.memory import (
    float32_at,
    int16_at,
    int64_at,
    share,
    table_at,
)


@part
def _load(d, arena, work, at):  # type: ignore[no-untyped-def]  # njit infers the types
    """Read a row into the workspace."""
    first = at // d[O] * d[C] * d[O] + at % d[O]
    kind = d[X_KIND]
    call_move(d[LOAD], work, arena + d[X] + first * bytes_of(kind), d[C], d[O], kind)


@part
def _store(d, arena, work, at):  # type: ignore[no-untyped-def]
    """Clamp what was made of a row, behind it in the workspace, and write it."""
    values = int64_at(work + 8 * d[C], d[C])
    low, high = d[LEAST], d[MOST]
    for i in range(d[C]):
        values[i] = min(max(values[i], low), high)
    first = at // d[O] * d[C] * d[O] + at % d[O]
    kind = d[Y_KIND]
    call_move(d[STORE], arena + d[Y] + first * bytes_of(kind), work + 8 * d[C], d[C], d[O], kind)


@kernel(nogil=True)
def softmax_fixed(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """``FixedSoftmax``; no row's sum exceeds 32 bits, by its length."""
    x, y = table_at(work, 1, d[C]), table_at(work + 8 * d[C], 1, d[C])
    sums, terms = int64_at(work + 16 * d[C], 1), int64_at(constants + d[TABLE], 256)
    first, last = share(d[N] * d[O], thread, threads)
    for at in range(first, last):
        _load(d, arena, work, at)
        kernels.fixed(x, y, sums, terms, d[LEAST], d[OUT_BITS])
        _store(d, arena, work, at)


@kernel(nogil=True)
def softmax_float(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """``FloatSoftmax``; at SECOND lie the output's scale, a float32, and its zero point."""
    x, y = table_at(work, 1, d[C]), table_at(work + 8 * d[C], 1, d[C])
    terms = float32_at(constants + d[TABLE], 256)
    scale, zero = float32_at(constants + d[SECOND], 1)[0], int64_at(constants + d[SECOND] + 8, 1)[0]
    first, last = share(d[N] * d[O], thread, threads)
    for at in range(first, last):
        _load(d, arena, work, at)
        kernels.floating(x, y, terms, scale, zero)
        _store(d, arena, work, at)


@kernel(nogil=True)
def softmax_table(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """``TableSoftmax``; no row's sum exceeds 32 bits, by its length."""
    x, y = table_at(work, 1, d[C]), table_at(work + 8 * d[C], 1, d[C])
    sums, terms = int64_at(work + 16 * d[C], 1), int16_at(constants + d[TABLE], 1 << 16)
    inverses = int64_at(constants + d[SECOND], 513)
    first, last = share(d[N] * d[O], thread, threads)
    for at in range(first, last):
        _load(d, arena, work, at)
        kernels.interpolated(x, y, sums, terms, inverses)
        _store(d, arena, work, at)


@kernel(nogil=True)
def argmax(d, arena, _constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Find the position of the largest code of each row, the first or the last of equals."""
    size, kind = d[C], d[Y_KIND]
    row, found = int64_at(work, size), int64_at(work + 8 * size, 1)
    first, last = share(d[N] * d[O], thread, threads)
    for at in range(first, last):
        _load(d, arena, work, at)
        top = row[0]
        for i in range(size):
            top = max(top, row[i])
        where = size - 1 if d[FROM_END] else np.int64(0)
        while row[where] != top:
            where += -1 if d[FROM_END] else 1
        found[0] = where
        to = arena + d[Y] + at * bytes_of(kind)
        call_move(d[STORE], to, work + 8 * size, np.int64(1), np.int64(1), kind)
