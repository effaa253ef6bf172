"""Sums and products in a command stream that become codes by any rescale: a block at a time.

All work on 64-bit values in the thread's workspace, which an end (``hw_models.stream.ends``) makes
codes of. That nothing exceeds 64 bits is shown where the command is encoded.
"""

from __future__ import annotations

import numpy as np

from hw_models.compiled import kernel, part
from hw_models.stream.elements import bytes_of
from hw_models.stream.ends import BLOCK, CODES, SECOND_VALUES
from hw_models.stream.entries import call_end, call_move
from hw_models.stream.fields import (
    ADDS,
    FINISH,
    LEFT_SHIFT,
    LEFT_SHIFT2,
    LOAD,
    STORE,
    X2,
    X2_KIND,
    X_KIND,
    Y_KIND,
    ZERO,
    ZERO2,
    C,
    N,
    O,
    X,
    Y,
)
from hw_models.stream.memory import int32_at, int64_at, share


@part
def _blocks(d):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return how many blocks [N, C, O] has: of one channel, or of neighbouring ones if O is 1."""
    length = d[O] if d[O] > 1 else d[C]
    lines = d[N] * d[C] if d[O] > 1 else d[N]
    return lines * ((length + BLOCK - 1) // BLOCK)


@part
def _block(d, number):  # type: ignore[no-untyped-def]
    """Return a block: its first element, its first channel, channels, and elements of each."""
    length = d[O] if d[O] > 1 else d[C]
    chunks = (length + BLOCK - 1) // BLOCK
    line, begin = number // chunks, number % chunks * BLOCK
    size = min(BLOCK, length - begin)
    if d[O] > 1:
        return line * length + begin, line % d[C], 1, size
    return line * length + begin, begin, size, 1


@part
def _load(d, address, at, size, kind, to):  # type: ignore[no-untyped-def]
    """Read elements that lie side by side."""
    call_move(d[LOAD], to, address + at * bytes_of(kind), size, np.int64(1), kind)


@part
def _values(d, address, at, size, kind, zero, to):  # type: ignore[no-untyped-def]
    """Return elements, read, less their zero point."""
    _load(d, address, at, size, kind, to)
    values = int64_at(to, size)
    for i in range(size):
        values[i] -= zero
    return values


@part
def finish_block(d, arena, constants, work, at, channel, channels, inner):  # type: ignore[no-untyped-def]
    """Make codes of the values in the workspace, from an element of the result on."""
    call_end(d[FINISH], d, constants, work, channel, channels, inner)
    size, kind = channels * inner, d[Y_KIND]
    values, codes = int64_at(work, size), int32_at(work + CODES, size)
    for i in range(size):
        values[i] = codes[i]
    to = arena + d[Y] + at * bytes_of(kind)
    call_move(d[STORE], to, work, size, np.int64(1), kind)


@kernel(nogil=True)
def rescale(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Rescale every element."""
    first, last = share(_blocks(d), thread, threads)
    for number in range(first, last):
        at, channel, channels, inner = _block(d, number)
        size = channels * inner
        _values(d, arena + d[X], at, size, d[X_KIND], d[ZERO], work)
        finish_block(d, arena, constants, work, at, channel, channels, inner)


@kernel(nogil=True)
def combine(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Multiply two tensors, or add them after shifts to the left, and rescale."""
    first, last = share(_blocks(d), thread, threads)
    for number in range(first, last):
        at, channel, channels, inner = _block(d, number)
        size = channels * inner
        a = _values(d, arena + d[X], at, size, d[X_KIND], d[ZERO], work)
        b = _values(d, arena + d[X2], at, size, d[X2_KIND], d[ZERO2], work + SECOND_VALUES)
        if d[ADDS]:
            left, left2 = d[LEFT_SHIFT], d[LEFT_SHIFT2]
            for i in range(size):
                a[i] = (a[i] << left) + (b[i] << left2)
        else:
            for i in range(size):
                a[i] *= b[i]
        finish_block(d, arena, constants, work, at, channel, channels, inner)


@part
def _total(d, address, at, size, kind, to):  # type: ignore[no-untyped-def]
    """Return the sum of elements that lie side by side."""
    total = 0
    for begin in range(0, size, BLOCK):
        count = min(BLOCK, size - begin)
        _load(d, address, at + begin, count, kind, to)
        values = int64_at(to, count)
        for i in range(count):
            total += values[i]
    return total


@kernel(nogil=True)
def reduce(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Add [N, C, O] up over C, less C zero points, and rescale the sums."""
    count, inner, kind, x = d[C], d[O], d[X_KIND], arena + d[X]
    values, other = int64_at(work, BLOCK), int64_at(work + SECOND_VALUES, BLOCK)
    if inner == 1:
        first, last = share(d[N], thread, threads)
        for at in range(first, last, BLOCK):
            size = min(BLOCK, last - at)
            for i in range(size):
                values[i] = _total(d, x, (at + i) * count, count, kind, work + SECOND_VALUES)
                values[i] -= count * d[ZERO]
            finish_block(d, arena, constants, work, at, 0, 1, size)
        return
    chunks = (inner + BLOCK - 1) // BLOCK
    first, last = share(d[N] * chunks, thread, threads)
    for number in range(first, last):
        outer, begin = number // chunks, number % chunks * BLOCK
        size = min(BLOCK, inner - begin)
        for i in range(size):
            values[i] = -count * d[ZERO]
        for c in range(count):
            at = (outer * count + c) * inner + begin
            _load(d, x, at, size, kind, work + SECOND_VALUES)
            for i in range(size):
                values[i] += other[i]
        finish_block(d, arena, constants, work, outer * inner + begin, 0, 1, size)
