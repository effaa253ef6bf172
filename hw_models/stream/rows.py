"""Softmax and argmax in a command stream: one row after the other, by the kernels of hw_models."""

from __future__ import annotations

import numpy as np

from hw_models.compiled import kernel, part
from hw_models.softmaxes import ibert, kernels
from hw_models.stream.elements import bytes_of
from hw_models.stream.entries import call_move
from hw_models.stream.fields import (
    ALLOWED_KIND,
    DIFFERENCES,
    FROM_END,
    HIDDEN,
    LEAST,
    LOAD,
    MASK,
    MOST,
    NUDGE,
    OUT_BITS,
    SECOND,
    SHOWN_ZERO,
    STORE,
    TABLE,
    X2,
    X2_KIND,
    X3,
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
def _read(d, to, address, kind, at):  # type: ignore[no-untyped-def]  # njit infers the types
    """Read a row to an address."""
    first = at // d[O] * d[C] * d[O] + at % d[O]
    call_move(d[LOAD], to, address + first * bytes_of(kind), d[C], d[O], kind)


@part
def _load(d, arena, work, at):  # type: ignore[no-untyped-def]
    """Read a row into the workspace, what it shows at its front; return how many codes that are.

    With a mask, marks lie behind the values and the sum, and room for another row behind those.
    """
    size = d[C]
    _read(d, work, arena + d[X], d[X_KIND], at)
    if d[MASK] == 0:
        return size
    row, marks = int64_at(work, size), int64_at(work + 16 * size + 64, size)
    _read(d, work + 16 * size + 64, arena + d[X2], d[X2_KIND], at)
    shown_zero = d[MASK] == SHOWN_ZERO
    for i in range(size):
        marks[i] = (marks[i] == 0) == shown_zero
    if d[ALLOWED_KIND] >= 0:
        allowed = int64_at(work + 24 * size + 64, size)
        _read(d, work + 24 * size + 64, arena + d[X3], d[ALLOWED_KIND], at)
        for i in range(size):
            marks[i] &= allowed[i] != 0
    count = 0
    for i in range(size):
        row[count] = row[i]
        count += marks[i]
    return count


@part
def _store(d, arena, work, at, count):  # type: ignore[no-untyped-def]
    """Clamp what was made of a row, behind it in the workspace, and write it."""
    size = d[C]
    values, low, high = int64_at(work + 8 * size, size), d[LEAST], d[MOST]
    for i in range(count):
        values[i] = min(max(values[i], low), high)
    if d[MASK]:
        marks = int64_at(work + 16 * size + 64, size)
        for i in range(size - 1, -1, -1):  # from the end: no value is written over before it moved
            count -= marks[i]
            values[i] = values[count] if marks[i] else d[HIDDEN]
    first = at // d[O] * d[C] * d[O] + at % d[O]
    kind = d[Y_KIND]
    call_move(d[STORE], arena + d[Y] + first * bytes_of(kind), work + 8 * size, size, d[O], kind)


@part
def _tables(d, work, count):  # type: ignore[no-untyped-def]
    """Return the codes of a row and its values, as the kernels take them."""
    return table_at(work, 1, count), table_at(work + 8 * d[C], 1, count)


@kernel(nogil=True)
def softmax_fixed(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """``FixedSoftmax``; no row's sum exceeds 32 bits, by its length."""
    sums, terms = int64_at(work + 16 * d[C], 1), int64_at(constants + d[TABLE], 256)
    first, last = share(d[N] * d[O], thread, threads)
    for at in range(first, last):
        count = _load(d, arena, work, at)
        if count:
            x, y = _tables(d, work, count)
            kernels.fixed(x, y, sums, terms, d[LEAST], d[OUT_BITS])
        _store(d, arena, work, at, count)


@kernel(nogil=True)
def softmax_float(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """``FloatSoftmax``; at SECOND lie the output's scale, a float32, and its zero point."""
    terms = float32_at(constants + d[TABLE], 256)
    scale, zero = float32_at(constants + d[SECOND], 1)[0], int64_at(constants + d[SECOND] + 8, 1)[0]
    first, last = share(d[N] * d[O], thread, threads)
    for at in range(first, last):
        count = _load(d, arena, work, at)
        if count:
            x, y = _tables(d, work, count)
            kernels.floating(x, y, terms, scale, zero)
        _store(d, arena, work, at, count)


@kernel(nogil=True)
def softmax_table(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """``TableSoftmax``; no row's sum exceeds 32 bits, by its length."""
    sums, terms = int64_at(work + 16 * d[C], 1), int16_at(constants + d[TABLE], 1 << 16)
    inverses = int64_at(constants + d[SECOND], 513)
    first, last = share(d[N] * d[O], thread, threads)
    for at in range(first, last):
        count = _load(d, arena, work, at)
        if count:
            x, y = _tables(d, work, count)
            kernels.interpolated(x, y, sums, terms, inverses)
        _store(d, arena, work, at, count)


@kernel(nogil=True)
def softmax_ibert(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """``IbertSoftmax``; no row's sum exceeds 31 bits, by its length."""
    sums, terms = int64_at(work + 16 * d[C], 1), int64_at(constants + d[TABLE], d[DIFFERENCES])
    first, last = share(d[N] * d[O], thread, threads)
    for at in range(first, last):
        count = _load(d, arena, work, at)
        if count:
            x, y = _tables(d, work, count)
            ibert.divided(x, y, sums, terms, d[LEAST], d[OUT_BITS], d[NUDGE])
        _store(d, arena, work, at, count)


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
