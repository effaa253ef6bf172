"""Kernels of the quantized addition: flat int64 operands, codes in the low 32 bits of y."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic

from hw_models.compiled import kernel
from hw_models.requantization.exact import fixed_one

_LIMIT: Final = 1 << 62
# Positions in adders.ADD_FORMULAS.
TORCH, ONNX, TORCH_QUANTIZED, MLAS, TORCH_SCALAR = 0, 1, 2, 3, 4
REACH: Final = 7  # the column after those of fixed_rows; 0: no rule of TOSA's


@intrinsic
def fma32(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Return float32 ``a * b + c`` with one rounding, on every CPU (libm where it must)."""
    del typingctx, a, b, c

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        return builder.fma(*args)

    f = types.float32
    return f(f, f, f), codegen


@kernel
def _store(v: Any, i: Any, y: Any, flags: Any, stats: Any, bounds: Any) -> None:
    code = min(max(v, bounds[0]), bounds[1])
    y[i] = np.int32(code)
    if flags.size:
        stats[0] = min(stats[0], v)
        stats[1] = max(stats[1], v)
        stats[2] += code != v
        flags[i] = code != v


@kernel
def _refused(x: Any, y: Any, row: Any) -> Any:
    """Whether TOSA refuses to make y of x: x wider than the shift allows, or y than 32 bits."""
    if row[REACH] == 0:
        return False
    return x >> (row[REACH] - 1) != x >> 63 or y >> 31 != y >> 63


@kernel
def shifted(
    a: Any,
    b: Any,
    y: Any,
    flags: Any,
    stats: Any,
    bounds: Any,
    totals: Any,
    left: Any,
    table: Any,
    sign: Any,
) -> Any:
    """TFLite's addition; returns the first element that left its 32-bit register, or -1.

    ``table`` has a row of ``fixed_rows`` per rescaling, of a, b and their sum, and in column
    ``REACH`` the width of what TOSA lets it rescale. With sign -1 the rescaled b is subtracted.
    ``totals`` receives the sums of the rescaled operands where it is as long as ``flags``, not 0.
    """
    low, high = -(1 << 31), (1 << 31) - 1
    # Views of rows are made once: inside the loop each would be counted in memory.
    row_a, row_b, row_out = table[0], table[1], table[2]
    tosa = row_a[REACH] or row_b[REACH] or row_out[REACH]
    for i in range(a.size):
        p, q = a[i] << left, b[i] << left
        if p < low or p > high or q < low or q > high:
            return i
        u, v = fixed_one(p, row_a), fixed_one(q, row_b)
        if tosa and (_refused(p, u, row_a) or _refused(q, v, row_b)):
            return i
        # Two values of 2**62 at most: what a sum of two makes of 2**63 is outside as well.
        total = u + sign * v
        if total < low or total > high:
            return i
        if totals.size:
            totals[i] = total
        code = fixed_one(total, row_out)
        if tosa and _refused(total, code, row_out):
            return i
        _store(code + bounds[2], i, y, flags, stats, bounds)
    return -1


@kernel
def float_add(
    a: Any, b: Any, y: Any, flags: Any, stats: Any, bounds: Any, scales: Any, zeros: Any, mode: Any
) -> None:
    """Add in float32, in the order of mode (a position in ``adders.ADD_FORMULAS``)."""
    if mode < TORCH or mode > TORCH_SCALAR:
        raise ValueError("no formula of an addition has this number")
    sa, sb, so = scales[0], scales[1], scales[2]
    za, zb, zo = np.float32(zeros[0]), np.float32(zeros[1]), np.float32(zeros[2])
    inverse = np.float32(1.0) / so
    ra, rb = sa / so, sb / so
    fixed = zo - fma32(ra, za, rb * zb)
    na, nb = sa * -za, sb * -zb
    limit = np.float32(_LIMIT)
    for i in range(a.size):
        if mode == MLAS:
            r = fma32(np.float32(a[i]), ra, fma32(np.float32(b[i]), rb, fixed))
        elif mode == TORCH_QUANTIZED:
            r = fma32(np.float32(a[i]), sa, na) + fma32(np.float32(b[i]), sb, nb)
        else:
            r = np.float32(a[i] - zeros[0]) * sa + np.float32(b[i] - zeros[1]) * sb
        if mode == ONNX:
            r = r / so
        elif mode != MLAS:
            r = r * inverse
        if mode == TORCH_SCALAR:
            r = r + zo
        v = np.int64(min(max(np.rint(r), -limit), limit))
        added = mode in (MLAS, TORCH_SCALAR)
        _store(v + (0 if added else zeros[2]), i, y, flags, stats, bounds)
