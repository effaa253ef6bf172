"""Copies of a command stream: into another order, at any distance and start, by positions."""

from __future__ import annotations

import numpy as np

from hw_models.compiled import kernel, part
from hw_models.stream.fields import (
    D0,
    IN_ARENA,
    IN_ARGUMENT,
    ITEM,
    MAPPED,
    S0,
    T0,
    TABLE,
    X_PLACE,
    X_START,
    Y_PLACE,
    Y_START,
    X,
    Y,
)
from hw_models.stream.memory import int8_at, int16_at, int64_at, share, uint8_at


@part
def _base(place, word, start, arena, constants, arguments):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return the address of the first element of an operand or a result."""
    if place == IN_ARENA:
        return arena + word + start
    if place == IN_ARGUMENT:
        return arguments[word] + start
    return constants + word + start


@part
def _lowest(rows, size, row, step):  # type: ignore[no-untyped-def]
    """Return the lowest place of a plane, from its first element, and how many it reaches over."""
    a, b = (rows - 1) * row, (size - 1) * step
    return min(a, 0) + min(b, 0), abs(a) + abs(b) + 1


@part
def _copy_lines(y, x, rows, size, y_row, x_row):  # type: ignore[no-untyped-def]
    """Copy lines of bytes that lie dense in both; arguments are addresses and bytes."""
    for row in range(rows):
        to, source = uint8_at(y + row * y_row, size), uint8_at(x + row * x_row, size)
        for i in range(size):
            to[i] = source[i]


@part
def _copy_plane(to, source, rows, size, y_first, y_row, y_step, x_first, x_row, x_step):  # type: ignore[no-untyped-def]
    """Copy [rows, size] element by element."""
    for row in range(rows):
        y, x = y_first + row * y_row, x_first + row * x_row
        for i in range(size):
            to[y + i * y_step] = source[x + i * x_step]


@part
def _map_plane(to, source, table, rows, size, y_first, y_row, y_step, x_first, x_row, x_step):  # type: ignore[no-untyped-def]
    """As ``_copy_plane``, with a table's entry for every byte."""
    for row in range(rows):
        for i in range(size):
            code = source[x_first + row * x_row + i * x_step]
            to[y_first + row * y_row + i * y_step] = table[code]


@kernel(nogil=True)
def copy(d, arena, constants, arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Copy a tensor, or a part of one, to where its elements belong."""
    item = d[ITEM]
    if item not in (1, 2, 4, 8):
        # Before a thread without rows leaves, so that none waits for the others at the barrier.
        raise ValueError("no copy has elements of this many bytes")
    source = _base(d[X_PLACE], d[X], d[X_START], arena, constants, arguments)
    to = _base(d[Y_PLACE], d[Y], d[Y_START], arena, constants, arguments)
    d1, d2, size = d[D0 + 1], d[D0 + 2], d[D0 + 4]
    x_row, x_step, y_row, y_step = d[S0 + 3], d[S0 + 4], d[T0 + 3], d[T0 + 4]
    # Threads share the rows of planes: dimension 3 is cut into their parts.
    begin, end = share(d[D0 + 3], thread, threads)
    rows = end - begin
    if rows == 0:
        return
    # Views begin at a plane's lowest place, so that no index is negative.
    x_low, x_reach = _lowest(rows, size, x_row, x_step)
    y_low, y_reach = _lowest(rows, size, y_row, y_step)
    for plane in range(d[D0] * d1 * d2):
        b, rest = plane % d2, plane // d2
        a, top = rest % d1, rest // d1
        x_at = top * d[S0] + a * d[S0 + 1] + b * d[S0 + 2] + begin * x_row
        y_at = top * d[T0] + a * d[T0 + 1] + b * d[T0 + 2] + begin * y_row
        if d[MAPPED]:
            x, y = source + x_at + x_low, to + y_at + y_low
            table = uint8_at(constants + d[TABLE], 256)
            _map_plane(uint8_at(y, y_reach), uint8_at(x, x_reach), table, rows, size,
                       -y_low, y_row, y_step, -x_low, x_row, x_step)  # fmt: skip
            continue
        if x_step == 1 and y_step == 1 and (size * item >= 16 or size >= rows):
            _copy_lines(to + y_at * item, source + x_at * item, rows, size * item,
                        y_row * item, x_row * item)  # fmt: skip
            continue
        x, y = source + (x_at + x_low) * item, to + (y_at + y_low) * item
        # The long dimension is the inner loop.
        long, short = max(rows, size), min(rows, size)
        y_far, y_near = (y_row, y_step) if size >= rows else (y_step, y_row)
        x_far, x_near = (x_row, x_step) if size >= rows else (x_step, x_row)
        if item == 1:
            _copy_plane(int8_at(y, y_reach), int8_at(x, x_reach), short, long,
                        -y_low, y_far, y_near, -x_low, x_far, x_near)  # fmt: skip
        elif item == 2:
            _copy_plane(int16_at(y, y_reach), int16_at(x, x_reach), short, long,
                        -y_low, y_far, y_near, -x_low, x_far, x_near)  # fmt: skip
        else:  # sums that leave a network, or what was not cut to codes: rare
            for row in range(rows):
                _copy_lines(to + (y_at + row * y_row) * item, source + (x_at + row * x_row) * item,
                            size, item, y_step * item, x_step * item)  # fmt: skip


@kernel(nogil=True)
def gather(d, arena, constants, _arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Copy what lies at positions along one dimension; all elements lie dense in memory."""
    item, count = d[ITEM], d[D0 + 1]
    size = d[D0 + 2] * item
    where = int64_at(constants + d[TABLE], count)
    first, last = share(d[D0] * count, thread, threads)
    y = arena + d[Y] + first * size
    for at in range(first, last):
        outer, j = at // count, at % count
        x = arena + d[X] + (outer * d[S0] + where[np.uint64(j)]) * item
        if size == 1:
            uint8_at(y, 1)[0] = uint8_at(x, 1)[0]
        elif size == 2 and item == 2:
            int16_at(y, 1)[0] = int16_at(x, 1)[0]
        else:
            _copy_lines(y, x, 1, size, 0, 0)
        y += size
