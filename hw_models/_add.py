"""Kernels of the quantized addition: flat int64 operands, codes in the low 32 bits of y."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from hw_models._requantize import double_one

_LIMIT: Final = 1 << 62


@intrinsic
def fma32(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Return float32 ``a * b + c`` with one rounding, on every CPU (libm where it must)."""
    del typingctx, a, b, c

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        return builder.fma(*args)

    f = types.float32
    return f(f, f, f), codegen


@njit(cache=True)
def _store(v: Any, i: Any, y: Any, flags: Any, stats: Any, bounds: Any) -> None:
    code = min(max(v, bounds[0]), bounds[1])
    y[i] = np.int32(code)
    if flags.size:
        stats[0] = min(stats[0], v)
        stats[1] = max(stats[1], v)
        stats[2] += code != v
        flags[i] = code != v


@njit(cache=True)
def _rescale(x: Any, row: Any) -> Any:
    if row[1]:
        return double_one(x, row[0], row[2], row[3], row[4])
    half = 1 << (row[2] - 1) if row[2] else 0
    return (x * row[0] + half) >> row[2]


@njit(cache=True)
def shifted(
    a: Any, b: Any, y: Any, flags: Any, stats: Any, bounds: Any, left: Any, table: Any
) -> Any:
    """TFLite's addition; returns the first element that left its 32-bit register, or -1."""
    low, high = -(1 << 31), (1 << 31) - 1
    for i in range(a.size):
        p, q = a[i] << left, b[i] << left
        if p < low or p > high or q < low or q > high:
            return i
        p, q = _rescale(p, table[0]), _rescale(q, table[1])
        # Two values of 2**62 at most: their sum cannot wrap 64 bits.
        if p + q < low or p + q > high:
            return i
        _store(_rescale(p + q, table[2]) + bounds[2], i, y, flags, stats, bounds)
    return -1


@njit(cache=True)
def float_add(
    a: Any, b: Any, y: Any, flags: Any, stats: Any, bounds: Any, scales: Any, zeros: Any, mode: Any
) -> None:
    """Add in float32, in the order of mode (a position in ``add.ADD_FORMULAS``)."""
    sa, sb, so = scales[0], scales[1], scales[2]
    za, zb, zo = np.float32(zeros[0]), np.float32(zeros[1]), np.float32(zeros[2])
    inverse = np.float32(1.0) / so
    ra, rb = sa / so, sb / so
    fixed = zo - fma32(ra, za, rb * zb)
    na, nb = sa * -za, sb * -zb
    limit = np.float32(_LIMIT)
    for i in range(a.size):
        if mode == 3:
            r = fma32(np.float32(a[i]), ra, fma32(np.float32(b[i]), rb, fixed))
        elif mode == 2:
            r = fma32(np.float32(a[i]), sa, na) + fma32(np.float32(b[i]), sb, nb)
        else:
            r = np.float32(a[i] - zeros[0]) * sa + np.float32(b[i] - zeros[1]) * sb
        if mode == 1:
            r = r / so
        elif mode != 3:
            r = r * inverse
        if mode == 4:
            r = r + zo
        v = np.int64(min(max(np.rint(r), -limit), limit))
        _store(v + (0 if mode >= 3 else zeros[2]), i, y, flags, stats, bounds)
