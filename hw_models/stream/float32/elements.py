"""Sums, products and functions of float32 values in a command stream: every bit hw_models'."""

from __future__ import annotations

from hw_models.compiled import kernel, part
from hw_models.float32.functions import apply
from hw_models.stream.fields import (
    D0,
    IN_CONSTANTS,
    MODE,
    S0,
    SIZE,
    T0,
    X2,
    X2_PLACE,
    X_PLACE,
    X,
    Y,
)
from hw_models.stream.memory import float32_at, share


@part
def place_of(place, word, arena, constants):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return the address of an operand."""
    return (constants if place == IN_CONSTANTS else arena) + word


@part
def _add(y, a, b, size, near, far):  # type: ignore[no-untyped-def]
    if near == 1 and far == 1:
        for i in range(size):
            y[i] = a[i] + b[i]
    elif near == 1 and far == 0:
        for i in range(size):
            y[i] = a[i] + b[0]
    elif near == 0 and far == 1:
        for i in range(size):
            y[i] = a[0] + b[i]
    else:
        for i in range(size):
            y[i] = a[i * near] + b[i * far]


@part
def _multiply(y, a, b, size, near, far):  # type: ignore[no-untyped-def]
    if near == 1 and far == 1:
        for i in range(size):
            y[i] = a[i] * b[i]
    elif near == 1 and far == 0:
        for i in range(size):
            y[i] = a[i] * b[0]
    elif near == 0 and far == 1:
        for i in range(size):
            y[i] = a[0] * b[i]
    else:
        for i in range(size):
            y[i] = a[i * near] * b[i * far]


@kernel(nogil=True)
def float_pair(d, arena, constants, _arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Add or multiply two tensors at distances, which are 0 where one is broadcast."""
    left = place_of(d[X_PLACE], d[X], arena, constants)
    right = place_of(d[X2_PLACE], d[X2], arena, constants)
    d1, d2, d3, size = d[D0 + 1], d[D0 + 2], d[D0 + 3], d[D0 + 4]
    near, far = d[S0 + 4], d[T0 + 4]
    lines = d[D0] * d1 * d2 * d3
    first, last = share(lines, thread, threads)
    begin, end = 0, size
    if lines == 1:  # one line is cut
        first, last = 0, 1
        begin, end = share(size, thread, threads)
    count = end - begin
    if count == 0:
        return
    for line in range(first, last):
        c, rest = line % d3, line // d3
        b, rest = rest % d2, rest // d2
        a, top = rest % d1, rest // d1
        x = top * d[S0] + a * d[S0 + 1] + b * d[S0 + 2] + c * d[S0 + 3] + begin * near
        x2 = top * d[T0] + a * d[T0 + 1] + b * d[T0 + 2] + c * d[T0 + 3] + begin * far
        p = float32_at(left + 4 * x, (count - 1) * near + 1)
        q = float32_at(right + 4 * x2, (count - 1) * far + 1)
        y = float32_at(arena + d[Y] + 4 * (line * size + begin), count)
        if d[MODE]:
            _multiply(y, p, q, count, near, far)
        else:
            _add(y, p, q, count, near, far)


@kernel(nogil=True)
def float_function(d, arena, _constants, _arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Compute a function of every value."""
    first, last = share(d[SIZE], thread, threads)
    x = float32_at(arena + d[X] + 4 * first, last - first)
    apply(d[MODE], x, float32_at(arena + d[Y] + 4 * first, last - first))
