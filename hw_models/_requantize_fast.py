"""Fast kernels of requantize: int32 accumulators to 8-bit codes, no ledger, 32-bit lanes.

They return what the exact kernels return; ``run`` declines (None) where that is not provable.

Only the product is 64 bits wide. With a shift of 32 or more, the half of it that matters after
rounding is its upper one, and floor((p + r) >> s) = ((p + r) >> 32) >> (s - 32). The zero point
rides on the rounding constant. Clamping before a monotone rounding shift, to bounds shifted left,
equals clamping after it, and keeps the 32-bit sums from overflowing.

``rows`` hoist the parameters of a channel out of its contiguous inner dimension; ``lanes`` load
them beside the data, for channels innermost in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from hw_models._requantize import rounding_table
from hw_models._requantize_vector import (
    LANES,
    double_lanes16,
    double_rows16,
    pointer,
    single_lanes16,
    single_rows16,
)
from hw_models.schemes import FixedPoint, FloatScale

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.formats import IntArray
    from hw_models.schemes import PowerOfTwo, Requantizer

    Table = npt.NDArray[Any]


def _int32(operation: str) -> Any:
    """An int32 operation that stays in 32 bits (Numba widens every int32 to int64)."""

    def typed(typingctx: Any, a: Any, b: Any) -> Any:
        del typingctx, a, b

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            del context, signature
            return getattr(builder, operation)(*args)

        i = types.int32
        return i(i, i), codegen

    return intrinsic(typed)


_sra, _and, _add, _sub = (_int32(name) for name in ("ashr", "and_", "add", "sub"))


@njit(cache=True)
def _code(h: Any, low: Any, high: Any, flip: Any) -> Any:
    code = min(max(h, -128), 127)
    return np.int8(min(max(code, low), high) ^ flip)


@njit(cache=True)
def _single(x: Any, m: Any, r: Any, e: Any) -> Any:
    return (((np.int64(x) * m) >> 32) + r) >> e


@njit(cache=True)
def _double(x: Any, m: Any, r: Any, e: Any) -> Any:
    h = (np.int64(x) * m + (1 << 30)) >> 31
    return (((h + (h >> 63)) >> e) + r) >> 1


@njit(cache=True)
def single_rows(x: Any, y: Any, table: Any, bounds: Any) -> None:
    low, high, flip = bounds[0], bounds[1], bounds[2]
    size = x.shape[2]
    for row in range(x.shape[0] * x.shape[1]):
        o, c = row // x.shape[1], row % x.shape[1]
        m, r, e = table[0, c], table[1, c], table[2, c]
        i = 0
        while i + LANES <= size:
            at = row * size + i
            single_rows16(pointer(x, at), pointer(y, at), m, r, e, low, high, flip)
            i += LANES
        for k in range(i, size):
            h = _single(x[o, c, k], np.int64(m), np.int64(r), np.int64(e))
            y[o, c, k] = _code(h, low, high, flip)


@njit(cache=True)
def single_lanes(x: Any, y: Any, table: Any, bounds: Any) -> None:
    low, high, flip = bounds[0], bounds[1], bounds[2]
    size = x.shape[1]
    for o in range(x.shape[0]):
        i = 0
        while i + LANES <= size:
            at, m = o * size + i, pointer(table, i)
            r, e = pointer(table, size + i), pointer(table, 2 * size + i)
            single_lanes16(pointer(x, at), pointer(y, at), m, r, e, low, high, flip)
            i += LANES
        for k in range(i, size):
            mk, rk, ek = np.int64(table[0, k]), np.int64(table[1, k]), np.int64(table[2, k])
            y[o, k, 0] = _code(_single(x[o, k, 0], mk, rk, ek), low, high, flip)


@njit(cache=True)
def double_rows(x: Any, y: Any, table: Any, bounds: Any) -> None:
    low, high, flip = bounds[0], bounds[1], bounds[2]
    size = x.shape[2]
    for row in range(x.shape[0] * x.shape[1]):
        o, c = row // x.shape[1], row % x.shape[1]
        m, r, e = table[0, c], table[1, c], table[2, c]
        i = 0
        while i + LANES <= size:
            at = row * size + i
            double_rows16(pointer(x, at), pointer(y, at), m, r, e, low, high, flip)
            i += LANES
        for k in range(i, size):
            h = _double(x[o, c, k], np.int64(m), np.int64(r), np.int64(e))
            y[o, c, k] = _code(h, low, high, flip)


@njit(cache=True)
def double_lanes(x: Any, y: Any, table: Any, bounds: Any) -> None:
    low, high, flip = bounds[0], bounds[1], bounds[2]
    size = x.shape[1]
    for o in range(x.shape[0]):
        i = 0
        while i + LANES <= size:
            at, m = o * size + i, pointer(table, i)
            r, e = pointer(table, size + i), pointer(table, 2 * size + i)
            double_lanes16(pointer(x, at), pointer(y, at), m, r, e, low, high, flip)
            i += LANES
        for k in range(i, size):
            mk, rk, ek = np.int64(table[0, k]), np.int64(table[1, k]), np.int64(table[2, k])
            y[o, k, 0] = _code(_double(x[o, k, 0], mk, rk, ek), low, high, flip)


@njit(cache=True, inline="always")
def _shift(x: Any, row: Any, zero: Any, low: Any, high: Any) -> Any:
    e, mask, bias, neg, odd, jam = row[0], row[1], row[2], row[3], row[4], row[5]
    floor = _sra(x, e)
    rest = _add(_and(x, mask), bias)
    rest = _add(rest, _and(_sra(x, np.int32(31)), neg))
    rest = _add(rest, _and(_sub(np.int32(0), _and(floor, np.int32(1))), odd))
    code = np.int32(_add(floor, _sra(rest, e)) | jam)
    return np.int32(min(max(code, low), high)) + zero


@njit(cache=True)
def shift_rows(x: Any, y: Any, table: Any, zero: Any, low: Any, high: Any) -> None:
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            row = (table[c, 0], table[c, 1], table[c, 2], table[c, 3], table[c, 4], table[c, 5])
            for i in range(x.shape[2]):
                y[o, c, i] = _shift(x[o, c, i], row, zero, low, high)


@njit(cache=True, inline="always")
def _scaled(x: Any, scale: Any, zero: Any, low: Any, high: Any) -> Any:
    r = np.rint(np.float32(x) * scale)
    return np.int32(min(max(r, low), high)) + zero


@njit(cache=True)
def float_rows(x: Any, y: Any, scales: Any, zero: Any, low: Any, high: Any) -> None:
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            scale = scales[c]
            for i in range(x.shape[2]):
                y[o, c, i] = _scaled(x[o, c, i], scale, zero, low, high)


@njit(cache=True)
def float_lanes(x: Any, y: Any, scales: Any, zero: Any, low: Any, high: Any) -> None:
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            y[o, c, 0] = _scaled(x[o, c, 0], scales[c], zero, low, high)


def run(
    view: IntArray, requantizer: Requantizer, low: int, high: int, zero: int
) -> npt.NDArray[np.int8] | None:
    """Return the codes' bytes, or None where no fast kernel is provably exact.

    Args:
        view: int32 [outer, channels, inner].
        requantizer: its parameters are scalars or one per channel of the view. The tables made
            from them are kept in it: it is immutable.
        low: smallest code.
        high: largest code; both within 8 bits, signed or unsigned.
        zero: zero point.
    """
    _, channels, inner = view.shape
    lanes = inner == 1 and channels > 1
    key = (low, high, zero, channels, lanes)
    cache = requantizer.prepared
    if key not in cache:
        if len(cache) >= 16:
            cache.clear()
        cache[key] = _prepare(requantizer, low, high, zero, channels, lanes)
    plan = cache[key]
    if plan is None:
        return None
    kernel, arguments = plan
    y = np.empty(view.shape, np.int8)
    kernel(view, y, *arguments)
    return y


def _prepare(
    requantizer: Requantizer, low: int, high: int, zero: int, channels: int, lanes: bool
) -> tuple[Any, tuple[Any, ...]] | None:
    """Return a kernel and its arguments after x and y, or None."""
    if abs(zero) > 1 << 15:
        return None
    if isinstance(requantizer, FloatScale):
        tables: tuple[Table, ...] = (requantizer.scales.copy(),)  # writable: one Numba type
        kernels = (float_rows, float_lanes)
        rest: tuple[Any, ...] = np.int32(zero), np.float32(low - zero), np.float32(high - zero)
    elif not isinstance(requantizer, FixedPoint):
        return None if lanes else _prepare_shift(requantizer, low, high, zero, channels)
    else:
        return _prepare_fixed(requantizer, low, high, zero, channels, lanes)
    spread = tuple(t if len(t) == channels else np.repeat(t, channels) for t in tables)
    return kernels[lanes], (*spread, *rest)


def _prepare_fixed(
    requantizer: FixedPoint, low: int, high: int, zero: int, channels: int, lanes: bool
) -> tuple[Any, tuple[Any, ...]] | None:
    flip = 128 if high > 127 else 0
    double = requantizer.rounding == "double"
    table = (_double_table if double else _single_table)(requantizer, zero - flip)
    if table is None:
        return None
    kernels = (double_rows, double_lanes) if double else (single_rows, single_lanes)
    # Flipping the top bit of a byte is the same as xor with -128 in int8.
    bounds = np.array([low - flip, high - flip, -flip], np.int32)
    spread = np.repeat(table, channels // table.shape[1], axis=1)
    return kernels[lanes], (np.ascontiguousarray(spread), bounds)


def _single_table(requantizer: FixedPoint, zero: int) -> Table | None:
    """Rows multiplier, rounding constant with zero point, shift after the upper half.

    ``(p + 2**(s-1)) >> s`` = ``((p >> 32) + 2**(s-33)) >> (s-32)`` where s is at least 33.
    """
    # A narrow multiplier is made 32 bits wide, exactly, so that the shift reaches 33.
    lift = np.minimum(32 - requantizer.bits, 62 - requantizer.shifts)
    multipliers, e = requantizer.multipliers << lift, requantizer.shifts + lift - 32
    if e.min() < 1:
        return None
    rounders = (np.int64(1) << (e - 1)) + (np.int64(zero) << e)
    if abs(rounders).max() >= 1 << 30:  # |p >> 32| is at most 2**30: the sum stays in 32 bits
        return None
    return np.stack([multipliers, rounders, e]).astype(np.int32)


def _double_table(requantizer: FixedPoint, zero: int) -> Table | None:
    """Rows multiplier, rounding constant with zero point, second shift less one.

    Half away from zero: ``(((h - (h < 0)) >> (e-1)) + 1) >> 1`` where e is at least 1. Without the
    multiplier -2**31, h is above -2**31, so that nothing leaves 32 bits.
    """
    e = requantizer.shifts - 31
    if requantizer.bits != 32 or e.min() < 1 or requantizer.multipliers.min() == -(1 << 31):
        return None
    rounders = np.full(e.shape, 2 * zero + 1)
    # With e = 1 a value near 2**31 and the constant could wrap: left to the exact kernel.
    if e.min() < 2:
        return None
    return np.stack([requantizer.multipliers, rounders, e - 1]).astype(np.int32)


def _prepare_shift(
    requantizer: PowerOfTwo, low: int, high: int, zero: int, channels: int
) -> tuple[Any, tuple[Any, ...]] | None:
    shifts = requantizer.shifts
    if requantizer.rounding == "stochastic" or shifts.min() < 0 or shifts.max() > 30:
        return None
    table = rounding_table(shifts, requantizer.rounding)
    table[:, 1] = (np.int64(1) << shifts) - 1
    rows = np.repeat(table, channels, axis=0) if len(table) != channels else table
    bounds = (np.int32(zero), np.int32(low - zero), np.int32(high - zero))
    return shift_rows, (rows.astype(np.int32), *bounds)
