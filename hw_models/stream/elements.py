"""Elements of any integer type in a command stream: to 64 bits, and back to where they belong.

``load`` and ``store`` are called by their address (``call_move``): they are compiled once, not for
each command that moves elements.
"""

from __future__ import annotations

import numpy as np

from hw_models.compiled import kernel, part
from hw_models.stream.fields import INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32
from hw_models.stream.memory import (
    int8_at,
    int16_at,
    int32_at,
    int64_at,
    uint8_at,
    uint16_at,
    uint32_at,
)


@part
def bytes_of(kind):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return the bytes of an element of a kind."""
    if kind in (UINT8, INT8):
        return 1
    if kind in (INT16, UINT16):
        return 2
    return 8 if kind == INT64 else 4


@part
def _spread(to, source, size, near, far):  # type: ignore[no-untyped-def]
    """Copy elements that lie ``near`` and ``far`` apart, and convert them."""
    if near == far:  # 1: side by side
        for i in range(size):
            to[i] = source[i]
        return
    for i in range(size):
        to[np.uint64(i * near)] = source[np.uint64(i * far)]


@kernel(nogil=True)
def load(to, x, size, step, kind):  # type: ignore[no-untyped-def]
    """Read elements at an address, ``step`` apart, to an address of int64."""
    values, reach = int64_at(to, size), (size - 1) * step + 1
    if kind == INT8:
        _spread(values, int8_at(x, reach), size, 1, step)
    elif kind == UINT8:
        _spread(values, uint8_at(x, reach), size, 1, step)
    elif kind == INT16:
        _spread(values, int16_at(x, reach), size, 1, step)
    elif kind == UINT16:
        _spread(values, uint16_at(x, reach), size, 1, step)
    elif kind == INT32:
        _spread(values, int32_at(x, reach), size, 1, step)
    elif kind == UINT32:
        _spread(values, uint32_at(x, reach), size, 1, step)
    else:
        _spread(values, int64_at(x, reach), size, 1, step)


@kernel(nogil=True)
def store(y, source, size, step, kind):  # type: ignore[no-untyped-def]
    """Write int64 of an address to another, ``step`` apart, as elements that hold them."""
    values, reach = int64_at(source, size), (size - 1) * step + 1
    if bytes_of(kind) == 1:
        _spread(int8_at(y, reach), values, size, step, 1)
    elif bytes_of(kind) == 2:
        _spread(int16_at(y, reach), values, size, step, 1)
    elif bytes_of(kind) == 4:
        _spread(int32_at(y, reach), values, size, step, 1)
    else:
        _spread(int64_at(y, reach), values, size, step, 1)
